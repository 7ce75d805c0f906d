// `loadBalancing` of a TrafficPolicy as written, and its translation to the specs.
import { z } from 'zod'

import { durationMs, durationSchema, headerNameSchema, ruleIssue } from '../scalars.schema.ts'
import type {
  HashedPart,
  HashPolicySpec,
  LoadBalancingAlgorithm,
  LoadBalancingSpec,
  LocalityWeightSpec,
} from './load-balancing.spec.ts'
import { subsetsSchema, toSubsetsSpec, type SubsetSettings } from './subsets.schema.ts'

const algorithms = [
  'LeastRequest',
  'RoundRobin',
  'Random',
  'PeakEwma',
  'ClientSideWeightedRoundRobin',
  'RingHash',
  'Maglev',
] as const

const localityModes = ['ZoneAware', 'Failover', 'Weighted', 'Ignore'] as const

export interface LoadBalancingSettings {
  readonly algorithm: (typeof algorithms)[number]
  readonly leastRequest?: { readonly choiceCount: number; readonly activeRequestBias?: number }
  readonly peakEwma?: { readonly choiceCount: number; readonly decay: string }
  readonly clientSideWeightedRoundRobin?: {
    readonly blackoutPeriod: string
    readonly weightExpirationPeriod: string
    readonly weightUpdatePeriod: string
    readonly errorUtilizationPenalty: number
  }
  readonly ringHash?: { readonly minRingSize: number; readonly maxRingSize: number }
  readonly maglev?: { readonly tableSize: number }
  readonly hash?: HashSettings
  readonly subsets?: SubsetSettings
  readonly slowStart?: { readonly window: string; readonly aggression: number; readonly minWeightPercent: number }
  readonly locality: {
    readonly mode: (typeof localityModes)[number]
    /** With mode Weighted. */
    readonly weights?: readonly LocalityWeightSpec[]
  }
  readonly panicThresholdPercent: number
}

export interface HashSettings {
  /** The first that a request has decides. */
  readonly on: readonly HashedPartSettings[]
  readonly balanceFactorPercent?: number
}

export interface HashedPartSettings {
  readonly type: 'Header' | 'Cookie' | 'QueryParameter' | 'SourceIdentity' | 'SourceAddress'
  readonly name?: string
  readonly path?: string
  readonly ttl?: string
}

/** Of destinations without a policy. */
export const defaultLoadBalancing: LoadBalancingSpec = { kind: 'least-request', choiceCount: 2, locality: 'zone-aware' }

const choiceCountSchema = z.int().min(2).max(100).default(2)

const leastRequestSchema = z.strictObject({
  choiceCount: choiceCountSchema,
  activeRequestBias: z.number().min(0).max(100).exactOptional(),
})

const peakEwmaSchema = z.strictObject({
  choiceCount: choiceCountSchema,
  decay: durationSchema.refine((text) => durationMs(text) > 0, '"decay" must be above 0').default('10s'),
})

/** Defaults as Envoy's. */
const reportedSchema = z.strictObject({
  blackoutPeriod: durationSchema.default('10s'),
  weightExpirationPeriod: durationSchema
    .refine((text) => durationMs(text) > 0, '"weightExpirationPeriod" must be above 0')
    .default('3m'),
  weightUpdatePeriod: durationSchema
    .refine((text) => durationMs(text) >= 100, '"weightUpdatePeriod" must be at least 100ms')
    .default('1s'),
  errorUtilizationPenalty: z.number().min(0).max(1_000).default(1),
})

const maxRingPoints = 8_388_608

const ringHashSchema = z
  .strictObject({
    minRingSize: z.int().min(1).max(maxRingPoints).default(1_024),
    maxRingSize: z.int().min(1).max(maxRingPoints).default(262_144),
  })
  .check((ctx) => {
    const { minRingSize, maxRingSize } = ctx.value
    if (minRingSize > maxRingSize)
      ctx.issues.push(ruleIssue(ctx.value, ['minRingSize'], `minRingSize is above maxRingSize (${maxRingSize})`))
  })

const maglevSchema = z.strictObject({
  tableSize: z
    .int()
    .min(3)
    .max(5_000_011)
    .refine(isPrime, '"tableSize" must be a prime number, such as 65537')
    .default(65_537),
})

export const hashedPartSchema: z.ZodType<HashedPartSettings> = z
  .strictObject({
    type: z.enum(['Header', 'Cookie', 'QueryParameter', 'SourceIdentity', 'SourceAddress']),
    name: headerNameSchema.exactOptional(),
    path: z
      .string()
      .max(1024)
      .regex(/^\/[!-+\--:<-~]*$/, 'a path that starts with "/"')
      .exactOptional(),
    ttl: durationSchema.exactOptional(),
  })
  .check((ctx) => {
    const { type, name } = ctx.value
    const named = type === 'Header' || type === 'Cookie' || type === 'QueryParameter'
    if (named && name === undefined)
      ctx.issues.push(ruleIssue(ctx.value, ['name'], `"name" is missing: the type is ${type}`, 'HDL006'))
    const others = [
      ...(named ? [] : (['name'] as const)),
      ...(type === 'Cookie' ? [] : (['path', 'ttl'] as const)),
    ] as const
    for (const field of others)
      if (ctx.value[field] !== undefined)
        ctx.issues.push(ruleIssue(ctx.value, [field], `"${field}" does not go with type ${type}`))
  })

