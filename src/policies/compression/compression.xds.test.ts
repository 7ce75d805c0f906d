import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { compression } from '../../../test/kit/arbitrary-filter-specs.ts'
import { CompressorSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/compressor/v3/compressor_pb.ts'
import { typedConfig } from '../typed-config.xds.ts'
import { compressionSchema, toCompressionSpec } from './compression.schema.ts'
import { decodeCompression, encodeCompression, isCompression, joinCompressions } from './compression.xds.ts'

describe('compression over xDS', () => {
  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(compression, (spec) => {
        const filters = encodeCompression(spec)
        expect(filters.every(isCompression)).toBe(true)
        const decoded = filters.map((any) => decodeCompression(any, 'x'))
        expect(decoded.reduce((all, one) => joinCompressions(all, one) ?? one)).toEqual(spec)
      }),
    )
  })

  it('keeps apart what differs in more than the coding', () => {
    const spec = { codings: [{ coding: 'gzip', level: 6 }], contentTypes: ['a/b'], minContentLengthBytes: 1 } as const
    expect(joinCompressions(spec, { ...spec, minContentLengthBytes: 2 })).toBeUndefined()
    expect(joinCompressions(spec, { ...spec, contentTypes: ['a/c'] })).toBeUndefined()
  })

  it.each([
    [{}, 'no compressor_library'],
    [{ requestDirectionConfig: {} }, 'request_direction_config'],
    [{ responseDirectionConfig: { disableOnEtagHeader: true } }, 'disable_on_etag_header'],
  ])('refuses %j', (init, reason) => {
    expect(() => decodeCompression(typedConfig(CompressorSchema, init), 'x')).toThrow(reason)
  })
})

describe('the form compression', () => {
  it('compresses text with Brotli or gzip by default', () => {
    const spec = toCompressionSpec(compressionSchema.parse({}))
    expect(spec.codings).toEqual([
      { coding: 'br', level: 4 },
      { coding: 'gzip', level: 6 },
    ])
    expect(spec.contentTypes).toContain('application/json')
    expect(spec.contentTypes).not.toContain('text/event-stream')
    expect(spec.minContentLengthBytes).toBe(1_024)
  })

  it.each([
    [{ algorithms: [] }, 'algorithms'],
    [{ algorithms: [{ type: 'Gzip', level: 10 }] }, 'the level of Gzip is at most 9, found 10'],
    [{ algorithms: [{ type: 'Gzip' }, { type: 'Gzip', level: 1 }] }, 'Gzip occurs twice'],
    [{ contentTypes: ['text/html; charset=utf-8'] }, 'contentTypes.0'],
    [{ contentTypes: ['application/grpc+proto'] }, 'gRPC compresses its messages itself'],
    [{ minContentLength: -1 }, 'minContentLength'],
  ])('refuses %j', (value, message) => {
    const issues = compressionSchema.safeParse(value).error?.issues ?? []
    expect(issues.map((issue) => `${issue.path.join('.')} ${issue.message}`)).toEqual([
      expect.stringContaining(message),
    ])
  })
})
