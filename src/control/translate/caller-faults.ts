// Which faults the requests of one node suffer on its routes: TrafficPolicies of the destinations say who suffers.
import { gatewayServiceAccount } from '../../contracts/identity/spiffe-id.ts'
import { hostPort } from '../../contracts/xds/names.ts'
import type { FaultsSpec } from '../../policies/faults/faults.spec.ts'
import type { MeshFaults, MeshListener, MeshRoute, MeshSnapshot } from '../snapshot/mesh-snapshot.ts'
import type { FaultsTo } from './build-route.ts'
import type { XdsNode } from './resource-view.ts'

export interface CallerFaults {
  readonly faultsTo: FaultsTo
  /** The same for nodes that suffer the same. */
  readonly key: string
}

/** `destinations`: "<host>:<port>", of routes or otherwise. */
export function callerFaults(
  { services, workloads }: MeshSnapshot,
  node: XdsNode,
  destinations: readonly string[],
): CallerFaults {
  const serviceAccount =
    node.kind === 'gateway'
      ? gatewayServiceAccount(node.name)
      : workloads.get(`${node.namespace}/${node.name}`)?.serviceAccount
  const faultsTo = new Map<string, FaultsSpec>()
  let key = ''
  for (const destination of new Set(destinations)) {
    const colon = destination.lastIndexOf(':')
    const ports = services.get(destination.slice(0, colon))?.ports
    const faults = ports?.find(({ port }) => String(port) === destination.slice(colon + 1))?.traffic?.faults
    if (faults === undefined || !suffers(faults, node, serviceAccount)) continue
    faultsTo.set(destination, faults.spec)
    if (faults.callers !== undefined) key += ` faults ${destination}`
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

export function destinationsOf(routes: readonly MeshRoute[]): string[] {
  return routes.flatMap(({ action }) =>
    action.kind === 'forward'
      ? action.backends.flatMap(({ host, port }) => (host === undefined ? [] : [hostPort(host, port)]))
      : [],
  )
}

export function destinationsOfListeners(listeners: readonly MeshListener[]): string[] {
  return listeners.flatMap(({ virtualHosts }) => virtualHosts.flatMap(({ routes }) => destinationsOf(routes)))
}
