// `outlierDetection` of a TrafficPolicy as written (the names are Istio's where it has one), and its translation to the spec.
import { z } from 'zod'

import { durationMs, durationSchema, ruleIssue } from '../scalars.schema.ts'
import type { OutlierDetectionSpec } from './outlier-detection.spec.ts'

export interface OutlierDetectionSettings {
  readonly consecutive5xxErrors: number
  readonly consecutiveGatewayErrors: number
  readonly splitExternalLocalOriginErrors: boolean
  readonly consecutiveLocalOriginFailures: number
  readonly interval: string
  readonly baseEjectionTime: string
  readonly maxEjectionTime: string
  readonly maxEjectionPercent: number
  readonly successRate?: NonNullable<OutlierDetectionSpec['successRate']>
  readonly failurePercentage?: NonNullable<OutlierDetectionSpec['failurePercentage']>
  readonly latency?: NonNullable<OutlierDetectionSpec['latency']>
}

/** Of destinations without a policy. A status of 500 may be the request's fault, so that only 502, 503 and 504 count. */
export const defaultOutlierDetection: OutlierDetectionSpec = {
  consecutive5xx: 0,
  consecutiveGatewayErrors: 5,
  consecutiveLocalOriginFailures: 0,
  splitLocalOrigin: false,
  intervalMs: 10_000,
  baseEjectionMs: 10_000,
  maxEjectionMs: 300_000,
  maxEjectionPercent: 50,
}

const count = z.int().min(0).max(10_000)
const comparison = {
  minimumHosts: z.int().min(2).max(10_000).default(3),
  requestVolume: z.int().min(1).max(1_000_000).default(50),
}

export const outlierDetectionSchema: z.ZodType<OutlierDetectionSettings> = z
  .strictObject({
    consecutive5xxErrors: count.default(0),
    consecutiveGatewayErrors: count.default(5),
    splitExternalLocalOriginErrors: z.boolean().default(false),
    consecutiveLocalOriginFailures: count.default(5),
    interval: durationSchema.default('10s'),
    baseEjectionTime: durationSchema.default('10s'),
    maxEjectionTime: durationSchema.default('5m'),
    maxEjectionPercent: z.int().min(0).max(100).default(50),
    successRate: z
      .strictObject({ ...comparison, stdevFactor: z.int().min(1).max(100_000).default(1900) })
      .exactOptional(),
    failurePercentage: z
      .strictObject({ ...comparison, threshold: z.int().min(1).max(100).default(85) })
      .exactOptional(),
    latency: z.strictObject({ ...comparison, factor: z.number().min(1.5).max(1000).default(5) }).exactOptional(),
  })
  .check((ctx) => {
    const { interval, baseEjectionTime, maxEjectionTime } = ctx.value
    const { consecutiveGatewayErrors: gateway, consecutive5xxErrors: all } = ctx.value
    for (const field of ['interval', 'baseEjectionTime', 'maxEjectionTime'] as const)
      if (durationMs(ctx.value[field]) === 0)
        ctx.issues.push(ruleIssue(ctx.value[field], [field], `"${field}" must be more than nothing`))
    if (durationMs(baseEjectionTime) > durationMs(maxEjectionTime)) {
      const message = `${baseEjectionTime} is longer than the longest ejection, ${maxEjectionTime}`
      ctx.issues.push(ruleIssue(ctx.value, ['baseEjectionTime'], message))
    }
    if (all > 0 && gateway > all) {
      const message = `never met: ${all} errors of any kind eject before ${gateway} of 502, 503 and 504 do`
      ctx.issues.push(ruleIssue(ctx.value, ['consecutiveGatewayErrors'], message))
    }
    if (durationMs(interval) > 3_600_000)
      ctx.issues.push(
        ruleIssue(interval, ['interval'], `${interval} is longer than an hour: nothing would ever be compared`),
      )
  })

export function toOutlierDetectionSpec(settings: OutlierDetectionSettings): OutlierDetectionSpec {
  const { successRate, failurePercentage, latency, splitExternalLocalOriginErrors: split } = settings
  return {
    consecutive5xx: settings.consecutive5xxErrors,
    consecutiveGatewayErrors: settings.consecutiveGatewayErrors,
    consecutiveLocalOriginFailures: split ? settings.consecutiveLocalOriginFailures : 0,
    splitLocalOrigin: split,
    intervalMs: durationMs(settings.interval),
    baseEjectionMs: durationMs(settings.baseEjectionTime),
    maxEjectionMs: durationMs(settings.maxEjectionTime),
    maxEjectionPercent: settings.maxEjectionPercent,
    ...(successRate === undefined ? {} : { successRate }),
    ...(failurePercentage === undefined ? {} : { failurePercentage }),
    ...(latency === undefined ? {} : { latency }),
  }
}
