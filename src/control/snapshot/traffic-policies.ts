// TrafficPolicies → how callers treat each port.
import { toAdaptiveConcurrencySpec } from '../../policies/adaptive-concurrency/adaptive-concurrency.schema.ts'
import { toCircuitBreakerSpec } from '../../policies/circuit-breaker/circuit-breaker.schema.ts'
import { toFaultsSpec } from '../../policies/faults/faults.schema.ts'
import { toHealthCheckSpec } from '../../policies/health-checks/health-checks.schema.ts'
import { toHedgingSpec } from '../../policies/hedging/hedging.schema.ts'
import { toHashPolicies, toLoadBalancingSpec } from '../../policies/load-balancing/load-balancing.schema.ts'
import { toSubsetKeys } from '../../policies/load-balancing/subsets.schema.ts'
import { toOutlierDetectionSpec } from '../../policies/outlier-detection/outlier-detection.schema.ts'
import { toGlobalRateLimits, toLocalRateLimits } from '../../policies/rate-limit/rate-limit.schema.ts'
import { toDestinationRetrySpec, toRetryConstraintSpec } from '../../policies/retries/retries.schema.ts'
import { durationMs } from '../../policies/scalars.schema.ts'
import { toTimeoutsSpec } from '../../policies/timeouts/timeouts.schema.ts'
import { toStickySplit } from '../../policies/traffic-split/sticky-split.schema.ts'
import { documentProblem } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import { nearest } from '../model/nearest.ts'
import type { TrafficPolicySpec } from '../model/policy-kinds.ts'
import type { DocumentIndex } from './document-index.ts'
import type { MeshFaults, MeshRateLimits, MeshSettings, MeshTraffic } from './mesh-snapshot.ts'
import { carriesRequests } from './port-protocol.ts'
import type { ProblemList } from './route-attachment.ts'
import { compareAge, ServiceTargets, targetStatus } from './service-targets.ts'
import type { PortDraft, ServiceDraft } from './services.ts'
import type { DocumentStatus } from './status.ts'
import { explainSidecars, explainSubsets, explainWeights } from './traffic-problems.ts'

