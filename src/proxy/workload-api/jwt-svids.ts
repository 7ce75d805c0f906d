// JWT-SVIDs of one sidecar's identity: asked for by audience, given again until half their life is over, verified with the mesh's newest keys.
import { verifyJwtSvid, type JwtSvidReading } from '../../contracts/identity/jwt-svid.ts'
import { splitSpiffeId } from '../../contracts/identity/spiffe-id.ts'
import type { Clock } from '../../core/clock.ts'
import type { JwtClient, JwtKeys } from './jwt-client.ts'

interface Kept {
  readonly token: string
  readonly staleAtMs: number
}

/** Libraries ask for a token with each request that they send; those of so many audiences are kept. */
const mostKept = 100
/** Keys that are older are asked for anew before a token is refused. */
const keysSettledMs = 5_000

export class JwtSvids {
  readonly #client: JwtClient
  readonly #clock: Clock
  readonly #kept = new Map<string, Kept>()
  #keys: JwtKeys | undefined
  #keysAtMs = 0

  constructor(client: JwtClient, clock: Clock) {
    this.#client = client
    this.#clock = clock
  }

  /** Rejects with a CallRefused. */
  async token(audience: readonly string[]): Promise<string> {
    const key = JSON.stringify(audience)
    const kept = this.#kept.get(key)
    if (kept !== undefined && this.#clock.nowMs() < kept.staleAtMs) return kept.token
    const askedAtMs = this.#clock.nowMs()
    const token = await this.#client.sign(audience)
    const { exp } = jwtClaims(token) as { exp: number }
    this.#kept.delete(key)
    this.#kept.set(key, { token, staleAtMs: (askedAtMs + exp * 1000) / 2 })
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > mostKept && oldest !== undefined) this.#kept.delete(oldest)
    return token
  }

  /** Rejects with a CallRefused. */
  async keys(): Promise<JwtKeys> {
    this.#keys = await this.#client.keys()
    this.#keysAtMs = this.#clock.nowMs()
    return this.#keys
  }

  /** Rejects with a CallRefused when the keys cannot be had. */
  async verify(token: string, audience: string, spiffeId: string): Promise<JwtSvidReading> {
    const { trustDomain: ownTrustDomain } = splitSpiffeId(spiffeId)
    // by the keys of the domain that it says it is of, and no others: what it says is verified with them
    const claimed = claimedTrustDomain(token)
    const read = ({ own, federated }: JwtKeys): JwtSvidReading => {
      const foreign = claimed === undefined || claimed === ownTrustDomain ? undefined : federated.get(claimed)
      const [trustDomain, keys] = foreign === undefined ? [ownTrustDomain, own] : [claimed as string, foreign]
      return verifyJwtSvid(token, { bundle: { keys }, trustDomain, audience, nowMs: this.#clock.nowMs() })
    }
    if (this.#keys === undefined) return read(await this.keys())
    const reading = read(this.#keys)
    // its key may be a new one
    if (reading.fault === undefined || this.#clock.nowMs() - this.#keysAtMs < keysSettledMs) return reading
    return read(await this.keys())
  }
}

/** Undefined when the token is none, or names nobody. */
function claimedTrustDomain(token: string): string | undefined {
  try {
    const { sub } = jwtClaims(token) as { readonly sub?: unknown }
    return typeof sub === 'string' ? splitSpiffeId(sub).trustDomain : undefined
  } catch {
    return undefined
  }
}

/** Of a token that was verified, or came from whoever signs. */
export function jwtClaims(token: string): object {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as object
}
