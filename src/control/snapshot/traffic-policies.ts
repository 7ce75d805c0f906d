// TrafficPolicies → how callers treat each port.
import { toCircuitBreakerSpec } from '../../policies/circuit-breaker/circuit-breaker.schema.ts'
import { toHealthCheckSpec } from '../../policies/health-checks/health-checks.schema.ts'
import { toHedgingSpec } from '../../policies/hedging/hedging.schema.ts'
import { toHashPolicies, toLoadBalancingSpec } from '../../policies/load-balancing/load-balancing.schema.ts'
import { toOutlierDetectionSpec } from '../../policies/outlier-detection/outlier-detection.schema.ts'
import { toDestinationRetrySpec, toRetryConstraintSpec } from '../../policies/retries/retries.schema.ts'
import { durationMs } from '../../policies/scalars.schema.ts'
import { toTimeoutsSpec } from '../../policies/timeouts/timeouts.schema.ts'
import type { TrafficPolicySpec } from '../model/policy-kinds.ts'
import type { DocumentIndex } from './document-index.ts'
import type { MeshTraffic } from './mesh-snapshot.ts'
import type { ProblemList } from './route-attachment.ts'
import { compareAge, ServiceTargets, targetStatus } from './service-targets.ts'
import type { PortDraft, ServiceDraft } from './services.ts'
import type { DocumentStatus } from './status.ts'

/** The same services, with what the policies say. */
export function withTrafficPolicies(
  index: DocumentIndex,
  services: ReadonlyMap<string, ServiceDraft>,
  problems: ProblemList,
): { readonly services: ReadonlyMap<string, ServiceDraft>; readonly statuses: ReadonlyMap<string, DocumentStatus> } {
  const byPort = new Map<PortDraft, MeshTraffic>()
  const statuses = new Map<string, DocumentStatus>()
  const targets = new ServiceTargets(index, services, problems)
  for (const policy of index.all('TrafficPolicy').toSorted(compareAge)) {
    const traffic = compileTraffic(policy.spec)
    const ancestors = policy.spec.targetRefs.map((_, position) => {
      const { accepted, ports } = targets.attach(policy, position)
      for (const port of ports) byPort.set(port, traffic)
      return targetStatus(policy, position, [accepted])
    })
    statuses.set(policy.id, { ancestors })
  }
  if (byPort.size === 0) return { services, statuses }
  const treated = [...services].map(([host, draft]): [string, ServiceDraft] => {
    if (!draft.ports.some((port) => byPort.has(port))) return [host, draft]
    const ports = draft.ports.map((port): PortDraft => {
      const traffic = byPort.get(port)
      return traffic === undefined ? port : { ...port, traffic }
    })
    return [host, { ...draft, ports }]
  })
  return { services: new Map(treated), statuses }
}

function compileTraffic(spec: TrafficPolicySpec): MeshTraffic {
  const { connectTimeout, loadBalancing, circuitBreaker, outlierDetection, retryConstraint, hedging } = spec
  const { healthCheck, retries, timeouts } = spec
  return {
    ...(connectTimeout === undefined ? {} : { connectTimeoutMs: durationMs(connectTimeout) }),
    ...(loadBalancing === undefined ? {} : { loadBalancing: toLoadBalancingSpec(loadBalancing) }),
    ...(loadBalancing?.hash === undefined ? {} : { hashPolicies: toHashPolicies(loadBalancing) }),
    ...(circuitBreaker === undefined ? {} : { circuitBreaker: toCircuitBreakerSpec(circuitBreaker) }),
    ...(outlierDetection === undefined ? {} : { outlierDetection: toOutlierDetectionSpec(outlierDetection) }),
    ...(healthCheck === undefined ? {} : { healthCheck: toHealthCheckSpec(healthCheck) }),
    ...(retryConstraint === undefined ? {} : { retryConstraint: toRetryConstraintSpec(retryConstraint) }),
    ...(retries === undefined ? {} : { retry: toDestinationRetrySpec(retries) }),
    ...(timeouts === undefined ? {} : { timeouts: toTimeoutsSpec(timeouts) }),
    ...(hedging === undefined ? {} : { hedging: toHedgingSpec(hedging) ?? ('off' as const) }),
  }
}
