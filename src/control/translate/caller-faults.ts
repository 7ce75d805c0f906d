// Which faults the requests of one node suffer on its routes: TrafficPolicies of the destinations say who suffers.
import { gatewayServiceAccount } from '../../contracts/identity/spiffe-id.ts'
import { hostPort } from '../../contracts/xds/names.ts'
import type { FaultsSpec } from '../../policies/faults/faults.spec.ts'
import type { MeshFaults, MeshSnapshot } from '../snapshot/mesh-snapshot.ts'
import type { FaultsTo } from './build-route.ts'
import type { Destination } from './egress-security.ts'
import type { XdsNode } from './resource-view.ts'

export interface CallerFaults {
  readonly faultsTo: FaultsTo
  /** The same for nodes that suffer the same. */
  readonly key: string
}

export function callerFaults(
  { services, workloads }: MeshSnapshot,
  node: XdsNode,
  destinations: readonly Destination[],
): CallerFaults {
  const serviceAccount =
    node.kind === 'gateway'
      ? gatewayServiceAccount(node.name)
      : workloads.get(`${node.namespace}/${node.name}`)?.serviceAccount
  const faultsTo = new Map<string, FaultsSpec>()
  let key = ''
  for (const { host, port } of destinations) {
    const ports = host === undefined ? undefined : services.get(host)?.ports
    const faults = ports?.find((candidate) => candidate.port === port)?.traffic?.faults
    if (host === undefined || faults === undefined || !suffers(faults, node, serviceAccount)) continue
    const name = hostPort(host, port)
    if (faultsTo.has(name)) continue
    faultsTo.set(name, faults.spec)
    if (faults.callers !== undefined) key += ` faults ${name}`
  }
  return { faultsTo, key }
}

/** Who is not of the mesh is nobody that a policy could name. */
function suffers({ callers }: MeshFaults, node: XdsNode, own: string | undefined): boolean {
  if (callers === undefined) return true
  return callers.some(
    ({ namespace, serviceAccount }) =>
      node.kind !== 'other' && node.namespace === namespace && (serviceAccount === undefined || serviceAccount === own),
  )
}
