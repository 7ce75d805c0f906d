// A snapshot with the faults of the experiments that are at work: what proxies get beside what documents say for ever.
import { hostPort } from '../../contracts/xds/names.ts'
import type { MeshFaults, MeshService, MeshSnapshot } from '../snapshot/mesh-snapshot.ts'

/** `faults`: by "host:port" of the destination. */
export function withFaults(snapshot: MeshSnapshot, faults: ReadonlyMap<string, MeshFaults>): MeshSnapshot {
  if (faults.size === 0) return snapshot
  const services = new Map(
    [...snapshot.services].map(([host, service]): [string, MeshService] => {
      if (!service.ports.some(({ port }) => faults.has(hostPort(host, port)))) return [host, service]
      const ports = service.ports.map((port) => {
        const own = faults.get(hostPort(host, port.port))
        return own === undefined ? port : { ...port, traffic: { ...port.traffic, faults: own } }
      })
      return [host, { ...service, ports }]
    }),
  )
  return { ...snapshot, services }
}
