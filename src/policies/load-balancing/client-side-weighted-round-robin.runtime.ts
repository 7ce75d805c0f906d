// Turns by what endpoints report of their load (ORCA; gRFC A58): who serves more for less utilisation gets more.
import type { FinishedAttempt, LoadBalancedEndpoint } from '../../contracts/load-balancer.ts'
import type { Clock } from '../../core/clock.ts'
import type { Random } from '../../core/random.ts'
import { compileTurns } from './earliest-deadline.runtime.ts'
import type { LoadBalancingSpec } from './load-balancing.spec.ts'
import { parseLoadReport } from './load-report.runtime.ts'

type ByReports = Extract<LoadBalancingSpec, { kind: 'client-side-weighted-round-robin' }>

export function compileReportedTurns<E extends LoadBalancedEndpoint>(
  endpoints: readonly E[],
  spec: ByReports,
  clock: Clock,
  random: Random,
): () => E {
  const weights = new Float64Array(endpoints.length).fill(1)
  const nextTurn = compileTurns([...weights.keys()], (index) => weights[index] as number, random)
  let updateAtMs = -Infinity
  return () => {
    const nowMs = clock.monotonicMs()
    if (nowMs >= updateAtMs) {
      updateAtMs = nowMs + spec.weightUpdateMs
      updateWeights(weights, endpoints, spec, nowMs)
    }
    return endpoints[nextTurn()] as E
  }
}

/** Around 1, so that turns under way keep their meaning. An endpoint without a report counts as the average of the others. */
function updateWeights(
  weights: Float64Array,
  endpoints: readonly LoadBalancedEndpoint[],
  { blackoutMs, weightExpirationMs }: ByReports,
  nowMs: number,
): void {
  let sum = 0
  let known = 0
  for (const [i, endpoint] of endpoints.entries()) {
    const { reportedWeight, reportedSinceMs, reportedAtMs } = endpoint
    const current = nowMs - reportedAtMs < weightExpirationMs && nowMs - reportedSinceMs >= blackoutMs
    weights[i] = current ? reportedWeight : 0
    sum += weights[i]
    if (weights[i] !== 0) known++
  }
  for (const [i, { weight }] of endpoints.entries())
    weights[i] = known < 2 ? weight : ((weights[i] || sum / known) * known * weight) / sum
}

export function observeLoad(
  endpoint: LoadBalancedEndpoint,
  { loadReport }: FinishedAttempt,
  { weightExpirationMs, errorUtilizationPenalty }: ByReports,
  nowMs: number,
): void {
  const report = loadReport === undefined ? undefined : parseLoadReport(loadReport)
  if (report === undefined) return
  const { utilization, requestsPerSecond, errorsPerSecond } = report
  const penalty = (errorsPerSecond / requestsPerSecond) * errorUtilizationPenalty
  if (nowMs - endpoint.reportedAtMs >= weightExpirationMs) endpoint.reportedSinceMs = nowMs
  endpoint.reportedAtMs = nowMs
  endpoint.reportedWeight = requestsPerSecond / (utilization + penalty)
}
