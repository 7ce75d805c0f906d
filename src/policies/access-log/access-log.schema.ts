// The access log as written in MeshConfig.
import { z } from 'zod'

import { defaultLineFormat, parseLineFormat } from '../../contracts/access-log-format.ts'
import { recordFields } from '../../contracts/record-fields.ts'
import { celConditionSchema } from '../cel-condition.schema.ts'
import { ruleIssue } from '../scalars.schema.ts'
import type { TraceCollectorSpec } from '../tracing/tracing.spec.ts'
import type { AccessLogOutput, AccessLogSpec, JsonLineFormat } from './access-log.spec.ts'

export interface AccessLogSettings {
  readonly enabled: boolean
  readonly samplePercent: number
  /** In CEL, on fields of the decision record. */
  readonly matches?: string
  readonly encoding: 'JSON' | 'TEXT'
  /** Of TEXT. */
  readonly format?: string
  /** Of JSON: which fields there are. */
  readonly json?: JsonLineFormat
  readonly file?: AccessLogFile
  /** One of the extensionProviders, with `opentelemetry`. */
  readonly provider?: { readonly name: string }
}

export interface AccessLogFile {
  readonly path: string
  readonly rotateAtMiB: number
  readonly keptFiles: number
}

const formatSchema = z
  .string()
  .min(1)
  .max(4096)
  .check((ctx) => {
    const parsed = parseLineFormat(ctx.value)
    if (typeof parsed === 'string') ctx.issues.push(ruleIssue(ctx.value, [], parsed))
  })

const mostFields = 100
/** Maps within maps. */
const deepest = 4

function jsonFieldsSchema(depth: number): z.ZodType<JsonLineFormat> {
  const field = depth === deepest ? formatSchema : z.union([formatSchema, jsonFieldsSchema(depth + 1)])
  return z
    .record(z.string().min(1).max(256), field)
    .refine((fields) => Object.keys(fields).length <= mostFields, `at most ${mostFields} fields`)
}

const fileSchema: z.ZodType<AccessLogFile> = z.strictObject({
  // a document must not make proxies append to what other programs read
  path: z
    .string()
    .max(1024)
    .regex(/^(?:\/(?!\.{1,2}(?:\/|$))[^\0/]+)+(?<=[^/]\.log)$/, 'an absolute path that ends in ".log"'),
  rotateAtMiB: z.int().min(1).max(65_536).default(16),
  keptFiles: z.int().min(0).max(100).default(3),
})

const samplePercentSchema = z.number().min(0).max(100)
const encodingSchema = z.enum(['JSON', 'TEXT'])
const withoutDefaults = {
  matches: celConditionSchema(recordFields).exactOptional(),
  format: formatSchema.exactOptional(),
  json: jsonFieldsSchema(1).exactOptional(),
  file: fileSchema.exactOptional(),
  provider: z.strictObject({ name: z.string().min(1).max(253) }).exactOptional(),
}

/** One in a hundred by default: enough to see what traffic there is, cheap enough to leave on. */
export const accessLogSchema: z.ZodType<AccessLogSettings> = z
  .strictObject({
    enabled: z.boolean().default(true),
    samplePercent: samplePercentSchema.default(1),
    encoding: encodingSchema.default('JSON'),
    ...withoutDefaults,
  })
  .check(checkAccessLog)

/** Of a document that leaves what it does not say to others. */
export const accessLogFields: z.ZodRawShape = {
  samplePercent: samplePercentSchema.exactOptional(),
  encoding: encodingSchema.exactOptional(),
  ...withoutDefaults,
}

export function checkAccessLog(ctx: z.core.ParsePayload<Partial<AccessLogSettings>>): void {
  const { encoding, format, json, file, provider } = ctx.value
  if (format !== undefined && encoding !== 'TEXT')
    ctx.issues.push(ruleIssue(format, ['format'], '"format" is of encoding TEXT'))
  if (json !== undefined && encoding === 'TEXT')
    ctx.issues.push(ruleIssue(json, ['json'], '"json" is of encoding JSON'))
  if (file !== undefined && provider !== undefined)
    ctx.issues.push(ruleIssue(ctx.value, ['provider'], 'Give either "file" or "provider"', 'HDL006'))
}

/** `collector`: the provider that it names; without it, lines are in the proxy's output. */
export function toAccessLogSpec(settings: AccessLogSettings, collector: TraceCollectorSpec | undefined): AccessLogSpec {
  const { enabled, samplePercent, matches, encoding, format, json } = settings
  const output = outputOf(settings, collector)
  return {
    enabled,
    samplePercent,
    ...(matches === undefined ? {} : { matches }),
    ...(encoding === 'TEXT' ? { format: format ?? defaultLineFormat } : {}),
    ...(json === undefined ? {} : { json }),
    ...(output === undefined ? {} : { output }),
  }
}

const bytesInMiB = 1024 * 1024

function outputOf({ file }: AccessLogSettings, collector: TraceCollectorSpec | undefined): AccessLogOutput | undefined {
  if (collector !== undefined) return { kind: 'collector', collector }
  if (file === undefined) return undefined
  const { path, rotateAtMiB, keptFiles } = file
  return { kind: 'file', path, rotation: { longestBytes: rotateAtMiB * bytesInMiB, keptFiles } }
}
