// A filter in TypeScript as written in a Filter document.
import { z } from 'zod'

import { durationSchema } from '../scalars.schema.ts'

export interface TypescriptFilterSettings {
  /** Relative to the document's folder. */
  readonly file: string
  readonly config: Readonly<Record<string, unknown>>
  /** Of one call. */
  readonly timeBudget: string
  readonly onError: 'Continue' | 'Refuse'
}

export const typescriptFilterSchema: z.ZodType<TypescriptFilterSettings> = z.strictObject({
  file: z.string().min(1).max(1024),
  config: z.record(z.string(), z.unknown()).default({}),
  timeBudget: durationSchema.default('5ms'),
  onError: z.enum(['Continue', 'Refuse']).default('Continue'),
})
