// Arbitrary policies in the form the model gives them: prefixes and replacements without trailing slash, unset bounds absent.
import * as fc from 'fast-check'

import type { CorsSpec } from '../../src/policies/cors/cors.spec.ts'
import type { FaultsSpec } from '../../src/policies/faults/faults.spec.ts'
import type { HeaderLineSpec, HeaderModifierSpec } from '../../src/policies/header-modifier/header-modifier.spec.ts'
import type { MirrorSpec } from '../../src/policies/mirror/mirror.spec.ts'
import type {
  DescriptorActionSpec,
  DescriptorEntrySpec,
  GlobalRateLimitSpec,
  LocalRateLimitSpec,
} from '../../src/policies/rate-limit/rate-limit.spec.ts'
import type { RedirectSpec } from '../../src/policies/redirect/redirect.spec.ts'
import type { RetrySpec } from '../../src/policies/retries/retries.spec.ts'
import type { PathModifierSpec, RewriteSpec } from '../../src/policies/rewrite/rewrite.spec.ts'
import type { PathMatchSpec, RouteMatchSpec, ValueMatchSpec } from '../../src/policies/route-match/route-match.spec.ts'
import type { TimeoutsSpec } from '../../src/policies/timeouts/timeouts.spec.ts'
import type { WeightedClusterSpec } from '../../src/policies/traffic-split/traffic-split.xds.ts'

/** Absent instead of undefined, as exactOptionalPropertyTypes wants it. */
function record<T extends object>(
  model: { [K in keyof T]-?: fc.Arbitrary<T[K]> },
  optional: (keyof T)[],
): fc.Arbitrary<T> {
  const requiredKeys = (Object.keys(model) as (keyof T)[]).filter((key) => !optional.includes(key))
  return fc.record(model, { requiredKeys, noNullPrototype: true }) as fc.Arbitrary<T>
}

const text = fc.string({ unit: 'binary-ascii', maxLength: 12 })
const token = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/)
const element = fc.stringMatching(/^[A-Za-z0-9.+*()$^\\|%~-]{1,6}$/)
/** "/", or elements without a trailing slash. */
const path = fc.array(element, { maxLength: 3 }).map((elements) => `/${elements.join('/')}`)
const host = fc.array(token, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.'))
const milliseconds = fc.oneof(fc.integer({ min: 1, max: 3_000 }), fc.integer({ min: 1, max: 2 ** 31 }))

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

const headerLines: fc.Arbitrary<HeaderLineSpec[]> = fc.array(
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

/** Changes something. */
export const rewrite: fc.Arbitrary<RewriteSpec> = record<RewriteSpec>({ hostname: host, path: pathModifier }, [
  'hostname',
  'path',
]).filter((spec) => Object.keys(spec).length > 0)

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
  { requestMs: milliseconds, backendRequestMs: milliseconds },
  ['requestMs', 'backendRequestMs'],
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

const share = fc.oneof(
  fc.integer({ min: 0, max: 100 }).map((percent) => percent * 10_000),
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
  },
  ['delay', 'abort', 'reset', 'responseRateLimit', 'maxActiveFaults'],
)

const notEmpty = fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 12 })

const descriptorEntry: fc.Arbitrary<DescriptorEntrySpec> = record<DescriptorEntrySpec>(
  {
    key: token,
    by: fc.oneof(
      fc.constantFrom({ kind: 'caller' as const }, { kind: 'method' as const }, { kind: 'path' as const }),
      token.map((name) => ({ kind: 'header' as const, name })),
      fc.array(token, { minLength: 1, maxLength: 3 }).map((claims) => ({ kind: 'claim' as const, path: claims })),
    ),
    value: notEmpty,
  },
  ['value'],
)
/** Its key is Envoy's. */
const addressEntry: fc.Arbitrary<DescriptorEntrySpec> = record<DescriptorEntrySpec>(
  { key: fc.constant('remote_address'), by: fc.constant({ kind: 'address' as const }), value: notEmpty },
  ['value'],
)

export const descriptor: fc.Arbitrary<DescriptorEntrySpec[]> = fc.array(fc.oneof(descriptorEntry, addressEntry), {
  maxLength: 3,
})

/** Their names differ. */
export const localRateLimits: fc.Arbitrary<LocalRateLimitSpec[]> = fc.uniqueArray(
  fc
    .record(
      {
        name: token.map((name) => `TrafficPolicy/default/${name}`),
        tokenBucket: fc.record(
          {
            maxTokens: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
            tokensPerFill: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
            fillIntervalMs: milliseconds,
          },
          { noNullPrototype: true },
        ),
        descriptor,
        enforcedShare: share,
      },
      { noNullPrototype: true },
    )
    .chain((limit) =>
      limit.descriptor.length > 0
        ? fc.constant<LocalRateLimitSpec>(limit)
        : fc.constantFrom<LocalRateLimitSpec>(limit, { ...limit, shared: true }),
    ),
  { selector: ({ name }) => name, maxLength: 4 },
)

const action: fc.Arbitrary<DescriptorActionSpec> = fc.oneof(
  fc.oneof(descriptorEntry, addressEntry).map(({ key, by }) => ({ key, by })),
  fc.record({ key: token, constant: notEmpty }, { noNullPrototype: true }),
)

export const globalRateLimits: fc.Arbitrary<GlobalRateLimitSpec[]> = fc.array(
  fc.record(
    {
      name: token,
      domain: token,
      server: fc.record(
        {
          cluster: host,
          timeoutMs: milliseconds,
          failureModeDeny: fc.boolean(),
          statusOnError: fc.integer({ min: 400, max: 599 }),
        },
        { noNullPrototype: true },
      ),
      descriptors: fc.array(fc.array(action, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 }),
    },
    { noNullPrototype: true },
  ),
  { maxLength: 3 },
)

const backend: fc.Arbitrary<WeightedClusterSpec> = record<WeightedClusterSpec>(
  {
    cluster: fc.oneof(host, fc.constant('')),
    weight: fc.integer({ min: 0, max: 1_000_000 }),
    requestHeaders: headerModifier,
    responseHeaders: headerModifier,
    faults,
  },
  ['requestHeaders', 'responseHeaders', 'faults'],
)

/** At least one has a weight. */
export const trafficSplit: fc.Arbitrary<WeightedClusterSpec[]> = fc
  .array(backend, { minLength: 1, maxLength: 4 })
  .filter((backends) => backends.some(({ weight }) => weight > 0))
