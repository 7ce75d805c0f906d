// Adaptive concurrency as TrafficPolicies say of Services → of the workloads behind them.
import type { AdaptiveConcurrencySpec } from '../../policies/adaptive-concurrency/adaptive-concurrency.spec.ts'
import type { MeshSnapshot } from '../snapshot/mesh-snapshot.ts'

/** By workload and port. Where two Services lead to the same, the first that says something holds. */
export function adaptiveConcurrencyOf({ services }: MeshSnapshot): ReadonlyMap<string, AdaptiveConcurrencySpec> {
  const byPort = new Map<string, AdaptiveConcurrencySpec>()
  for (const { ports } of services.values()) {
    for (const { traffic, endpoints } of ports) {
      if (traffic?.adaptiveConcurrency === undefined) continue
      for (const endpoint of endpoints) {
        if (endpoint.kind === 'address') continue
        const key = workloadPort(endpoint.workload, endpoint.port)
        if (!byPort.has(key)) byPort.set(key, traffic.adaptiveConcurrency)
      }
    }
  }
  return byPort
}

export function workloadPort(workload: string, port: number): string {
  return `${workload} ${port}`
}
