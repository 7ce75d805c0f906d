// Rate limits of the policies for Services → those of the ports of the workloads behind them.
import type { MeshRateLimits, MeshWorkload, MeshWorkloadPort } from './mesh-snapshot.ts'
import type { ServiceDraft } from './services.ts'

/** As many stages as Envoy has, but for the one of local limits. */
const mostGlobal = 10

/** The same workloads, with their limits. A port that several Services lead to has the limits of all. */
export function withRateLimits(
  workloads: ReadonlyMap<string, MeshWorkload>,
  services: ReadonlyMap<string, ServiceDraft>,
): ReadonlyMap<string, MeshWorkload> {
  const byPort = new Map<string, Set<MeshRateLimits>>()
  for (const { ports } of services.values())
    for (const { traffic, endpoints } of ports) {
      if (traffic?.rateLimits === undefined) continue
      for (const endpoint of endpoints) {
        if (endpoint.kind !== 'workload') continue
        const key = `${endpoint.workload} ${endpoint.port}`
        byPort.set(key, (byPort.get(key) ?? new Set()).add(traffic.rateLimits))
      }
    }
  if (byPort.size === 0) return workloads
  return new Map(
    [...workloads].map(([key, workload]): [string, MeshWorkload] => {
      const limitsOf = ({ port }: MeshWorkloadPort): Set<MeshRateLimits> | undefined => byPort.get(`${key} ${port}`)
      if (!workload.ports.some((port) => limitsOf(port) !== undefined)) return [key, workload]
      const ports = workload.ports.map((port): MeshWorkloadPort => {
        const limits = limitsOf(port)
        return limits === undefined ? port : { ...port, rateLimits: merged([...limits]) }
      })
      return [key, { ...workload, ports }]
    }),
  )
}

function merged(limits: readonly MeshRateLimits[]): MeshRateLimits {
  return {
    local: limits.flatMap(({ local }) => local),
    global: limits.flatMap(({ global }) => global).slice(0, mostGlobal),
  }
}
