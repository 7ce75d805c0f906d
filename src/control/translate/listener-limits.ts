// Rate limits of a workload's port → the filters of its listener, and what the virtual host says for them.
import { encodeGlobalActions, encodeGlobalRateLimit } from '../../policies/rate-limit/global-rate-limit.xds.ts'
import { encodeLocalActions, encodeLocalRateLimit } from '../../policies/rate-limit/local-rate-limit.xds.ts'
import type { MeshRateLimits } from '../snapshot/mesh-snapshot.ts'
import type { VirtualHostInit } from './build-route.ts'
import type { FiltersByKind } from './http-settings.ts'

export interface ListenerLimits {
  readonly filters: FiltersByKind
  readonly actions: NonNullable<VirtualHostInit['rateLimits']>
}

export function listenerLimits({ local, global }: MeshRateLimits = { local: [], global: [] }): ListenerLimits {
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
