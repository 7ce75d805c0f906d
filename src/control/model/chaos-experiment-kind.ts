// ChaosExperiment (heddle.dev/v1alpha1): faults for a while, to see whether callers bear them. They end at once when callers do not.
import { z } from 'zod'

import { parseRfc3339 } from '../../core/rfc3339.ts'
import { faultsSchema } from '../../policies/faults/faults.schema.ts'
import type { FaultsSettings } from '../../policies/faults/faults.schema.ts'
import {
  durationMs,
  durationSchema,
  groupNameSchema,
  kindNameSchema,
  objectNameSchema,
  ruleIssue,
} from '../../policies/scalars.schema.ts'
import { targetRefsSchema } from './policy-kinds.ts'
import type { PolicyTargetReference } from './policy-kinds.ts'

export interface ChaosExperimentSpec {
  /** Whose callers suffer. */
  readonly targetRefs: readonly PolicyTargetReference[]
  readonly faults: FaultsSettings
  /** Of the requests that `faults` selects by callers and headers, no more may suffer. */
  readonly maxAffectedPercent: number
  readonly hypothesis: ChaosHypothesis
  /** How long the hypothesis has to hold before; "0s": it starts at once. */
  readonly steadyState: string
  readonly duration: string
  /** RFC 3339; absent: as soon as it may. */
  readonly startTime?: string
  readonly suspend: boolean
}

/** What callers of a Service see. */
export interface ChaosHypothesis {
  /** Absent: the only target. */
  readonly targetRef?: { readonly group: string; readonly kind: string; readonly name: string }
  /** Percent of the requests, at least. */
  readonly successRate?: number
  /** At most. */
  readonly p99?: string
  /** Of the newest requests it is judged by. */
  readonly window: string
  /** With fewer of them it is not known, which ends an experiment as well. */
  readonly minRequests: number
}

/** What is observed is kept in seconds for so long. */
const longestWindowMs = 15 * 60_000
const longestMs = 24 * 3_600_000
/** The statuses that count against the server, where a caller speaks gRPC. */
const serverFaults: ReadonlySet<string> = new Set([
  'UNKNOWN',
  'DEADLINE_EXCEEDED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
])

function durationWithin(leastMs: number, mostMs: number, expected: string): z.ZodType<string> {
  return durationSchema.refine((text) => durationMs(text) >= leastMs && durationMs(text) <= mostMs, { error: expected })
}

const timeSchema = z.string().refine((text) => parseRfc3339(text) !== undefined, {
  error: 'it must be a time such as "2030-01-31T02:00:00Z"',
})

const hypothesisSchema = z
  .strictObject({
    targetRef: z
      .strictObject({
        group: groupNameSchema.default(''),
        kind: kindNameSchema.default('Service'),
        name: objectNameSchema,
      })
      .exactOptional(),
    successRate: z.number().gt(0).max(100).exactOptional(),
    p99: durationSchema
      .refine((text) => durationMs(text) > 0, { error: 'it must be more than nothing' })
      .exactOptional(),
    window: durationWithin(1_000, longestWindowMs, 'it must be from 1s to 15m').default('10s'),
    minRequests: z.int().min(1).max(1_000_000).default(20),
  })
  .check((ctx) => {
    const { successRate, p99 } = ctx.value
    if (successRate === undefined && p99 === undefined)
      ctx.issues.push(ruleIssue(ctx.value, [], 'Give one of "successRate", "p99"', 'HDL006'))
  })

export const chaosExperimentFields: z.ZodRawShape = {
  spec: z
    .strictObject({
      targetRefs: targetRefsSchema,
      faults: faultsSchema,
      maxAffectedPercent: z.number().gt(0).max(100).default(50),
      hypothesis: hypothesisSchema,
      steadyState: durationWithin(0, longestMs, 'it must be at most 24h').default('30s'),
      duration: durationWithin(1_000, longestMs, 'it must be from 1s to 24h'),
      startTime: timeSchema.exactOptional(),
      suspend: z.boolean().default(false),
    })
    .check((ctx) => {
      const { faults, maxAffectedPercent, hypothesis, steadyState, duration } = ctx.value
      const refuse = (path: PropertyKey[], message: string): void =>
        void ctx.issues.push(ruleIssue(ctx.value, path, message))
      const { window } = hypothesis
      if (durationMs(duration) < durationMs(window))
        refuse(
          ['duration'],
          `"duration" ${duration} is shorter than the window that the hypothesis is judged by, ${window}`,
        )
      if (durationMs(steadyState) > 0 && durationMs(steadyState) < durationMs(window))
        refuse(
          ['steadyState'],
          `"steadyState" ${steadyState} is shorter than the window that the hypothesis is judged by, ${window}`,
        )
      const { delay, abort, reset, responseRateLimit } = faults
      const affected = together([delay, abort, reset, responseRateLimit].map((fault) => fault?.percent ?? 0))
      if (affected > maxAffectedPercent)
        refuse(
          ['faults'],
          `up to ${affected} % of the requests suffer, "maxAffectedPercent" is ${maxAffectedPercent}: give the faults a "percent", or raise it`,
        )
      for (const [path, message] of impossibilities(ctx.value)) refuse(path, message)
    }),
}

/** Each fault is drawn for itself. */
function together(percents: readonly number[]): number {
  const spared = percents.reduce((left, percent) => left * (1 - percent / 100), 1)
  return Math.round((1 - spared) * 1e6) / 1e4
}

/** A hypothesis that the faults themselves break, whatever callers do: they are counted where they happen. */
function impossibilities({
  targetRefs,
  faults,
  hypothesis,
}: Pick<ChaosExperimentSpec, 'targetRefs' | 'faults' | 'hypothesis'>): readonly [PropertyKey[], string][] {
  const { targetRef, successRate, p99 } = hypothesis
  const [only] = targetRefs
  const judgesTarget = targetRefs.length === 1 && (targetRef === undefined || targetRef.name === only?.name)
  // of some callers, or of some requests: they may be few
  if (!judgesTarget || faults.callers !== undefined || faults.headers.length > 0) return []
  const found: [PropertyKey[], string][] = []
  const failing = failingPercent(faults)
  const where = 'of the very service that is judged: name one in front of it in "targetRef"'
  if (successRate !== undefined && successRate > 100 - failing)
    found.push([
      ['hypothesis', 'successRate'],
      `"successRate" ${successRate} cannot hold: the faults fail ${failing} % of the requests ${where}`,
    ])
  const { fixedDelay, percent = 0 } = faults.delay ?? {}
  if (p99 !== undefined && fixedDelay !== undefined && percent > 1 && durationMs(fixedDelay) >= durationMs(p99))
    found.push([
      ['hypothesis', 'p99'],
      `"p99" ${p99} cannot hold: "delay" adds ${fixedDelay} to ${percent} % of the requests ${where}`,
    ])
  return found
}

function failingPercent({ abort, reset }: FaultsSettings): number {
  const { httpStatus = 0, grpcStatus = '', percent = 0 } = abort ?? {}
  return together([httpStatus >= 500 || serverFaults.has(grpcStatus) ? percent : 0, reset?.percent ?? 0])
}
