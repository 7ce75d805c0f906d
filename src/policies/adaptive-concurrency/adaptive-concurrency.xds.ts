// Adaptive concurrency ↔ Envoy's AdaptiveConcurrency, in the metadata of the cluster that is the application.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { Metadata, MetadataSchema } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import { AdaptiveConcurrencySchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/adaptive_concurrency/v3/adaptive_concurrency_pb.ts'
import { decodeDuration, encodeDuration } from '../scalars.xds.ts'
import { readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { AdaptiveConcurrencySpec } from './adaptive-concurrency.spec.ts'

const key = 'envoy.filters.http.adaptive_concurrency'

type TypedMetadata = NonNullable<MessageInitShape<typeof MetadataSchema>['typedFilterMetadata']>

export function encodeAdaptiveConcurrency(spec: AdaptiveConcurrencySpec | undefined): TypedMetadata {
  if (spec === undefined) return {}
  const { intervalMs, requestCount, jitterPercent, minConcurrency, bufferPercent } = spec.minRtt
  const value = {
    sampleAggregatePercentile: { value: spec.sampleAggregatePercentile },
    concurrencyLimitParams: {
      maxConcurrencyLimit: spec.maxConcurrencyLimit,
      concurrencyUpdateInterval: encodeDuration(spec.concurrencyUpdateIntervalMs),
    },
    minRttCalcParams: {
      interval: encodeDuration(intervalMs),
      requestCount,
      jitter: { value: jitterPercent },
      minConcurrency,
      buffer: { value: bufferPercent },
    },
  }
  const concurrencyControllerConfig = { case: 'gradientControllerConfig' as const, value }
  return { [key]: typedConfig(AdaptiveConcurrencySchema, { concurrencyControllerConfig }) }
}

/** What is absent is as Envoy has it. Undefined: there is no limit. Throws an Error that says what is wrong. */
export function decodeAdaptiveConcurrency(metadata: Metadata | undefined): AdaptiveConcurrencySpec | undefined {
  const typed = metadata?.typedFilterMetadata[key]
  if (typed === undefined) return undefined
  const { concurrencyControllerConfig: controller } = readTypedConfig(typed, AdaptiveConcurrencySchema, key)
  if (controller.case !== 'gradientControllerConfig') throw new Error(`${key}: expected a gradient_controller_config`)
  const { sampleAggregatePercentile, concurrencyLimitParams: limit, minRttCalcParams: minRtt } = controller.value
  if (limit?.concurrencyUpdateInterval === undefined || minRtt?.interval === undefined)
    throw new Error(`${key}: expected a concurrency_update_interval and an interval of min_rtt_calc_params`)
  return {
    sampleAggregatePercentile: sampleAggregatePercentile?.value ?? 50,
    maxConcurrencyLimit: limit.maxConcurrencyLimit ?? 1_000,
    concurrencyUpdateIntervalMs: decodeDuration(limit.concurrencyUpdateInterval, `${key}: concurrency_update_interval`),
    minRtt: {
      intervalMs: decodeDuration(minRtt.interval, `${key}: interval`),
      requestCount: minRtt.requestCount ?? 50,
      jitterPercent: minRtt.jitter?.value ?? 15,
      minConcurrency: minRtt.minConcurrency ?? 3,
      bufferPercent: minRtt.buffer?.value ?? 25,
    },
  }
}
