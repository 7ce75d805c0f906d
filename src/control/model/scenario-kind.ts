// Scenario (heddle.dev/v1alpha1): what happens to a mesh in a simulation. The running mesh has no use for it.
import { z } from 'zod'

import { durationMs, durationSchema, objectNameSchema, portSchema, ruleIssue } from '../../policies/scalars.schema.ts'

export interface ScenarioSpec {
  readonly seed: number
  readonly duration: string
  /** At the beginning, not counted. */
  readonly warmUp: string
  /** One way, between a proxy and an instance. */
  readonly network: { readonly sameZone: string; readonly otherZone: string }
  readonly applications: readonly ScenarioApplication[]
  readonly clients: readonly ScenarioClient[]
  readonly events: readonly ScenarioEvent[]
  readonly expect: ScenarioExpectations
}

/** How the instances of a workload behave. */
export interface ScenarioApplication {
  readonly workload: string
  /** As many instances are made of the one workload. */
  readonly instances: number
  /** Taken in turn; none: as the workload says. */
  readonly zones: readonly string[]
  readonly serviceTime: ServiceTime
  /** Requests that an instance works on at once. */
  readonly concurrency: number
  /** Requests that wait beyond that; one more is answered with 503. */
  readonly queue: number
  /** What it asks of others for each request, one after another, when its own work is done; where one fails it answers with 502. */
  readonly calls: readonly ScenarioCall[]
}

/** Of one service by another. */
export interface ScenarioCall {
  readonly service: string
  readonly port: number
  /** The others are POST. */
  readonly getPercent: number
  /** After which the application gives up. */
  readonly timeout?: string
}

export type ServiceTime =
  | { readonly distribution: 'Constant' | 'Exponential'; readonly mean: string }
  | { readonly distribution: 'LogNormal'; readonly median: string; readonly p99: string }

export interface ScenarioClient {
  readonly workload: string
  /** Copies of the workload, each with a proxy that learns for itself. */
  readonly proxies: number
  /** Taken in turn; none: as the workload says. */
  readonly zones: readonly string[]
  readonly service: string
  readonly port: number
  /** Requests per second of all copies together, at random times. */
  readonly rate?: number
  /** Callers that each wait for an answer, pause, and ask again. */
  readonly callers?: number
  readonly pause: string
  /** The others are POST. */
  readonly getPercent: number
  /** After which a caller gives up. */
  readonly timeout?: string
}

const scenarioActions = ['Kill', 'Hang', 'Unreachable', 'Slow', 'Fail', 'Deploy', 'Surge'] as const
export type ScenarioAction = (typeof scenarioActions)[number]

export interface ScenarioEvent {
  readonly at: string
  /** Absent: to the end. */
  readonly for?: string
  readonly action: ScenarioAction
  /** Of an application, or with Surge of a client. */
  readonly workload: string
  readonly zone?: string
  /** So many of those in the zone; absent: all. */
  readonly count?: number
  /** Slow: service times are so many times as long. Surge: so many times as many requests. */
  readonly factor: number
  /** Fail: with this status, at once. */
  readonly status: number
  readonly percent: number
  /** Deploy: one instance is replaced after each such time. */
  readonly every: string
  /** Deploy: what an instance has begun it ends, and callers are told before it goes. */
  readonly graceful: boolean
}

/** Of what is counted, over the whole run. */
export interface ScenarioExpectations {
  /** Percent, at least. */
  readonly successRate?: number
  /** At most. */
  readonly p50?: string
  readonly p90?: string
  readonly p99?: string
  /** Attempts per request, at most. */
  readonly retryAmplification?: number
}

const positiveDuration = durationSchema.refine((text) => durationMs(text) > 0, {
  error: 'it must be more than nothing',
})

