// Arbitrary policies in the form the model gives them: prefixes and replacements without trailing slash, unset bounds absent.
import * as fc from 'fast-check'

import type { RbacFilterSpec, RbacRules } from '../../src/policies/authorization/authorization.spec.ts'
import type { CorsSpec } from '../../src/policies/cors/cors.spec.ts'
import type { FaultsSpec } from '../../src/policies/faults/faults.spec.ts'
import type { HeaderLineSpec, HeaderModifierSpec } from '../../src/policies/header-modifier/header-modifier.spec.ts'
import type {
  HashPolicySpec,
  LoadBalancingSpec,
  SubsetKeySpec,
  SubsetSelectorSpec,
  SubsetsSpec,
} from '../../src/policies/load-balancing/load-balancing.spec.ts'
import type { MirrorSpec } from '../../src/policies/mirror/mirror.spec.ts'
import type { RedirectSpec } from '../../src/policies/redirect/redirect.spec.ts'
import type { RetryConstraintSpec, RetrySpec } from '../../src/policies/retries/retries.spec.ts'
import type { PathModifierSpec, RegexRewriteSpec, RewriteSpec } from '../../src/policies/rewrite/rewrite.spec.ts'
import type { PathMatchSpec, RouteMatchSpec, ValueMatchSpec } from '../../src/policies/route-match/route-match.spec.ts'
import type { SessionPersistenceSpec } from '../../src/policies/session-persistence/session-persistence.spec.ts'
import type { TimeoutsSpec } from '../../src/policies/timeouts/timeouts.spec.ts'
import type { WeightedClusterSpec } from '../../src/policies/traffic-split/traffic-split.xds.ts'

/** Absent instead of undefined, as exactOptionalPropertyTypes wants it. */
export function record<T extends object>(
  model: { [K in keyof T]-?: fc.Arbitrary<T[K]> },
  optional: (keyof T)[],
): fc.Arbitrary<T> {
  const requiredKeys = (Object.keys(model) as (keyof T)[]).filter((key) => !optional.includes(key))
  return fc.record(model, { requiredKeys, noNullPrototype: true }) as fc.Arbitrary<T>
}

export const text: fc.Arbitrary<string> = fc.string({ unit: 'binary-ascii', maxLength: 12 })
export const token: fc.Arbitrary<string> = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/)
const element = fc.stringMatching(/^[A-Za-z0-9.+*()$^\\|%~-]{1,6}$/)
/** "/", or elements without a trailing slash. */
export const path: fc.Arbitrary<string> = fc
  .array(element, { maxLength: 3 })
  .map((elements) => `/${elements.join('/')}`)
export const host: fc.Arbitrary<string> = fc
  .array(token, { minLength: 1, maxLength: 3 })
  .map((labels) => labels.join('.'))
export const milliseconds: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: 1, max: 3_000 }),
  fc.integer({ min: 1, max: 2 ** 31 }),
)

export const pathMatch: fc.Arbitrary<PathMatchSpec> = fc.record(
  { kind: fc.constantFrom('exact', 'prefix', 'regex'), value: path },
  { noNullPrototype: true },
)

function valueMatch(name: fc.Arbitrary<string>): fc.Arbitrary<ValueMatchSpec> {
  return fc.record({ name, kind: fc.constantFrom('exact', 'regex'), value: text }, { noNullPrototype: true })
}

export const routeMatch: fc.Arbitrary<RouteMatchSpec> = record<RouteMatchSpec>(
  {
    path: pathMatch,
    method: fc.constantFrom('GET', 'POST', 'M-SEARCH'),
    headers: fc.array(valueMatch(token), { maxLength: 3 }),
    queryParams: fc.array(valueMatch(text), { maxLength: 3 }),
  },
  ['method'],
)

export const headerLines: fc.Arbitrary<HeaderLineSpec[]> = fc.array(
  fc.record(
    { name: token, value: fc.oneof(text, fc.constant('%REQ(x)%'), fc.constant('')) },
    { noNullPrototype: true },
  ),
  { maxLength: 3 },
)

/** Changes something. */
export const headerModifier: fc.Arbitrary<HeaderModifierSpec> = fc
  .record({ set: headerLines, add: headerLines, remove: fc.array(token, { maxLength: 2 }) }, { noNullPrototype: true })
  .filter(({ set, add, remove }) => set.length + add.length + remove.length > 0)

export const pathModifier: fc.Arbitrary<PathModifierSpec> = fc.record(
  { kind: fc.constantFrom('full', 'prefix'), value: path },
  { noNullPrototype: true },
)

