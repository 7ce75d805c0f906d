// A filter in TypeScript as written in a Filter document.
import { z } from 'zod'

import { durationMs, durationSchema, ruleIssue } from '../scalars.schema.ts'

/** One of `file` and `code`. */
export interface TypescriptFilterSettings {
  /** Below the document's folder, relative to it. */
  readonly file?: string
  /** The text itself, for documents that come without a folder. */
  readonly code?: string
  readonly config: Readonly<Record<string, unknown>>
  /** Of one call. */
  readonly timeBudget: string
  readonly onError: 'Continue' | 'Refuse'
  readonly maxBodyBytes: number
}

/** What travels in a resource of the configuration. */
export const mostCodeBytes = 262_144

const pathSchema = z
  .string()
  .min(1)
  .max(1024)
  .check((ctx) => {
    const path = ctx.value
    if (!/\.(ts|mts)$/.test(path)) ctx.issues.push(ruleIssue(path, [], `"file" must name a .ts file, found "${path}"`))
    if (path.startsWith('/') || path.includes('\\') || path.split('/').includes('..'))
      ctx.issues.push(ruleIssue(path, [], `"file" must be below the folder of the document, found "${path}"`))
  })

export const typescriptFilterSchema: z.ZodType<TypescriptFilterSettings> = z
  .strictObject({
    file: pathSchema.exactOptional(),
    code: z.string().min(1).max(mostCodeBytes).exactOptional(),
    config: z.record(z.string(), z.unknown()).default({}),
    timeBudget: durationSchema.default('5ms'),
    onError: z.enum(['Continue', 'Refuse']).default('Continue'),
    maxBodyBytes: z.int().min(1).max(1_048_576).default(65_536),
  })
  .check((ctx) => {
    const { file, code, timeBudget } = ctx.value
    if (file === undefined && code === undefined)
      ctx.issues.push(ruleIssue(ctx.value, ['file'], '"file" is missing: expected the path of a .ts file', 'HDL006'))
    if (file !== undefined && code !== undefined)
      ctx.issues.push(ruleIssue(ctx.value, ['code'], '"file" and "code" exclude each other'))
    if (durationMs(timeBudget) === 0)
      ctx.issues.push(
        ruleIssue(ctx.value, ['timeBudget'], '"timeBudget" must be more than 0: no call would be in time'),
      )
  })
