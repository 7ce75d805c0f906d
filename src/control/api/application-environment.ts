// The environment with which an application that knows nothing of the mesh reaches it. Pure.
import { hostPort } from '../../contracts/xds/names.ts'
import type { MeshSnapshot, MeshWorkload } from '../snapshot/mesh-snapshot.ts'
import type { PortAllocation } from '../snapshot/port-allocation.ts'
import { workloadOwner } from './sidecar-addresses.ts'

/** Never through the sidecar: an application that talks to its own machine means its own machine. */
const noProxy = 'localhost,127.0.0.1,::1'

export function applicationEnvironment(
  workload: MeshWorkload,
  snapshot: MeshSnapshot,
  ports: PortAllocation,
): Record<string, string> {
  const outbound = ports.address(workloadOwner(workload), 'outbound')
  const proxy = `http://${hostPort(outbound.host, outbound.port)}`
  const [firstPort] = workload.ports
  return {
    // both cases: curl and gRPC read the lower one only
    http_proxy: proxy,
    HTTP_PROXY: proxy,
    no_proxy: noProxy,
    NO_PROXY: noProxy,
    // with it Node's own fetch and http obey the variables above
    NODE_USE_ENV_PROXY: '1',
    ...serviceVariables(workload, snapshot, ports),
    ...(firstPort === undefined ? {} : { PORT: String(firstPort.port) }),
    HEDDLE_WORKLOAD: workloadOwner(workload),
    ...workload.env,
  }
}

/**
 * The variables that Kubernetes sets for Services: <SVC>_SERVICE_HOST, <SVC>_SERVICE_PORT (the first port) and
 * <SVC>_SERVICE_PORT_<NAME>. Of two Services with one name the workload's own namespace wins, then the first by name.
 */
function serviceVariables(
  workload: MeshWorkload,
  snapshot: MeshSnapshot,
  ports: PortAllocation,
): Record<string, string> {
  const services = [...new Set(workload.uses.map(({ host }) => host))]
    .map((host) => snapshot.services.get(host))
    .filter((service) => service !== undefined)
    .toSorted((a, b) => rank(a.namespace, workload) - rank(b.namespace, workload) || (a.host < b.host ? -1 : 1))
  const variables: Record<string, string> = {}
  for (const service of services) {
    const prefix = variableName(service.name)
    if (`${prefix}_SERVICE_HOST` in variables) continue
    for (const port of service.ports) {
      if (!workload.uses.some((use) => use.host === service.host && use.port === port.port)) continue
      const address = ports.address(workloadOwner(workload), `service|${hostPort(service.host, port.port)}`)
      variables[`${prefix}_SERVICE_HOST`] = address.host
      variables[`${prefix}_SERVICE_PORT`] ??= String(address.port)
      if (port.name !== '') variables[`${prefix}_SERVICE_PORT_${variableName(port.name)}`] = String(address.port)
    }
  }
  return variables
}

function rank(namespace: string, workload: MeshWorkload): number {
  return namespace === workload.namespace ? 0 : 1
}

function variableName(name: string): string {
  return name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')
}
