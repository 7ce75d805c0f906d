// What TrafficPolicies of Services say for the sidecars of the workloads behind them.
import type { AdaptiveConcurrencySpec } from '../../policies/adaptive-concurrency/adaptive-concurrency.spec.ts'
import type { CallerLimitsSpec } from '../../policies/circuit-breaker/circuit-breaker.spec.ts'
import type { MeshSnapshot, MeshTraffic } from '../snapshot/mesh-snapshot.ts'

export interface WorkloadTraffic {
  /** Where two Services lead to the same, of the first that says something. */
  readonly adaptiveConcurrency?: AdaptiveConcurrencySpec
  /** The narrower of two. */
  readonly callerLimits?: CallerLimitsSpec
  /** The longest of all, so that no caller's request ends before its time; 0: for ever. */
  readonly idleMs?: number
}

/** By workload and port. */
export function workloadTraffic({ services }: MeshSnapshot): ReadonlyMap<string, WorkloadTraffic> {
  const byPort = new Map<string, WorkloadTraffic>()
  for (const { ports } of services.values()) {
    for (const { traffic, endpoints } of ports) {
      if (traffic === undefined) continue
      const said = traffic.adaptiveConcurrency ?? traffic.callerLimits ?? traffic.timeouts?.idleMs
      if (said === undefined) continue
      for (const endpoint of endpoints) {
        if (endpoint.kind === 'address') continue
        const key = workloadPort(endpoint.workload, endpoint.port)
        byPort.set(key, joined(byPort.get(key), traffic))
      }
    }
  }
  return byPort
}

function joined(before: WorkloadTraffic | undefined, traffic: MeshTraffic): WorkloadTraffic {
  const adaptiveConcurrency = before?.adaptiveConcurrency ?? traffic.adaptiveConcurrency
  const limits = [before?.callerLimits, traffic.callerLimits].filter((one) => one !== undefined)
  const [callerLimits] = limits.toSorted((a, b) => a.maxRequests - b.maxRequests)
  const idleMs = longer(before?.idleMs, traffic.timeouts?.idleMs)
  return {
    ...(adaptiveConcurrency === undefined ? {} : { adaptiveConcurrency }),
    ...(callerLimits === undefined ? {} : { callerLimits }),
    ...(idleMs === undefined ? {} : { idleMs }),
  }
}

function longer(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return a === 0 || b === 0 ? 0 : Math.max(a, b)
}

export function workloadPort(workload: string, port: number): string {
  return `${workload} ${port}`
}
