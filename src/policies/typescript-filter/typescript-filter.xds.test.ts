import { fromBinary, toBinary } from '@bufbuild/protobuf'
import { AnySchema } from '@bufbuild/protobuf/wkt'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { TypescriptFilterSchema } from '../../contracts/xds/gen/heddle/v1/typescript_filter_pb.ts'
import { typedConfig } from '../typed-config.xds.ts'
import type { TypescriptFilterSpec } from './typescript-filter.spec.ts'
import { decodeTypescriptFilter, encodeTypescriptFilter } from './typescript-filter.xds.ts'

/** A number that JSON has, and a key that no object treats differently. */
const json = fc.jsonValue({ noUnicodeString: false }).map((value) => JSON.parse(JSON.stringify(value)) as unknown)
const key = fc.string().filter((name) => name !== '__proto__')

const filters: fc.Arbitrary<TypescriptFilterSpec> = fc.record({
  name: fc.string(),
  source: fc.record({ document: fc.string(), file: fc.string({ minLength: 1 }), line: fc.nat(), column: fc.nat() }),
  code: fc.string({ unit: 'grapheme' }),
  sha256: fc.string(),
  config: fc.dictionary(key, json),
  timeBudgetMs: fc.integer({ min: 1, max: 3_600_000 }),
  onError: fc.constantFrom('Continue', 'Refuse'),
  maxBodyBytes: fc.integer({ min: 1, max: 1_048_576 }),
})

describe('a TypeScript filter over xDS', () => {
  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(filters, (spec) => {
        const message = fromBinary(AnySchema, toBinary(AnySchema, encodeTypescriptFilter(spec)))
        expect(JSON.stringify(decodeTypescriptFilter(message))).toEqual(JSON.stringify(spec))
      }),
    )
  })

  it('refuses one that may take for ever', () => {
    expect(() => decodeTypescriptFilter(typedConfig(TypescriptFilterSchema, { name: 'a' }))).toThrow('time_budget')
  })

  it('takes an unknown onError for Refuse', () => {
    const any = typedConfig(TypescriptFilterSchema, { timeBudget: { seconds: 1n }, onError: 7 as never })
    expect(decodeTypescriptFilter(any).onError).toBe('Refuse')
  })
})
