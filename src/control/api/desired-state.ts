// Snapshot and addresses → what the supervisor of this host runs. Pure.
import { createHash } from 'node:crypto'
import { dirname } from 'node:path'

import type { DesiredApplication, DesiredSidecar, DesiredState } from '../../contracts/desired-state.ts'
import { formatSpiffeId, gatewayServiceAccount } from '../../contracts/identity/spiffe-id.ts'
import { hostPort } from '../../contracts/xds/names.ts'
import type { MeshGateway, MeshSnapshot, MeshWorkload } from '../snapshot/mesh-snapshot.ts'
import type { PortAllocation } from '../snapshot/port-allocation.ts'
import { applicationEnvironment } from './application-environment.ts'
import { gatewayOwner, workloadOwner } from './sidecar-addresses.ts'

export interface DesiredStateOptions {
  /** Where an application runs whose document came from no file and names no folder. */
  readonly defaultWorkingDirectory: string
}

export function buildDesiredState(
  snapshot: MeshSnapshot,
  ports: PortAllocation,
  options: DesiredStateOptions,
): DesiredState {
  const sidecars = [
    ...[...snapshot.workloads.values()].map((workload) => workloadSidecar(workload, snapshot, ports, options)),
    ...[...snapshot.gateways.values()].map((gateway) => gatewaySidecar(gateway, snapshot, ports)),
  ]
  return { revision: snapshot.revision, sidecars }
}

function workloadSidecar(
  workload: MeshWorkload,
  snapshot: MeshSnapshot,
  ports: PortAllocation,
  options: DesiredStateOptions,
): DesiredSidecar {
  const application = desiredApplication(workload, snapshot, ports, options)
  return {
    kind: 'sidecar',
    namespace: workload.namespace,
    name: workload.name,
    spiffeId: workloadSpiffeId(workload, snapshot),
    ...adminAddresses(workloadOwner(workload), ports),
    ...(workload.locality === undefined ? {} : { locality: workload.locality }),
    applicationPorts: workload.ports.map(({ port }) => ({ host: workload.address, port })),
    ...(workload.readiness === undefined ? {} : { readiness: workload.readiness }),
    ...(workload.liveness === undefined ? {} : { liveness: workload.liveness }),
    ...(application === undefined ? {} : { application }),
    ...(workload.unix === undefined ? {} : { unix: workload.unix }),
  }
}

function gatewaySidecar(gateway: MeshGateway, snapshot: MeshSnapshot, ports: PortAllocation): DesiredSidecar {
  return {
    kind: 'gateway',
    namespace: gateway.namespace,
    name: gateway.name,
    spiffeId: gatewaySpiffeId(gateway, snapshot),
    ...adminAddresses(gatewayOwner(gateway), ports),
    applicationPorts: [],
  }
}

function desiredApplication(
  workload: MeshWorkload,
  snapshot: MeshSnapshot,
  ports: PortAllocation,
  options: DesiredStateOptions,
): DesiredApplication | undefined {
  if (workload.command === undefined || workload.command.length === 0) return undefined
  const { file } = workload.source
  const workingDirectory =
    workload.workingDirectory ?? (file === undefined ? options.defaultWorkingDirectory : dirname(file))
  const preloads = snapshot.settings.preloadsPropagation === true
  const asked = [
    workload.command,
    workingDirectory,
    Object.keys(workload.env)
      .toSorted()
      .map((name) => [name, workload.env[name]]),
    workload.ports,
    ...(preloads ? ['preloadsPropagation'] : []),
  ]
  return {
    command: workload.command,
    workingDirectory,
    env: applicationEnvironment(workload, snapshot, ports),
    ...(preloads ? { preloadsPropagation: preloads } : {}),
    fingerprint: createHash('sha256').update(JSON.stringify(asked)).digest('hex').slice(0, 16),
  }
}

export function workloadSpiffeId(workload: MeshWorkload, snapshot: MeshSnapshot): string {
  const { trustDomain } = snapshot.settings
  return formatSpiffeId({ trustDomain, namespace: workload.namespace, serviceAccount: workload.serviceAccount })
}

export function gatewaySpiffeId(gateway: MeshGateway, snapshot: MeshSnapshot): string {
  const { trustDomain } = snapshot.settings
  return formatSpiffeId({
    trustDomain,
    namespace: gateway.namespace,
    serviceAccount: gatewayServiceAccount(gateway.name),
  })
}

function adminAddresses(owner: string, ports: PortAllocation): { adminAddress: string; metricsAddress: string } {
  const admin = ports.address(owner, 'admin')
  const metrics = ports.address(owner, 'metrics')
  return {
    adminAddress: hostPort(admin.host, admin.port),
    metricsAddress: hostPort(metrics.host, metrics.port),
  }
}