/** The same services, with what the policies say. */
export function withTrafficPolicies(
  index: DocumentIndex,
  services: ReadonlyMap<string, ServiceDraft>,
  { rateLimitServers }: Pick<MeshSettings, 'rateLimitServers'>,
  problems: ProblemList,
): { readonly services: ReadonlyMap<string, ServiceDraft>; readonly statuses: ReadonlyMap<string, DocumentStatus> } {
  const byPort = new Map<PortDraft, MeshTraffic>()
  const statuses = new Map<string, DocumentStatus>()
  const targets = new ServiceTargets(index, services, problems)
  for (const policy of index.all('TrafficPolicy').toSorted(compareAge)) {
    const traffic = compileTraffic(policy.spec, compileLimits(policy, rateLimitServers, problems))
    const reached: PortDraft[] = []
    const ancestors = policy.spec.targetRefs.map((_, position) => {
      const { accepted, ports } = targets.attach(policy, position)
      for (const port of ports) byPort.set(port, traffic)
      reached.push(...ports)
      if (policy.spec.targetRefs[position]?.kind === 'ExternalService') explainSidecars(policy, problems)
      return targetStatus(policy, position, [accepted])
    })
    statuses.set(policy.id, { ancestors })
    explainSubsets(policy, reached, index, problems)
    explainWeights(policy, reached, index, problems)
    if (traffic.rateLimits !== undefined && reached.length > 0 && !reached.some(isCounted)) {
      const message =
        'nobody enforces the rate limit: it needs a workload of the mesh behind a port that carries requests'
      problems.add(documentProblem(policy, 'HDL010', 'warning', ['spec', 'rateLimit'], message))
    }
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

/** By the proxy of a workload. */
function isCounted({ protocol, endpoints }: PortDraft): boolean {
  return carriesRequests(protocol) && endpoints.some(({ kind }) => kind === 'workload')
}

function compileTraffic(spec: TrafficPolicySpec, rateLimits: MeshRateLimits | undefined): MeshTraffic {
  const { connectTimeout, loadBalancing, circuitBreaker, outlierDetection, retryConstraint, hedging, faults } = spec
  const { adaptiveConcurrency, trafficSplit } = spec
  const { healthCheck, retries, timeouts } = spec
  return {
    ...(connectTimeout === undefined ? {} : { connectTimeoutMs: durationMs(connectTimeout) }),
    ...(loadBalancing === undefined ? {} : { loadBalancing: toLoadBalancingSpec(loadBalancing) }),
    ...(loadBalancing?.hash === undefined ? {} : { hashPolicies: toHashPolicies(loadBalancing.hash.on) }),
    ...(loadBalancing?.locality.weights === undefined ? {} : { localityWeights: loadBalancing.locality.weights }),
    ...(loadBalancing?.subsets === undefined ? {} : { subsetKeys: toSubsetKeys(loadBalancing.subsets) }),
    ...(circuitBreaker === undefined ? {} : { circuitBreaker: toCircuitBreakerSpec(circuitBreaker) }),
    ...(circuitBreaker?.perCaller === undefined ? {} : { callerLimits: circuitBreaker.perCaller }),
    ...(outlierDetection === undefined ? {} : { outlierDetection: toOutlierDetectionSpec(outlierDetection) }),
    ...(healthCheck === undefined ? {} : { healthCheck: toHealthCheckSpec(healthCheck) }),
    ...(retryConstraint === undefined ? {} : { retryConstraint: toRetryConstraintSpec(retryConstraint) }),
    ...(retries === undefined ? {} : { retry: toDestinationRetrySpec(retries) }),
    ...(timeouts === undefined ? {} : { timeouts: toTimeoutsSpec(timeouts) }),
    ...(hedging === undefined ? {} : { hedging: toHedgingSpec(hedging) ?? ('off' as const) }),
    ...(faults === undefined ? {} : { faults: compileFaults(faults) }),
    ...(rateLimits === undefined ? {} : { rateLimits }),
    ...(trafficSplit === undefined ? {} : { stickySplit: toStickySplit(trafficSplit) }),
    ...(adaptiveConcurrency === undefined
      ? {}
      : { adaptiveConcurrency: toAdaptiveConcurrencySpec(adaptiveConcurrency) }),
  }
}

export function compileFaults(faults: NonNullable<TrafficPolicySpec['faults']>): MeshFaults {
  return { spec: toFaultsSpec(faults), ...(faults.callers === undefined ? {} : { callers: faults.callers }) }
}

/** What cannot be asked limits nothing: a limiter takes no request down that it was not told to. */
function compileLimits(
  policy: ModelDocument<'TrafficPolicy'>,
  servers: MeshSettings['rateLimitServers'],
  problems: ProblemList,
): MeshRateLimits | undefined {
  const { rateLimit } = policy.spec
  if (rateLimit === undefined) return undefined
  const local = toLocalRateLimits(rateLimit, policy.id)
  if (rateLimit.global === undefined) return { local, global: [] }
  const { name } = rateLimit.global.provider
  const server = servers.get(name)
  if (server !== undefined) return { local, global: toGlobalRateLimits(rateLimit, policy.id, server) }
  const meant = nearest(name, [...servers.keys()])
  const message = `no extension provider of the MeshConfig with "envoyRateLimitGrpc" is called "${name}": nothing is limited by it`
  const hint = meant === undefined ? 'Add it to extensionProviders.' : `Did you mean "${meant}"?`
  const path = ['spec', 'rateLimit', 'global', 'provider', 'name']
  problems.add(documentProblem(policy, 'HDL008', 'error', path, message, hint))
  return { local, global: [] }
}
