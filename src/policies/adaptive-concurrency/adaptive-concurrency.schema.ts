// `adaptiveConcurrency` of a TrafficPolicy as written, and its translation to the spec.
import { z } from 'zod'

import { durationMs, durationSchema, ruleIssue } from '../scalars.schema.ts'
import type { AdaptiveConcurrencySpec } from './adaptive-concurrency.spec.ts'

export interface AdaptiveConcurrencySettings {
  readonly sampleAggregatePercentile: number
  readonly maxConcurrencyLimit: number
  readonly concurrencyUpdateInterval: string
  readonly minRtt: {
    readonly interval: string
    readonly requestCount: number
    readonly jitterPercent: number
    readonly minConcurrency: number
    readonly bufferPercent: number
  }
}

const count = z.int().min(1).max(1_000_000)

function period(shortestMs: number): z.ZodType<string> {
  return durationSchema.refine((text) => durationMs(text) >= shortestMs, { error: `at least ${shortestMs}ms` })
}

export const adaptiveConcurrencySchema: z.ZodType<AdaptiveConcurrencySettings> = z
  .strictObject({
    sampleAggregatePercentile: z.number().min(1).max(99).default(50),
    maxConcurrencyLimit: count.default(1_000),
    concurrencyUpdateInterval: period(10).default('100ms'),
    minRtt: z
      .strictObject({
        interval: period(1_000).default('15s'),
        requestCount: z.int().min(5).max(250).default(25),
        jitterPercent: z.number().min(0).max(100).default(15),
        minConcurrency: count.default(3),
        bufferPercent: z.number().min(1).max(500).default(100),
      })
      .prefault({}),
  })
  .check((ctx) => {
    const { maxConcurrencyLimit, minRtt } = ctx.value
    if (minRtt.minConcurrency <= maxConcurrencyLimit) return
    const message = `"minConcurrency" (${minRtt.minConcurrency}) is more than "maxConcurrencyLimit" (${maxConcurrencyLimit})`
    ctx.issues.push(ruleIssue(ctx.value, ['minRtt', 'minConcurrency'], message))
  })

export function toAdaptiveConcurrencySpec(settings: AdaptiveConcurrencySettings): AdaptiveConcurrencySpec {
  const { sampleAggregatePercentile, maxConcurrencyLimit, concurrencyUpdateInterval, minRtt } = settings
  const { interval, ...measured } = minRtt
  return {
    sampleAggregatePercentile,
    maxConcurrencyLimit,
    concurrencyUpdateIntervalMs: durationMs(concurrencyUpdateInterval),
    minRtt: { intervalMs: durationMs(interval), ...measured },
  }
}
