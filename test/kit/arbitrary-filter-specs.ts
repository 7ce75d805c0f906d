// Arbitrary Filters, in the form the model gives them.
import * as fc from 'fast-check'

import type { CompressionSpec, ContentCoding } from '../../src/policies/compression/compression.spec.ts'
import type { HeaderLineSpec, HeaderModifierSpec } from '../../src/policies/header-modifier/header-modifier.spec.ts'
import type { TransformationSpec } from '../../src/policies/transformation/transformation.spec.ts'
import { headerLines, token } from './arbitrary-specs.ts'

const changes: fc.Arbitrary<HeaderModifierSpec> = fc
  .record(
    {
      set: headerLines,
      add: headerLines,
      remove: fc.array(
        token.map((name) => `y-${name}`),
        { maxLength: 2 },
      ),
    },
    { noNullPrototype: true },
  )
  .map(({ set, add, remove }) => ({ set: set.map(readable), add: add.map(readable), remove }))

/** With operators as they are and other "%" doubled. */
function readable({ name, value }: HeaderLineSpec): HeaderLineSpec {
  return { name: `x-${name}`, value: value === '%REQ(x)%' ? value : value.replaceAll('%', '%%') }
}

export const transformation: fc.Arbitrary<TransformationSpec> = fc.record(
  { request: changes, response: changes },
  { noNullPrototype: true },
)

const codings: Record<ContentCoding, number> = { br: 11, zstd: 19, gzip: 9 }

export const compression: fc.Arbitrary<CompressionSpec> = fc.record(
  {
    codings: fc
      .subarray(Object.keys(codings) as ContentCoding[], { minLength: 1 })
      .chain((chosen) =>
        fc.tuple(
          ...chosen.map((coding) =>
            fc
              .integer({ min: 1, max: codings[coding] })
              .map((level): { coding: ContentCoding; level: number } => ({ coding, level })),
          ),
        ),
      ),
    contentTypes: fc.array(fc.constantFrom('text/html', 'application/json', 'image/svg+xml'), { minLength: 1 }),
    minContentLengthBytes: fc.integer({ min: 0, max: 1_048_576 }),
  },
  { noNullPrototype: true },
)
