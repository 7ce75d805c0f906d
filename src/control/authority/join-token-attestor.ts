// Attests a proxy by its join token: it may get the identity of the workload that the token was made for.
import type { AttestationRefusal, Attestor } from './attestor.ts'
import { joinTokenPrefix } from './join-tokens.ts'
import type { JoinGrant, JoinTokens, TokenRefusal } from './join-tokens.ts'
import type { Revocations } from './revocations.ts'

export interface JoinTokenAttestorOptions {
  readonly tokens: JoinTokens
  readonly revocations: Pick<Revocations, 'refusesTokenOf'>
  /** A key was let in by a token: not called again for the same key. */
  readonly used: (grant: JoinGrant, peer: string) => void
}

const messages: Readonly<Record<TokenRefusal, string>> = {
  malformed: 'the join token is malformed: it must be passed on whole',
  unknown: 'the join token is unknown to this control plane',
  expired: 'the join token has expired',
  used: 'the join token was used before, by another key',
  revoked: 'the join token was revoked',
}

export function createJoinTokenAttestor({ tokens, revocations, used }: JoinTokenAttestorOptions): Attestor {
  return {
    async attest({ bearerToken, keyFingerprint, peer }) {
      if (bearerToken === undefined || keyFingerprint === undefined) return undefined
      // another kind of bearer token has an attestor of its own
      if (!bearerToken.startsWith(joinTokenPrefix)) return undefined
      const grant = await tokens.verify(bearerToken, keyFingerprint)
      if (typeof grant === 'string') return refusal(grant)
      if (revocations.refusesTokenOf(grant.spiffeId, grant.createdAtMs)) {
        return refusal('revoked', `the join token is from before ${grant.spiffeId} was revoked`)
      }
      return {
        spiffeIds: [grant.spiffeId],
        proxy: grant.proxy,
        async spend() {
          const redeemed = await tokens.redeem(bearerToken, keyFingerprint)
          if (typeof redeemed === 'string') return refusal(redeemed)
          if (redeemed.isFirst) used(redeemed, peer)
          return undefined
        },
      }
    },
  }
}

function refusal(why: TokenRefusal, message = messages[why]): AttestationRefusal {
  return { refused: `token_${why}`, message: `${message}: make a new one with \`heddle token join create\`` }
}
