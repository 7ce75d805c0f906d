// What is said for one port of a workload, rate limits and Filters → the filters of its listener, and what the virtual host says for them.
import { encodeGlobalActions, encodeGlobalRateLimit } from '../../policies/rate-limit/global-rate-limit.xds.ts'
import { encodeLocalActions, encodeLocalRateLimit } from '../../policies/rate-limit/local-rate-limit.xds.ts'
import type { MeshRateLimits, MeshWorkloadPort } from '../snapshot/mesh-snapshot.ts'
import { withFilters } from './build-filters.ts'
import type { VirtualHostInit } from './build-route.ts'
import type { FiltersByKind, HttpSettings } from './http-settings.ts'

type RateLimitActions = NonNullable<VirtualHostInit['rateLimits']>

/** With what policies and Filters say for the port. */
export function inboundSettings(
  http: HttpSettings,
  { rateLimits, filters }: Pick<MeshWorkloadPort, 'rateLimits' | 'filters'>,
): { readonly http: HttpSettings; readonly rateLimits: RateLimitActions } {
  const limits = listenerLimits(rateLimits)
  const limited = { ...http, filters: { ...http.filters, ...limits.filters } }
  return { http: withFilters(limited, filters), rateLimits: limits.actions }
}

function listenerLimits({ local, global }: MeshRateLimits = { local: [], global: [] }): {
  readonly filters: FiltersByKind
  readonly actions: RateLimitActions
} {
  return {
    filters: {
      localRateLimit: local.map(encodeLocalRateLimit),
      globalRateLimit: global.map((limit, index) => encodeGlobalRateLimit(limit, index + 1)),
    },
    actions: [
      ...local.flatMap((limit) => encodeLocalActions(limit) ?? []),
      ...global.flatMap((limit, index) => encodeGlobalActions(limit, index + 1)),
    ],
  }
}
