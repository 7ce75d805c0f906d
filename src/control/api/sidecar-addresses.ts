// Which addresses the sidecars and gateways of a snapshot need, and under which owner the allocation keeps them.
import { hostPort } from '../../contracts/xds/names.ts'
import type { PortPurpose } from '../ports/port-allocator.ts'
import type { MeshGateway, MeshSnapshot, MeshWorkload } from '../snapshot/mesh-snapshot.ts'

export function workloadOwner(workload: Pick<MeshWorkload, 'namespace' | 'name'>): string {
  return `${workload.namespace}/${workload.name}`
}

/** A gateway may share its name with a workload. */
export function gatewayOwner(gateway: Pick<MeshGateway, 'namespace' | 'name'>): string {
  return `gateway:${gateway.namespace}/${gateway.name}`
}

/** What PortAllocator.reserve takes: every address of every proxy, by owner. */
export function neededAddresses(snapshot: MeshSnapshot): Map<string, readonly PortPurpose[]> {
  const needed = new Map<string, readonly PortPurpose[]>()
  for (const workload of snapshot.workloads.values()) {
    needed.set(workloadOwner(workload), [
      'outbound',
      'admin',
      'metrics',
      ...workload.ports.map(({ port }) => `inbound|${port}` as const),
      ...workload.uses.map(({ host, port }) => `service|${hostPort(host, port)}` as const),
    ])
  }
  for (const gateway of snapshot.gateways.values()) needed.set(gatewayOwner(gateway), ['admin', 'metrics'])
  return needed
}

/** Ports that documents give to applications, gateways and the bundle endpoint: nobody else may get them. */
export function claimedPorts(snapshot: MeshSnapshot): Set<number> {
  const claimed = new Set<number>()
  for (const workload of snapshot.workloads.values()) for (const { port } of workload.ports) claimed.add(port)
  for (const gateway of snapshot.gateways.values()) for (const { port } of gateway.listeners) claimed.add(port)
  const { bundleEndpoint } = snapshot.settings.federation ?? {}
  if (bundleEndpoint !== undefined) claimed.add(bundleEndpoint.port)
  return claimed
}