const regexRewrite: fc.Arbitrary<RegexRewriteSpec> = fc.record(
  { pattern: path.map((matched) => `^${matched}(.*)$`), substitution: fc.constantFrom('/x/\\1', '/x?y=\\1') },
  { noNullPrototype: true },
)

/** Changes something. */
export const rewrite: fc.Arbitrary<RewriteSpec> = record<RewriteSpec>(
  {
    hostname: host,
    hostPattern: regexRewrite,
    path: fc.oneof(
      pathModifier,
      regexRewrite.map((spec) => ({ kind: 'regex' as const, ...spec })),
    ),
  },
  ['hostname', 'hostPattern', 'path'],
).filter((spec) => Object.keys(spec).length > 0 && !('hostname' in spec && 'hostPattern' in spec))

export const redirect: fc.Arbitrary<RedirectSpec> = record<RedirectSpec>(
  {
    scheme: fc.constantFrom('http', 'https'),
    hostname: host,
    path: pathModifier,
    port: fc.integer({ min: 1, max: 65_535 }),
    statusCode: fc.constantFrom(301, 302, 303, 307, 308),
  },
  ['scheme', 'hostname', 'path', 'port'],
)

export const timeouts: fc.Arbitrary<TimeoutsSpec> = record<TimeoutsSpec>(
  { requestMs: milliseconds, backendRequestMs: milliseconds, idleMs: fc.oneof(fc.constant(0), milliseconds) },
  ['requestMs', 'backendRequestMs', 'idleMs'],
)

export const retry: fc.Arbitrary<RetrySpec> = record<RetrySpec>(
  {
    attempts: fc.integer({ min: 0, max: 100 }),
    statusCodes: fc.uniqueArray(fc.integer({ min: 400, max: 599 }), { maxLength: 5 }),
    grpcStatuses: fc.subarray([1, 4, 8, 13, 14], { minLength: 1 }),
    backoffMs: fc.oneof(fc.constant(0), milliseconds),
  },
  ['grpcStatuses'],
)

const bound = fc.integer({ min: 100, max: 1_000 })
const percent = fc.integer({ min: 0, max: 100 })
const slowStart = fc.record(
  {
    windowMs: milliseconds,
    aggression: fc.double({ min: 0.01, max: 100, noNaN: true }),
    minWeightPercent: percent,
  },
  { noNullPrototype: true },
)
const locality = fc.constantFrom('zone-aware' as const, 'failover' as const, 'weighted' as const)

type Spread<Kind, Without extends string = never> = Omit<
  Extract<LoadBalancingSpec, { kind: Kind }>,
  'subsets' | Without
>

const spread: fc.Arbitrary<LoadBalancingSpec> = fc.oneof(
  record<Spread<'client-side-weighted-round-robin', 'slowStart'>>(
    {
      kind: fc.constant('client-side-weighted-round-robin'),
      blackoutMs: milliseconds,
      weightExpirationMs: milliseconds,
      weightUpdateMs: milliseconds.map((count) => count + 100),
      errorUtilizationPenalty: fc.float({ min: 0, max: 1_000, noNaN: true }),
      locality: fc.constantFrom('failover' as const, 'weighted' as const),
      panicThresholdPercent: percent,
    },
    ['locality', 'panicThresholdPercent'],
  ),
  record<Spread<'round-robin'>>(
    { kind: fc.constant('round-robin'), locality, slowStart, panicThresholdPercent: percent },
    ['locality', 'slowStart', 'panicThresholdPercent'],
  ),
  record<Spread<'random', 'slowStart'>>({ kind: fc.constant('random'), locality, panicThresholdPercent: percent }, [
    'locality',
    'panicThresholdPercent',
  ]),
  record<Spread<'least-request'>>(
    {
      kind: fc.constant('least-request'),
      choiceCount: fc.integer({ min: 2, max: 100 }),
      locality,
      activeRequestBias: fc.double({ min: 0, max: 100, noNaN: true }),
      slowStart,
      panicThresholdPercent: percent,
    },
    ['activeRequestBias', 'locality', 'slowStart', 'panicThresholdPercent'],
  ),
  record<Spread<'peak-ewma'>>(
    {
      kind: fc.constant('peak-ewma'),
      choiceCount: fc.integer({ min: 2, max: 100 }),
      decayMs: milliseconds,
      locality,
      slowStart,
      panicThresholdPercent: percent,
    },
    ['locality', 'slowStart', 'panicThresholdPercent'],
  ),
  record<Spread<'ring-hash', 'slowStart'>>(
    {
      kind: fc.constant('ring-hash'),
      minRingSize: fc.integer({ min: 1, max: 1_024 }),
      maxRingSize: fc.integer({ min: 1_024, max: 8_388_608 }),
      balanceFactorPercent: bound,
      locality: fc.constantFrom('failover' as const, 'weighted' as const),
      panicThresholdPercent: percent,
    },
    ['balanceFactorPercent', 'locality', 'panicThresholdPercent'],
  ),
  record<Spread<'maglev', 'slowStart'>>(
    {
      kind: fc.constant('maglev'),
      tableSize: fc.constantFrom(3, 101, 65_537, 5_000_011),
      balanceFactorPercent: bound,
      locality: fc.constantFrom('failover' as const, 'weighted' as const),
      panicThresholdPercent: percent,
    },
    ['balanceFactorPercent', 'locality', 'panicThresholdPercent'],
  ),
)

