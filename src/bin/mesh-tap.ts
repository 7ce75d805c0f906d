// What the read API needs to ask proxies. Part of the control plane's composition root.
import { proxyAdmins } from '../control/api/mesh-state.ts'
import type { MeshSnapshot } from '../control/snapshot/mesh-snapshot.ts'
import type { PortAllocation } from '../control/snapshot/port-allocation.ts'
import { MeshEndpoints } from '../control/telemetry/mesh-endpoints.ts'
import { MeshTap } from '../control/telemetry/mesh-tap.ts'
import type { Clock } from '../core/clock.ts'
import type { ReadApiDeps } from '../dashboard-api/read-api-deps.ts'
import { compileCondition } from '../insight/record-condition.ts'
import { boundExpressions } from '../proxy/route/linear-expressions.ts'

export interface MeshTapOptions {
  readonly clock: Clock
  /** The mesh's own: proxies answer to it. */
  readonly token: string
  readonly snapshot: () => MeshSnapshot
  readonly addresses: PortAllocation
}

export function createMeshTap(options: MeshTapOptions): Pick<ReadApiDeps, 'tap' | 'endpoints' | 'compileCondition'> {
  const { clock, token, snapshot, addresses } = options
  // a viewer's expression must not hold the control plane up
  boundExpressions()
  const deps = { clock, token, proxies: () => proxyAdmins(snapshot(), addresses) }
  return { tap: new MeshTap(deps), endpoints: new MeshEndpoints(deps), compileCondition }
}
