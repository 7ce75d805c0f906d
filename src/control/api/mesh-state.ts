// Snapshot and addresses → mesh.json. Pure.
import type { GatewayState, MeshState, WorkloadState } from '../../contracts/mesh-state.ts'
import { hostPort } from '../../contracts/xds/names.ts'
import type { MeshSnapshot, MeshWorkload } from '../snapshot/mesh-snapshot.ts'
import type { PortAllocation } from '../snapshot/port-allocation.ts'
import type { TappedProxy } from '../telemetry/mesh-tap.ts'
import { gatewaySpiffeId, workloadSpiffeId } from './desired-state.ts'
import { gatewayOwner, workloadOwner } from './sidecar-addresses.ts'

export interface MeshStateInput {
  readonly adminUrl: string
  readonly adminToken: string
  readonly dashboardUrl?: string
  readonly xdsAddress: string
  readonly xdsTlsAddress?: string
  /** Whether that workload's sidecar has its configuration and its application listens; `workload` is "namespace/name". */
  readonly isReady: (workload: string) => boolean
  /** Why it is not, where that is known. */
  readonly reason: (workload: string) => string | undefined
}

export function buildMeshState(snapshot: MeshSnapshot, ports: PortAllocation, input: MeshStateInput): MeshState {
  return {
    adminUrl: input.adminUrl,
    adminToken: input.adminToken,
    ...(input.dashboardUrl === undefined ? {} : { dashboardUrl: input.dashboardUrl }),
    xdsAddress: input.xdsAddress,
    ...(input.xdsTlsAddress !== undefined && { xdsTlsAddress: input.xdsTlsAddress }),
    revision: snapshot.revision,
    gateways: [...snapshot.gateways.values()].flatMap((gateway) =>
      gateway.listeners.map(({ name, port }): GatewayState => ({
        namespace: gateway.namespace,
        name: gateway.name,
        listener: name,
        address: hostPort(gateway.address, port),
        spiffeId: gatewaySpiffeId(gateway, snapshot),
        ...adminUrls(gatewayOwner(gateway), ports),
      })),
    ),
    workloads: [...snapshot.workloads.values()].map((workload) => workloadState(workload, snapshot, ports, input)),
  }
}

function workloadState(
  workload: MeshWorkload,
  snapshot: MeshSnapshot,
  ports: PortAllocation,
  input: MeshStateInput,
): WorkloadState {
  const owner = workloadOwner(workload)
  const address = (purpose: Parameters<PortAllocation['address']>[1]): string => {
    const allocated = ports.address(owner, purpose)
    return hostPort(allocated.host, allocated.port)
  }
  const ready = input.isReady(owner)
  const reason = ready ? undefined : input.reason(owner)
  return {
    namespace: workload.namespace,
    name: workload.name,
    spiffeId: workloadSpiffeId(workload, snapshot),
    ready,
    ...(reason === undefined ? {} : { reason }),
    outboundProxy: `http://${address('outbound')}`,
    ...adminUrls(owner, ports),
    inbound: workload.ports.map(({ port }) => ({ port, address: address(`inbound|${port}`) })),
    services: workload.uses.flatMap(({ host, port }) => {
      const service = snapshot.services.get(host)
      if (service === undefined) return []
      return [
        { namespace: service.namespace, name: service.name, port, address: address(`service|${hostPort(host, port)}`) },
      ]
    }),
  }
}

/** Every sidecar and gateway, with where it is asked about itself. */
export function proxyAdmins({ workloads, gateways }: MeshSnapshot, ports: PortAllocation): TappedProxy[] {
  return [
    ...[...workloads.values()].map((workload) => ({ workload, owner: workloadOwner(workload) })),
    ...[...gateways.values()].map((workload) => ({ workload, owner: gatewayOwner(workload) })),
  ].map(({ workload: { namespace, name }, owner }) => ({
    name: `${namespace}/${name}`,
    adminUrl: adminUrls(owner, ports).adminUrl,
  }))
}

function adminUrls(owner: string, ports: PortAllocation): { adminUrl: string; metricsUrl: string } {
  const admin = ports.address(owner, 'admin')
  const metrics = ports.address(owner, 'metrics')
  return {
    adminUrl: `http://${hostPort(admin.host, admin.port)}`,
    metricsUrl: `http://${hostPort(metrics.host, metrics.port)}/metrics`,
  }
}
