// `rateLimit` of a TrafficPolicy as written, and its translation to the specs.
import { z } from 'zod'

import { durationMs, durationSchema, headerNameSchema, ruleIssue, uniqueNames } from '../scalars.schema.ts'
import type {
  DescriptorActionSpec,
  DescriptorEntrySpec,
  DescriptorSource,
  GlobalRateLimitSpec,
  LocalRateLimitSpec,
  RateLimitServerSpec,
} from './rate-limit.spec.ts'

export interface RateLimitSettings {
  readonly local: readonly LocalLimit[]
  /** Which responses say what is left of the local limits. */
  readonly headers: 'OnRefusal' | 'Always'
  readonly global?: GlobalLimit
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
  readonly shared: boolean
}

export interface GlobalLimit {
  readonly provider: { readonly name: string }
  readonly domain: string
  readonly descriptors: readonly (readonly GlobalEntry[])[]
}

export interface GlobalEntry {
  readonly type: SourceType | 'Constant'
  readonly name?: string
  readonly key?: string
  readonly value?: string
}

type SourceType = 'Caller' | 'Header' | 'Method' | 'Path' | 'Address' | 'Claim'

export interface DescriptorEntry {
  readonly type: SourceType
  readonly name?: string
  readonly value?: string
}

const most = 1_000_000_000
const named: ReadonlySet<GlobalEntry['type']> = new Set(['Header', 'Claim'])
const sourceTypes = ['Caller', 'Header', 'Method', 'Path', 'Address', 'Claim'] as const

const entrySchema = z
  .strictObject({
    type: z.enum(sourceTypes),
    name: z.string().min(1).max(256).exactOptional(),
    value: z.string().min(1).max(4096).exactOptional(),
  })
  .check(checkName)

const globalEntrySchema = z
  .strictObject({
    type: z.enum([...sourceTypes, 'Constant']),
    name: z.string().min(1).max(256).exactOptional(),
    key: z.string().min(1).max(256).exactOptional(),
    value: z.string().min(1).max(4096).exactOptional(),
  })
  .check(checkName)
  .check((ctx) => {
    const { type, key, value } = ctx.value
    if (type === 'Constant' && (key === undefined || value === undefined))
      ctx.issues.push(ruleIssue(ctx.value, [], '"key" and "value" of the constant are missing', 'HDL006'))
    if (type !== 'Constant' && value !== undefined)
      ctx.issues.push(ruleIssue(value, ['value'], `"value" is for Constant, not for ${type}`))
    if (type === 'Address' && key !== undefined)
      ctx.issues.push(ruleIssue(key, ['key'], 'the key of an Address is always "remote_address"'))
  })

function checkName(ctx: z.core.ParsePayload<Pick<GlobalEntry, 'type' | 'name'>>): void {
  const { type, name } = ctx.value
  if (named.has(type) && name === undefined)
    ctx.issues.push(ruleIssue(ctx.value, [], `"name" of the ${type.toLowerCase()} is missing`, 'HDL006'))
  if (!named.has(type) && name !== undefined)
    ctx.issues.push(ruleIssue(name, ['name'], `"name" is for Header and Claim, not for ${type}`))
  if (type === 'Header' && name !== undefined && !headerNameSchema.safeParse(name).success)
    ctx.issues.push(ruleIssue(name, ['name'], `"${name}" is not a header name`))
}

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

const localLimitSchema = z
  .strictObject({
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
    shared: z.boolean().default(false),
  })
  .check((ctx) => {
    const { descriptor, shared } = ctx.value
    if (shared && descriptor.length > 0)
      ctx.issues.push(ruleIssue(shared, ['shared'], 'a limit with a descriptor cannot be shared', 'HDL010'))
  })

const globalLimitSchema = z.strictObject({
  provider: z.strictObject({ name: z.string().min(1).max(253) }),
  domain: z.string().min(1).max(253),
  descriptors: z.array(z.array(globalEntrySchema).min(1).max(16)).min(1).max(16),
})

export const rateLimitSchema: z.ZodType<RateLimitSettings> = z
  .strictObject({
    local: z.array(localLimitSchema).max(16).check(uniqueNames()).default([]),
    headers: z.enum(['OnRefusal', 'Always']).default('OnRefusal'),
    global: globalLimitSchema.exactOptional(),
  })
  .check((ctx) => {
    if (ctx.value.local.length === 0 && ctx.value.global === undefined)
      ctx.issues.push(ruleIssue(ctx.value, [], 'Give "local" or "global"', 'HDL006'))
  })

/** `policy`: "TrafficPolicy/default/reviews". */
export function toLocalRateLimits({ local, headers }: RateLimitSettings, policy: string): LocalRateLimitSpec[] {
  return local.map(({ name, tokenBucket, descriptor, dryRun, shared }) => ({
    name: `${policy}/${name}`,
    tokenBucket: {
      maxTokens: tokenBucket.maxTokens,
      tokensPerFill: tokenBucket.tokensPerFill,
      fillIntervalMs: durationMs(tokenBucket.fillInterval),
    },
    descriptor: toDescriptor(descriptor),
    enforcedShare: dryRun ? 0 : 1_000_000,
    ...(shared ? { shared } : {}),
    ...(headers === 'Always' ? { announced: true as const } : {}),
  }))
}

function toDescriptor(entries: readonly DescriptorEntry[]): DescriptorEntrySpec[] {
  return entries.map(({ type, name = '', value }) => ({
    ...sourceOf(type, name),
    ...(value === undefined ? {} : { value }),
  }))
}

export function toGlobalRateLimits(
  { global }: RateLimitSettings,
  policy: string,
  server: RateLimitServerSpec,
): GlobalRateLimitSpec[] {
  if (global === undefined) return []
  const descriptors = global.descriptors.map((entries) => entries.map(toAction))
  return [{ name: policy, domain: global.domain, server, descriptors }]
}

function toAction({ type, name = '', key, value = '' }: GlobalEntry): DescriptorActionSpec {
  if (type === 'Constant') return { key: key ?? '', constant: value }
  const source = sourceOf(type, name)
  return { ...source, key: key ?? source.key }
}

function sourceOf(type: SourceType, name: string): { key: string; by: DescriptorSource } {
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
