// Arbitrary rate limits in the form the model gives them.
import * as fc from 'fast-check'

import type {
  DescriptorActionSpec,
  DescriptorEntrySpec,
  GlobalRateLimitSpec,
  LocalRateLimitSpec,
} from '../../src/policies/rate-limit/rate-limit.spec.ts'
import { host, milliseconds, record, share, token } from './arbitrary-specs.ts'

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
    )
    .chain((limit) => fc.constantFrom<LocalRateLimitSpec>(limit, { ...limit, announced: true })),
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
