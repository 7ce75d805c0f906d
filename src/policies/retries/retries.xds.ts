// Retries ↔ envoy.config.route.v3.RetryPolicy; the budget ↔ CircuitBreakers.Thresholds.RetryBudget.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type {
  CircuitBreakers,
  CircuitBreakers_Thresholds_RetryBudgetSchema,
} from '../../contracts/xds/gen/envoy/config/cluster/v3/circuit_breaker_pb.ts'
import { RoutingPriority } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import type {
  RetryPolicy,
  RetryPolicySchema,
} from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { decodeDuration, encodeDuration } from '../scalars.xds.ts'
import type { TimeoutsInit } from '../timeouts/timeouts.xds.ts'
import type { RetryBudgetSpec, RetrySpec } from './retries.spec.ts'

/** What Heddle's proxy retries by itself, whenever that is safe, said in Envoy's words. */
const retryOn = 'connect-failure,refused-stream,reset-before-request,retriable-status-codes'

/** Envoy's own shorthands for statuses. */
const shorthands: Readonly<Record<string, readonly number[]>> = {
  '5xx': [500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511],
  'gateway-error': [502, 503, 504],
  'retriable-4xx': [409],
}

/** Envoy's conditions for gRPC statuses; it knows no others. */
const grpcConditions: Readonly<Record<string, number>> = {
  cancelled: 1,
  'deadline-exceeded': 4,
  'resource-exhausted': 8,
  internal: 13,
  unavailable: 14,
}

/** RetryPolicy also holds the time for one attempt, with or without retries. Undefined: neither is there. */
export function encodeRetryPolicy(
  spec: RetrySpec | undefined,
  perTryTimeout: TimeoutsInit['perTryTimeout'],
): MessageInitShape<typeof RetryPolicySchema> | undefined {
  const bound = perTryTimeout === undefined ? {} : { perTryTimeout }
  if (spec === undefined) return perTryTimeout === undefined ? undefined : { ...bound, numRetries: 0 }
  return {
    ...bound,
    retryOn: [retryOn, ...encodeGrpcStatuses(spec.grpcStatuses ?? [])].join(','),
    numRetries: spec.attempts,
    retriableStatusCodes: [...spec.statusCodes],
    // Envoy wants more than 0 and takes anything below as 1 ms
    retryBackOff: { baseInterval: spec.backoffMs === 0 ? { nanos: 1 } : encodeDuration(spec.backoffMs) },
  }
}

/** Undefined when nothing is retried. Throws an Error that says what is wrong. */
export function decodeRetryPolicy(policy: RetryPolicy | undefined): RetrySpec | undefined {
  if (policy === undefined || policy.retryOn === '') return undefined
  const baseInterval = policy.retryBackOff?.baseInterval
  const conditions = policy.retryOn.split(',').map((condition) => condition.trim())
  const statusCodes = new Set(conditions.flatMap((condition) => shorthands[condition] ?? []))
  if (conditions.includes('retriable-status-codes'))
    for (const code of policy.retriableStatusCodes) statusCodes.add(code)
  const grpcStatuses = conditions.flatMap((condition) => grpcConditions[condition] ?? [])
  return {
    attempts: policy.numRetries ?? 1,
    statusCodes: [...statusCodes],
    ...(grpcStatuses.length === 0 ? {} : { grpcStatuses }),
    backoffMs: baseInterval === undefined ? 25 : decodeDuration(baseInterval, 'retry_policy: base_interval'),
  }
}

function encodeGrpcStatuses(statuses: readonly number[]): string[] {
  return Object.entries(grpcConditions).flatMap(([condition, status]) => (statuses.includes(status) ? [condition] : []))
}

export function encodeRetryBudget(
  spec: RetryBudgetSpec,
): MessageInitShape<typeof CircuitBreakers_Thresholds_RetryBudgetSchema> {
  return { budgetPercent: { value: spec.percent }, minRetryConcurrency: spec.minConcurrency }
}

/** Envoy's defaults where the cluster says nothing: 20 %, three at least. */
export function decodeRetryBudget(breakers: CircuitBreakers | undefined): RetryBudgetSpec {
  const thresholds = breakers?.thresholds.find(({ priority }) => priority === RoutingPriority.DEFAULT)
  return {
    percent: thresholds?.retryBudget?.budgetPercent?.value ?? 20,
    minConcurrency: thresholds?.retryBudget?.minRetryConcurrency ?? 3,
  }
}