const serviceTimeSchema: z.ZodType<ServiceTime> = z.discriminatedUnion('distribution', [
  z.strictObject({ distribution: z.literal('Constant'), mean: positiveDuration }),
  z.strictObject({ distribution: z.literal('Exponential'), mean: positiveDuration }),
  z
    .strictObject({ distribution: z.literal('LogNormal'), median: positiveDuration, p99: positiveDuration })
    .check((ctx) => {
      const { median, p99 } = ctx.value
      if (durationMs(p99) <= durationMs(median))
        ctx.issues.push(ruleIssue(p99, ['p99'], `${p99} is no longer than the median, ${median}`))
    }),
])

const callFields = {
  service: objectNameSchema,
  port: portSchema.default(80),
  getPercent: z.number().min(0).max(100).default(100),
  timeout: positiveDuration.exactOptional(),
}

const applicationSchema = z.strictObject({
  workload: objectNameSchema,
  instances: z.int().min(1).max(100_000).default(1),
  zones: z.array(objectNameSchema).max(100).default([]),
  serviceTime: serviceTimeSchema.default({ distribution: 'Exponential', mean: '10ms' }),
  concurrency: z.int().min(1).max(1_000_000).default(8),
  queue: z.int().min(0).max(1_000_000).default(1_000),
  calls: z.array(z.strictObject(callFields)).max(20).default([]),
})

const clientSchema = z
  .strictObject({
    workload: objectNameSchema,
    proxies: z.int().min(1).max(10_000).default(1),
    zones: z.array(objectNameSchema).max(100).default([]),
    ...callFields,
    rate: z.number().gt(0).max(1_000_000).exactOptional(),
    callers: z.int().min(1).max(1_000_000).exactOptional(),
    pause: durationSchema.default('0ms'),
  })
  .check((ctx) => {
    const { rate, callers } = ctx.value
    if (rate !== undefined && callers !== undefined)
      ctx.issues.push(ruleIssue(callers, ['callers'], 'rate and callers exclude each other'))
    if (rate === undefined && callers === undefined)
      ctx.issues.push(ruleIssue(ctx.value, ['rate'], 'one of "rate" and "callers" must be given', 'HDL006'))
  })

const eventSchema = z.strictObject({
  at: durationSchema,
  for: positiveDuration.exactOptional(),
  action: z.enum(scenarioActions),
  workload: objectNameSchema,
  zone: objectNameSchema.exactOptional(),
  count: z.int().min(1).exactOptional(),
  factor: z.number().min(0).max(1_000_000).default(10),
  status: z.int().min(400).max(599).default(503),
  percent: z.number().gt(0).max(100).default(100),
  every: positiveDuration.default('1s'),
  graceful: z.boolean().default(true),
})

export const scenarioFields: z.ZodRawShape = {
  spec: z
    .strictObject({
      seed: z.int().min(0).max(4_294_967_295).default(1),
      duration: positiveDuration.default('60s'),
      warmUp: durationSchema.default('0ms'),
      network: z
        .strictObject({ sameZone: durationSchema.default('0ms'), otherZone: durationSchema.default('1ms') })
        .default({ sameZone: '0ms', otherZone: '1ms' }),
      applications: z.array(applicationSchema).min(1),
      clients: z.array(clientSchema).min(1),
      events: z.array(eventSchema).default([]),
      expect: z
        .strictObject({
          successRate: z.number().min(0).max(100).exactOptional(),
          p50: positiveDuration.exactOptional(),
          p90: positiveDuration.exactOptional(),
          p99: positiveDuration.exactOptional(),
          retryAmplification: z.number().min(1).exactOptional(),
        })
        .default({}),
    })
    .check((ctx) => {
      const { duration, warmUp, events } = ctx.value
      if (durationMs(warmUp) >= durationMs(duration))
        ctx.issues.push(ruleIssue(warmUp, ['warmUp'], `${warmUp} is no shorter than the whole run, ${duration}`))
      for (const [index, { at }] of events.entries())
        if (durationMs(at) >= durationMs(duration))
          ctx.issues.push(
            ruleIssue(at, ['events', index, 'at'], `nothing happens at ${at}: the run ends after ${duration}`),
          )
    }),
}