const hashSchema = z.strictObject({
  on: z.array(hashedPartSchema).min(1).max(8),
  balanceFactorPercent: z.int().min(100).max(100_000).exactOptional(),
})

const slowStartSchema = z.strictObject({
  window: durationSchema.refine((text) => durationMs(text) > 0, '"window" must be above 0'),
  aggression: z.number().min(0.01).max(100).default(1),
  minWeightPercent: z.number().min(0).max(100).default(10),
})

const placeSchema = z.string().min(1).max(253)

const localitySchema = z
  .strictObject({
    mode: z.enum(localityModes),
    weights: z
      .array(
        z
          .strictObject({
            region: placeSchema,
            zone: placeSchema.exactOptional(),
            subZone: placeSchema.exactOptional(),
            weight: z.int().min(0).max(10_000),
          })
          .check((ctx) => {
            if (ctx.value.subZone !== undefined && ctx.value.zone === undefined)
              ctx.issues.push(ruleIssue(ctx.value, ['zone'], '"zone" is missing: a sub-zone is in a zone', 'HDL006'))
          }),
      )
      .min(1)
      .max(64)
      .check((ctx) => {
        if (ctx.value.every(({ weight }) => weight === 0))
          ctx.issues.push(ruleIssue(ctx.value, [], 'no weight is above 0: nobody would get anything'))
        for (const [index, place] of ctx.value.entries()) {
          const earlier = ctx.value.slice(0, index).find((other) => covers(other, place))
          if (earlier === undefined) continue
          const message = `an entry before it is for ${nameOf(earlier)} already: write the narrower place first`
          ctx.issues.push(ruleIssue(ctx.value, [index], message, 'HDL007'))
        }
      })
      .exactOptional(),
  })
  .check((ctx) => {
    const { mode, weights } = ctx.value
    if (mode === 'Weighted' && weights === undefined)
      ctx.issues.push(ruleIssue(ctx.value, ['weights'], '"weights" is missing: the mode is Weighted', 'HDL006'))
    if (mode !== 'Weighted' && weights !== undefined)
      ctx.issues.push(ruleIssue(ctx.value, ['weights'], `"weights" does not go with mode ${mode}`))
  })

function covers(wide: LocalityWeightSpec, { region, zone, subZone }: LocalityWeightSpec): boolean {
  if (wide.region !== region) return false
  return wide.zone === undefined || (wide.zone === zone && (wide.subZone === undefined || wide.subZone === subZone))
}

function nameOf({ region, zone, subZone }: LocalityWeightSpec): string {
  return [region, zone, subZone].filter((part) => part !== undefined).join('/')
}

/** The settings of the algorithm, and of no other. */
const settingsOf = {
  LeastRequest: 'leastRequest',
  RoundRobin: undefined,
  Random: undefined,
  PeakEwma: 'peakEwma',
  ClientSideWeightedRoundRobin: 'clientSideWeightedRoundRobin',
  RingHash: 'ringHash',
  Maglev: 'maglev',
} as const
const defaults = {
  leastRequest: leastRequestSchema.parse({}),
  peakEwma: peakEwmaSchema.parse({}),
  clientSideWeightedRoundRobin: reportedSchema.parse({}),
  ringHash: ringHashSchema.parse({}),
  maglev: maglevSchema.parse({}),
} as const