const fallback = fc.constantFrom('none' as const, 'any' as const, 'default' as const)

const subsets: fc.Arbitrary<SubsetsSpec> = fc.record(
  {
    selectors: fc.array(
      record<SubsetSelectorSpec>({ keys: fc.uniqueArray(token, { minLength: 1, maxLength: 3 }), fallback }, [
        'fallback',
      ]),
      { maxLength: 3 },
    ),
    fallback,
    defaultSubset: fc.dictionary(token, text, { maxKeys: 2, noNullPrototype: true }),
  },
  { noNullPrototype: true },
)

export const subsetKeys: fc.Arbitrary<readonly SubsetKeySpec[]> = fc.array(
  record<SubsetKeySpec>({ label: token, header: token }, []),
  { minLength: 1, maxLength: 3 },
)

export const loadBalancing: fc.Arbitrary<LoadBalancingSpec> = fc.oneof(
  spread,
  fc.tuple(spread, subsets).map(([spec, chosen]) => ({ ...spec, subsets: chosen })),
)

const seconds = fc.integer({ min: 1, max: 1_000_000 }).map((count) => count * 1_000)

export const sessionPersistence: fc.Arbitrary<SessionPersistenceSpec> = fc.oneof(
  record<Omit<SessionPersistenceSpec, 'permanent'>>(
    { carrier: fc.constantFrom('cookie', 'header'), name: token, absoluteTimeoutMs: seconds, idleTimeoutMs: seconds },
    ['absoluteTimeoutMs', 'idleTimeoutMs'],
  ),
  fc
    .record(
      { name: token, absoluteTimeoutMs: seconds, idleTimeoutMs: seconds },
      { requiredKeys: ['name', 'absoluteTimeoutMs'], noNullPrototype: true },
    )
    .map((spec) => ({ ...spec, carrier: 'cookie' as const, permanent: true as const })),
)

const terminal = fc.constant(true as const)

export const hashPolicy: fc.Arbitrary<HashPolicySpec> = fc.oneof(
  record<Extract<HashPolicySpec, { kind: 'header' }>>({ kind: fc.constant('header'), name: token, terminal }, [
    'terminal',
  ]),
  record<Extract<HashPolicySpec, { kind: 'cookie' }>>(
    { kind: fc.constant('cookie'), name: token, path, ttlMs: fc.nat({ max: 2 ** 31 }), terminal },
    ['path', 'ttlMs', 'terminal'],
  ),
  record<Extract<HashPolicySpec, { kind: 'query-parameter' }>>(
    { kind: fc.constant('query-parameter'), name: token, terminal },
    ['terminal'],
  ),
  record<Extract<HashPolicySpec, { kind: 'source-identity' }>>({ kind: fc.constant('source-identity'), terminal }, [
    'terminal',
  ]),
  record<Extract<HashPolicySpec, { kind: 'source-address' }>>({ kind: fc.constant('source-address'), terminal }, [
    'terminal',
  ]),
)

export const retryConstraint: fc.Arbitrary<RetryConstraintSpec> = fc.record(
  {
    percent: fc.integer({ min: 0, max: 100 }),
    intervalMs: milliseconds,
    minRetries: fc.nat(1_000),
    minIntervalMs: milliseconds,
  },
  { noNullPrototype: true },
)

export const mirror: fc.Arbitrary<MirrorSpec> = fc
  .constantFrom(100, 10_000, 1_000_000)
  .chain((denominator) =>
    fc.record(
      { cluster: token, numerator: fc.integer({ min: 0, max: denominator }), denominator: fc.constant(denominator) },
      { noNullPrototype: true },
    ),
  )

