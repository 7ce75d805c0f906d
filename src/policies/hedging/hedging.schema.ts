// `hedging` of a TrafficPolicy as written, and its translation to the spec.
import { z } from 'zod'

import { durationMs, durationSchema } from '../scalars.schema.ts'
import type { HedgingSpec } from './hedging.spec.ts'

export interface HedgingSettings {
  readonly mode: 'Auto' | 'Off'
  readonly percentile: number
  readonly factor: number
  readonly minDelay: string
}

/** Of destinations without a policy: far enough out that what is merely slow is left alone. */
export const defaultHedging: HedgingSpec = { percentile: 99, factor: 3, minDelayMs: 1_000 }

export const hedgingSchema: z.ZodType<HedgingSettings> = z.strictObject({
  mode: z.enum(['Auto', 'Off']).default('Auto'),
  percentile: z.number().min(50).max(99.99).default(defaultHedging.percentile),
  factor: z.number().min(1).max(100).default(defaultHedging.factor),
  minDelay: durationSchema
    .refine((text) => durationMs(text) > 0, { error: '"minDelay" must be more than nothing' })
    .default('1s'),
})

/** Undefined: nothing is hedged. */
export function toHedgingSpec({ mode, percentile, factor, minDelay }: HedgingSettings): HedgingSpec | undefined {
  return mode === 'Off' ? undefined : { percentile, factor, minDelayMs: durationMs(minDelay) }
}
