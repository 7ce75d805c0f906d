// The form compression of a Filter document, and its translation to the spec.
import { z } from 'zod'

import { ruleIssue } from '../scalars.schema.ts'
import type { CompressionSpec, ContentCoding } from './compression.spec.ts'

type Algorithm = 'Brotli' | 'Zstd' | 'Gzip'

export interface Compression {
  readonly algorithms: readonly { readonly type: Algorithm; readonly level?: number }[]
  readonly contentTypes: readonly string[]
  readonly minContentLength: number
}

interface Levels {
  readonly coding: ContentCoding
  readonly level: number
  readonly most: number
}

/** Levels by default are those that cost about as much as they save on a fast network. */
const algorithms: Readonly<Record<Algorithm, Levels>> = {
  Brotli: { coding: 'br', level: 4, most: 11 },
  Zstd: { coding: 'zstd', level: 3, most: 19 },
  Gzip: { coding: 'gzip', level: 6, most: 9 },
}

/** Text, which gets much smaller, in the types that servers use for it. */
const defaultContentTypes = [
  'text/html',
  'text/plain',
  'text/css',
  'text/csv',
  'text/javascript',
  'text/xml',
  'application/javascript',
  'application/json',
  'application/problem+json',
  'application/xhtml+xml',
  'application/xml',
  'image/svg+xml',
]

const algorithmSchema = z
  .strictObject({ type: z.enum(['Brotli', 'Zstd', 'Gzip']), level: z.int().min(1).exactOptional() })
  .check((ctx) => {
    const { type, level } = ctx.value
    const { most } = algorithms[type]
    if (level !== undefined && level > most)
      ctx.issues.push(ruleIssue(level, ['level'], `the level of ${type} is at most ${most}, found ${level}`))
  })

export const compressionSchema: z.ZodType<Compression> = z.strictObject({
  algorithms: z
    .array(algorithmSchema)
    .min(1)
    .max(3)
    .check((ctx) => {
      for (const [index, { type }] of ctx.value.entries())
        if (ctx.value.slice(0, index).some((earlier) => earlier.type === type))
          ctx.issues.push(ruleIssue(type, [index, 'type'], `${type} occurs twice`, 'HDL007'))
    })
    .default([{ type: 'Brotli' }, { type: 'Gzip' }]),
  contentTypes: z
    .array(
      z
        .string()
        .regex(/^[a-zA-Z0-9!#$&^_.+-]+\/[a-zA-Z0-9!#$&^_.+-]+$/, 'a media type without parameters such as "text/html"')
        .check((ctx) => {
          if (ctx.value.toLowerCase().startsWith('application/grpc'))
            ctx.issues.push(ruleIssue(ctx.value, [], 'gRPC compresses its messages itself', 'HDL010'))
        }),
    )
    .min(1)
    .max(64)
    .default(defaultContentTypes),
  minContentLength: z.int().min(0).max(1_048_576).default(1_024),
})

export function toCompressionSpec(compression: Compression): CompressionSpec {
  return {
    codings: compression.algorithms.map(({ type, level }) => ({
      coding: algorithms[type].coding,
      level: level ?? algorithms[type].level,
    })),
    contentTypes: compression.contentTypes.map((type) => type.toLowerCase()),
    minContentLengthBytes: compression.minContentLength,
  }
}