const origin = fc.oneof(
  fc.constant('*'),
  fc.constant('https://*'),
  host.map((name) => `https://${name}`),
  fc.tuple(host, fc.integer({ min: 1, max: 65_535 })).map(([name, port]) => `http://*.${name}:${port}`),
)

export const cors: fc.Arbitrary<CorsSpec> = fc.record(
  {
    allowOrigins: fc.array(origin, { maxLength: 4 }),
    allowCredentials: fc.boolean(),
    allowMethods: fc.subarray(['GET', 'PUT', '*']),
    allowHeaders: fc.array(token, { maxLength: 3 }),
    exposeHeaders: fc.array(token, { maxLength: 3 }),
    maxAgeSeconds: fc.nat(),
  },
  { noNullPrototype: true },
)

const rules = (action: RbacRules['action']): fc.Arbitrary<RbacRules> =>
  fc.record(
    {
      action: fc.constant(action),
      policies: fc.uniqueArray(
        fc.record(
          {
            name: fc.nat().map((index) => `AuthorizationPolicy/default/a/${index}`),
            permissions: fc.constant([{ kind: 'any' }] as const),
            principals: fc.constant([{ kind: 'workload', namespace: 'shop', serviceAccount: undefined }] as const),
          },
          { noNullPrototype: true },
        ),
        { maxLength: 3, selector: ({ name }) => name },
      ),
    },
    { noNullPrototype: true },
  )

/** At most one filter of each action, in the order of evaluation. */
export const egressFilters: fc.Arbitrary<RbacFilterSpec[]> = fc
  .subarray(['LOG', 'DENY', 'ALLOW'] as const, { minLength: 1 })
  .chain((actions) =>
    fc.tuple(
      ...actions.map((action) =>
        fc.oneof(
          rules(action).map((enforced): RbacFilterSpec => ({ enforced })),
          rules(action).map((shadow): RbacFilterSpec => ({ shadow })),
          fc.tuple(rules(action), rules(action)).map(([enforced, shadow]): RbacFilterSpec => ({ enforced, shadow })),
        ),
      ),
    ),
  )

/** Millionths. */
export const share: fc.Arbitrary<number> = fc.oneof(
  percent.map((whole) => whole * 10_000),
  fc.integer({ min: 0, max: 1_000_000 }),
)
const byHeader = fc.constant({ kind: 'header' as const })

function suffered<T>(by: fc.Arbitrary<T>): fc.Arbitrary<{ share: number; by: T }> {
  return fc.record({ share, by }, { noNullPrototype: true })
}

export const faults: fc.Arbitrary<FaultsSpec> = record<FaultsSpec>(
  {
    headers: fc.array(valueMatch(token), { maxLength: 2 }),
    delay: suffered(
      fc.oneof(
        byHeader,
        milliseconds.map((delayMs) => ({ kind: 'fixed' as const, delayMs })),
      ),
    ),
    abort: suffered(
      fc.oneof(
        byHeader,
        fc.integer({ min: 200, max: 599 }).map((status) => ({ kind: 'http' as const, status })),
        fc.integer({ min: 1, max: 16 }).map((status) => ({ kind: 'grpc' as const, status })),
      ),
    ),
    reset: fc.record({ share }, { noNullPrototype: true }),
    responseRateLimit: suffered(
      fc.oneof(
        byHeader,
        fc.integer({ min: 1, max: 1e9 }).map((limitKbps) => ({ kind: 'fixed' as const, limitKbps })),
      ),
    ),
    maxActiveFaults: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    untilMs: fc.integer({ min: 0, max: 4e12 }),
  },
  ['delay', 'abort', 'reset', 'responseRateLimit', 'maxActiveFaults', 'untilMs'],
)

const backend: fc.Arbitrary<WeightedClusterSpec> = record<WeightedClusterSpec>(
  {
    cluster: fc.oneof(host, fc.constant('')),
    weight: fc.integer({ min: 0, max: 1_000_000 }),
    requestHeaders: headerModifier,
    responseHeaders: headerModifier,
    authorization: egressFilters,
    faults,
    subsetKeys,
  },
  ['requestHeaders', 'responseHeaders', 'authorization', 'faults', 'subsetKeys'],
)

/** At least one has a weight. */
export const trafficSplit: fc.Arbitrary<WeightedClusterSpec[]> = fc
  .array(backend, { minLength: 1, maxLength: 4 })
  .filter((backends) => backends.some(({ weight }) => weight > 0))
