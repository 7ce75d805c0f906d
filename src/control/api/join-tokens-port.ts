// The join tokens of proxies as the API makes, shows and revokes them.
import { nodeId } from '../../contracts/xds/names.ts'
import type { Clock } from '../../core/clock.ts'
import { joinTokenId } from '../authority/join-tokens.ts'
import type { JoinTokens } from '../authority/join-tokens.ts'
import type { JoinTokensPort } from './join-token-routes.ts'

export interface JoinTokensPortOptions {
  readonly tokens: JoinTokens
  /** SPIFFE ID by node id. */
  readonly proxies: () => ReadonlyMap<string, string>
  /** Since the control plane started, by reason. */
  readonly refusals: () => Readonly<Record<string, number>>
  readonly clock: Clock
}

export function createJoinTokensPort({ tokens, proxies, refusals, clock }: JoinTokensPortOptions): JoinTokensPort {
  return {
    async create({ kind, namespace, name, uses, ttlMs }) {
      const proxy = nodeId(kind, namespace, name)
      const spiffeId = proxies().get(proxy)
      if (spiffeId === undefined) return undefined
      const made = await tokens.create(proxy, spiffeId, ttlMs, uses)
      return { id: joinTokenId(made), token: made, spiffeId, expiresAtMs: clock.nowMs() + ttlMs }
    },
    list: async () => ({ tokens: await tokens.list(), refusals: refusals() }),
    revoke: async (id) => (await tokens.revoke(id)) !== undefined,
  }
}