export const loadBalancingSchema: z.ZodType<LoadBalancingSettings> = z
  .strictObject({
    algorithm: z.enum(algorithms).default('LeastRequest'),
    leastRequest: leastRequestSchema.exactOptional(),
    peakEwma: peakEwmaSchema.exactOptional(),
    clientSideWeightedRoundRobin: reportedSchema.exactOptional(),
    ringHash: ringHashSchema.exactOptional(),
    maglev: maglevSchema.exactOptional(),
    hash: hashSchema.exactOptional(),
    subsets: subsetsSchema.exactOptional(),
    slowStart: slowStartSchema.exactOptional(),
    locality: localitySchema.exactOptional(),
    panicThresholdPercent: z.number().min(0).max(100).default(50),
  })
  .check((ctx) => {
    const { algorithm, hash } = ctx.value
    const hashes = algorithm === 'RingHash' || algorithm === 'Maglev'
    if (hashes && hash === undefined)
      ctx.issues.push(ruleIssue(ctx.value, ['hash'], `"hash" is missing: ${algorithm} needs it`, 'HDL006'))
    if (isUnzoned(algorithm) && ctx.value.locality?.mode === 'ZoneAware')
      ctx.issues.push(
        ruleIssue(ctx.value, ['locality', 'mode'], `mode ZoneAware does not go with algorithm ${algorithm}`),
      )
    const others = (Object.keys(defaults) as (keyof typeof defaults)[]).filter(
      (field) => field !== settingsOf[algorithm],
    )
    // Envoy has no slow start for these
    const abrupt = hashes || algorithm === 'Random' || algorithm === 'ClientSideWeightedRoundRobin'
    for (const field of [
      ...others,
      ...(hashes ? [] : (['hash'] as const)),
      ...(abrupt ? (['slowStart'] as const) : []),
    ])
      if (ctx.value[field] !== undefined)
        ctx.issues.push(ruleIssue(ctx.value, [field], `"${field}" does not go with algorithm ${algorithm}`))
  })
  .transform((settings) => {
    const { algorithm } = settings
    const field = settingsOf[algorithm]
    const mode = isUnzoned(algorithm) ? 'Ignore' : 'ZoneAware'
    return {
      ...settings,
      ...(field === undefined ? {} : { [field]: settings[field] ?? defaults[field] }),
      locality: settings.locality ?? { mode },
    }
  })

/** Envoy has no zones for these; and where a key leads is not to depend on where the caller is. */
function isUnzoned(algorithm: LoadBalancingSettings['algorithm']): boolean {
  return algorithm === 'RingHash' || algorithm === 'Maglev' || algorithm === 'ClientSideWeightedRoundRobin'
}

export function toLoadBalancingSpec(settings: LoadBalancingSettings): LoadBalancingSpec {
  const { panicThresholdPercent, subsets } = settings
  const locality = { ZoneAware: 'zone-aware', Failover: 'failover', Weighted: 'weighted', Ignore: undefined } as const
  const mode = locality[settings.locality.mode]
  return {
    ...toAlgorithm(settings),
    ...toSlowStart(settings),
    ...(mode === undefined ? {} : { locality: mode }),
    ...(subsets === undefined ? {} : { subsets: toSubsetsSpec(subsets) }),
    ...(panicThresholdPercent === 50 ? {} : { panicThresholdPercent }),
  }
}

function toSlowStart({ slowStart }: LoadBalancingSettings): Pick<LoadBalancingSpec, 'slowStart'> {
  if (slowStart === undefined) return {}
  const { window, ...others } = slowStart
  return { slowStart: { windowMs: durationMs(window), ...others } }
}

function toAlgorithm(settings: LoadBalancingSettings): LoadBalancingAlgorithm {
  const { leastRequest, peakEwma, ringHash, maglev } = { ...defaults, ...settings }
  const factor = settings.hash?.balanceFactorPercent
  const bound = factor === undefined ? {} : { balanceFactorPercent: factor }
  switch (settings.algorithm) {
    case 'LeastRequest':
      return { kind: 'least-request', ...leastRequest }
    case 'RoundRobin':
      return { kind: 'round-robin' }
    case 'Random':
      return { kind: 'random' }
    case 'PeakEwma':
      return { kind: 'peak-ewma', choiceCount: peakEwma.choiceCount, decayMs: durationMs(peakEwma.decay) }
    case 'ClientSideWeightedRoundRobin': {
      const { clientSideWeightedRoundRobin: reported } = { ...defaults, ...settings }
      return {
        kind: 'client-side-weighted-round-robin',
        blackoutMs: durationMs(reported.blackoutPeriod),
        weightExpirationMs: durationMs(reported.weightExpirationPeriod),
        weightUpdateMs: durationMs(reported.weightUpdatePeriod),
        errorUtilizationPenalty: reported.errorUtilizationPenalty,
      }
    }
    case 'RingHash':
      return { kind: 'ring-hash', ...ringHash, ...bound }
    case 'Maglev':
    default:
      return { kind: 'maglev', ...maglev, ...bound }
  }
}

/** The first that a request has decides. */
export function toHashPolicies(parts: readonly HashedPartSettings[]): readonly HashPolicySpec[] {
  return parts.map((part): HashPolicySpec => ({ ...toHashedPart(part), terminal: true }))
}

function toHashedPart({ type, name = '', path, ttl = '0s' }: HashedPartSettings): HashedPart {
  switch (type) {
    case 'Header':
      return { kind: 'header', name: name.toLowerCase() }
    case 'Cookie':
      return { kind: 'cookie', name, ...(path === undefined ? {} : { path }), ttlMs: durationMs(ttl) }
    case 'QueryParameter':
      return { kind: 'query-parameter', name }
    case 'SourceIdentity':
      return { kind: 'source-identity' }
    case 'SourceAddress':
    default:
      return { kind: 'source-address' }
  }
}

function isPrime(value: number): boolean {
  if (value < 2) return false
  for (let divisor = 2; divisor * divisor <= value; divisor++) if (value % divisor === 0) return false
  return true
}
