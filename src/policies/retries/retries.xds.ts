// Retries ↔ envoy.config.route.v3.RetryPolicy; the budget ↔ CircuitBreakers.Thresholds.RetryBudget and heddle.v1.RetryConstraint.
import type { MessageInitShape } from '@bufbuild/protobuf'

import { grpcStatusOfCondition, statusesOfCondition } from '../../contracts/retry-conditions.ts'
import type {
  CircuitBreakers,
  CircuitBreakers_Thresholds_RetryBudgetSchema,
} from '../../contracts/xds/gen/envoy/config/cluster/v3/circuit_breaker_pb.ts'
import type { Metadata, MetadataSchema } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import { RoutingPriority } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import type {
  RetryPolicy,
  RetryPolicySchema,
} from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { RetryConstraintSchema } from '../../contracts/xds/gen/heddle/v1/retry_constraint_pb.ts'
import { decodeDuration, encodeDuration } from '../scalars.xds.ts'
import type { TimeoutsInit } from '../timeouts/timeouts.xds.ts'
import { readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { RetryConstraintSpec, RetrySpec } from './retries.spec.ts'

/** What Heddle's proxy retries by itself, whenever that is safe, said in Envoy's words. */
const retryOn = 'connect-failure,refused-stream,reset-before-request,retriable-status-codes'

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
  const statusCodes = new Set(conditions.flatMap((condition) => statusesOfCondition[condition] ?? []))
  if (conditions.includes('retriable-status-codes'))
    for (const code of policy.retriableStatusCodes) statusCodes.add(code)
  const grpcStatuses = conditions.flatMap((condition) => grpcStatusOfCondition[condition] ?? [])
  return {
    attempts: policy.numRetries ?? 1,
    statusCodes: [...statusCodes],
    ...(grpcStatuses.length === 0 ? {} : { grpcStatuses }),
    backoffMs: baseInterval === undefined ? 25 : decodeDuration(baseInterval, 'retry_policy: base_interval'),
  }
}

function encodeGrpcStatuses(statuses: readonly number[]): string[] {
  return Object.entries(grpcStatusOfCondition).flatMap(([condition, status]) =>
    statuses.includes(status) ? [condition] : [],
  )
}

const constraintKey = 'heddle.retry_constraint'

type TypedMetadata = NonNullable<MessageInitShape<typeof MetadataSchema>['typedFilterMetadata']>

/** What Envoy and others take of it: it counts what is under way. */
export function encodeRetryBudget(
  spec: RetryConstraintSpec,
): MessageInitShape<typeof CircuitBreakers_Thresholds_RetryBudgetSchema> {
  return { budgetPercent: { value: spec.percent }, minRetryConcurrency: spec.minRetries }
}

/** All of it, in the metadata of the cluster. */
export function encodeRetryConstraint(spec: RetryConstraintSpec): TypedMetadata {
  const { percent, intervalMs, minRetries, minIntervalMs } = spec
  const interval = encodeDuration(intervalMs)
  const minInterval = encodeDuration(minIntervalMs)
  return { [constraintKey]: typedConfig(RetryConstraintSchema, { percent, interval, minRetries, minInterval }) }
}

/** Of a cluster that has only Envoy's budget, its numbers over our intervals; of one that has none, Envoy's defaults: 20 %, three at least. */
export function decodeRetryConstraint(
  metadata: Metadata | undefined,
  breakers: CircuitBreakers | undefined,
): RetryConstraintSpec {
  const typed = metadata?.typedFilterMetadata[constraintKey]
  if (typed === undefined) {
    const thresholds = breakers?.thresholds.find(({ priority }) => priority === RoutingPriority.DEFAULT)
    return {
      percent: thresholds?.retryBudget?.budgetPercent?.value ?? 20,
      intervalMs: 10_000,
      minRetries: thresholds?.retryBudget?.minRetryConcurrency ?? 3,
      minIntervalMs: 1_000,
    }
  }
  const { percent, interval, minRetries, minInterval } = readTypedConfig(typed, RetryConstraintSchema, constraintKey)
  const intervalMs = interval === undefined ? 0 : decodeDuration(interval, `${constraintKey}: interval`)
  const minIntervalMs = minInterval === undefined ? 0 : decodeDuration(minInterval, `${constraintKey}: min_interval`)
  if (intervalMs === 0 || minIntervalMs === 0) throw new Error(`${constraintKey}: an interval is 0`)
  return { percent, intervalMs, minRetries, minIntervalMs }
}
