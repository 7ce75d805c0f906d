// Rate limits of a workload's port → the filters of its listener, and what the virtual host says for them.
import { encodeLocalActions, encodeLocalRateLimit } from '../../policies/rate-limit/local-rate-limit.xds.ts'
import type { MeshRateLimits } from '../snapshot/mesh-snapshot.ts'
import type { VirtualHostInit } from './build-route.ts'
import type { FiltersByKind } from './http-settings.ts'

export interface ListenerLimits {
  readonly filters: FiltersByKind
  readonly actions: NonNullable<VirtualHostInit['rateLimits']>
}

export function listenerLimits({ local }: MeshRateLimits = { local: [] }): ListenerLimits {
  return {
    filters: { localRateLimit: local.map(encodeLocalRateLimit) },
    actions: local.flatMap((limit) => encodeLocalActions(limit) ?? []),
  }
}
