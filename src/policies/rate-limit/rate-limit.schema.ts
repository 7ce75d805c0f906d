// `rateLimit` of a TrafficPolicy as written, and its translation to the specs.
import { z } from 'zod'

import { durationMs, durationSchema, headerNameSchema, ruleIssue, uniqueNames } from '../scalars.schema.ts'
import type { DescriptorEntrySpec, DescriptorSource, LocalRateLimitSpec } from './rate-limit.spec.ts'

export interface RateLimitSettings {
  readonly local: readonly LocalLimit[]
}

export interface LocalLimit {
  readonly name: string
  readonly tokenBucket: {
    readonly maxTokens: number
    readonly tokensPerFill: number
    readonly fillInterval: string
  }
  readonly descriptor: readonly DescriptorEntry[]
  readonly dryRun: boolean
}

export interface DescriptorEntry {
  readonly type: 'Caller' | 'Header' | 'Method' | 'Path' | 'Address' | 'Claim'
  readonly name?: string
  readonly value?: string
}

const most = 1_000_000_000
const named: ReadonlySet<DescriptorEntry['type']> = new Set(['Header', 'Claim'])

const entrySchema = z
  .strictObject({
    type: z.enum(['Caller', 'Header', 'Method', 'Path', 'Address', 'Claim']),
    name: z.string().min(1).max(256).exactOptional(),
    value: z.string().min(1).max(4096).exactOptional(),
  })
  .check((ctx) => {
    const { type, name } = ctx.value
    if (named.has(type) && name === undefined)
      ctx.issues.push(ruleIssue(ctx.value, [], `"name" of the ${type.toLowerCase()} is missing`, 'HDL006'))
    if (!named.has(type) && name !== undefined)
      ctx.issues.push(ruleIssue(name, ['name'], `"name" is for Header and Claim, not for ${type}`))
    if (type === 'Header' && name !== undefined && !headerNameSchema.safeParse(name).success)
      ctx.issues.push(ruleIssue(name, ['name'], `"${name}" is not a header name`))
  })

const descriptorSchema = z
  .array(entrySchema)
  .max(8)
  .check((ctx) => {
    const seen = new Set<string>()
    for (const [index, { type, name }] of ctx.value.entries()) {
      const source = JSON.stringify([type, name])
      if (seen.has(source)) ctx.issues.push(ruleIssue(ctx.value, [index], 'the same is there already'))
      seen.add(source)
    }
  })

const tokensSchema = z.int().min(1).max(most)
/** Envoy wants 50 ms at least. */
const leastFillMs = 50

const localLimitSchema = z.strictObject({
  name: z
    .string()
    .max(63)
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'a name of lower-case letters, digits and "-"')
    .default('default'),
  tokenBucket: z.strictObject({
    maxTokens: tokensSchema,
    tokensPerFill: tokensSchema,
    fillInterval: durationSchema.refine(
      (interval) => durationMs(interval) >= leastFillMs,
      '"fillInterval" must be 50ms or more',
    ),
  }),
  descriptor: descriptorSchema.default([]),
  dryRun: z.boolean().default(false),
})

export const rateLimitSchema: z.ZodType<RateLimitSettings> = z.strictObject({
  local: z.array(localLimitSchema).min(1).max(16).check(uniqueNames()),
})

/** `policy`: "TrafficPolicy/default/reviews". */
export function toLocalRateLimits({ local }: RateLimitSettings, policy: string): LocalRateLimitSpec[] {
  return local.map(({ name, tokenBucket, descriptor, dryRun }) => ({
    name: `${policy}/${name}`,
    tokenBucket: {
      maxTokens: tokenBucket.maxTokens,
      tokensPerFill: tokenBucket.tokensPerFill,
      fillIntervalMs: durationMs(tokenBucket.fillInterval),
    },
    descriptor: toDescriptor(descriptor),
    enforcedShare: dryRun ? 0 : 1_000_000,
  }))
}

function toDescriptor(entries: readonly DescriptorEntry[]): DescriptorEntrySpec[] {
  return entries.map(({ type, name = '', value }) => ({
    ...sourceOf(type, name),
    ...(value === undefined ? {} : { value }),
  }))
}

function sourceOf(type: DescriptorEntry['type'], name: string): { key: string; by: DescriptorSource } {
  switch (type) {
    case 'Caller':
      return { key: 'caller', by: { kind: 'caller' } }
    case 'Header':
      return { key: name.toLowerCase(), by: { kind: 'header', name: name.toLowerCase() } }
    case 'Method':
      return { key: 'method', by: { kind: 'method' } }
    case 'Path':
      return { key: 'path', by: { kind: 'path' } }
    case 'Address':
      return { key: 'remote_address', by: { kind: 'address' } }
    case 'Claim':
    default:
      return { key: name, by: { kind: 'claim', path: name.split('.') } }
  }
}
