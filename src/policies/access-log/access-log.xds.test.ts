import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { defaultLineFormat } from '../../contracts/access-log-format.ts'
import type {
  AccessLogFilter,
  ExtensionFilter,
} from '../../contracts/xds/gen/envoy/config/accesslog/v3/accesslog_pb.ts'
import { ExpressionFilterSchema } from '../../contracts/xds/gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.ts'
import { StdoutAccessLogSchema } from '../../contracts/xds/gen/envoy/extensions/access_loggers/stream/v3/stream_pb.ts'
import { HttpConnectionManagerSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { typedConfig } from '../typed-config.xds.ts'
import type { AccessLogSpec } from './access-log.spec.ts'
import { decodeAccessLog, encodeAccessLog, encodeFileRotation } from './access-log.xds.ts'

type Loggers = ReturnType<typeof encodeAccessLog>

function decoded(accessLog: Loggers, httpFilters: ReturnType<typeof encodeFileRotation> = []) {
  const manager = overTheWire(HttpConnectionManagerSchema, { accessLog, httpFilters })
  return decodeAccessLog(manager.accessLog, manager.httpFilters)
}

const anyFormat: fc.Arbitrary<Partial<AccessLogSpec>> = fc.oneof(
  fc.constant({}),
  fc.constantFrom(defaultLineFormat, '%RESPONSE_CODE% 100%%').map((format) => ({ format })),
  fc.constantFrom({ a: '%RESPONSE_CODE%' }, { b: { c: 'd %REQ(:PATH)%', e: '' } }).map((json) => ({ json })),
)

const anyOutput: fc.Arbitrary<Partial<AccessLogSpec>> = fc.oneof(
  fc.constant({}),
  fc.record({ longestBytes: fc.integer({ min: 1, max: 2 ** 36 }), keptFiles: fc.nat(100) }).map((rotation) => ({
    output: { kind: 'file' as const, path: '/var/log/a.log', rotation },
  })),
  fc.constantFrom({}, { path: '/v1/logs' }).map((path) => ({
    output: { kind: 'collector' as const, collector: { cluster: 'otel.example:4317', timeoutMs: 5_000, ...path } },
  })),
)

describe('the access log over xDS', () => {
  it('decodes the share that it encodes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000 }), (hundredths) => {
        const spec = { enabled: true, samplePercent: hundredths / 100 }
        const { enabled, samplePercent } = decoded(encodeAccessLog(spec))
        expect([enabled, samplePercent]).toEqual([true, expect.closeTo(spec.samplePercent, 6)])
      }),
    )
  })

  it('decodes what it encodes: format, output and condition', () => {
    const anyMatches = fc.constantFrom({}, { matches: 'response.status >= 400' })
    fc.assert(
      fc.property(anyFormat, anyOutput, anyMatches, fc.constantFrom(0, 20, 100), (format, output, matches, share) => {
        const spec = { enabled: true, samplePercent: share, ...format, ...output, ...matches }
        expect(decoded(encodeAccessLog(spec), encodeFileRotation(spec))).toEqual(spec)
      }),
    )
  })

  it('takes what others ask for: a condition alone, several of them, and a file that nobody rotates', () => {
    const [logger] = encodeAccessLog({ enabled: true, samplePercent: 100, matches: 'mtls' })
    const [other] = encodeAccessLog({
      enabled: true,
      samplePercent: 20,
      matches: 'response.status == 404',
      output: { kind: 'file', path: '/var/log/a.log', rotation: { longestBytes: 1, keptFiles: 0 } },
    })
    const filters = [logger, other].map((one) => one?.filter) as AccessLogFilter[]
    const both = { ...other, filter: { filterSpecifier: { case: 'andFilter' as const, value: { filters } } } }
    expect(decoded([both] as Loggers)).toEqual({
      enabled: true,
      samplePercent: 20,
      matches: '(mtls) && (response.status == 404)',
      output: { kind: 'file', path: '/var/log/a.log', rotation: { longestBytes: 16 * 1024 * 1024, keptFiles: 3 } },
    })
  })

  it("takes Envoy's logger for its own output", () => {
    const value = typedConfig(StdoutAccessLogSchema, {
      accessLogFormat: {
        case: 'logFormat',
        value: { format: { case: 'jsonFormat', value: { status: '%RESPONSE_CODE%' } } },
      },
    })
    const logger = { name: 'envoy.access_loggers.stdout', configType: { case: 'typedConfig' as const, value } }
    expect(decoded([logger])).toEqual({ enabled: true, samplePercent: 100, json: { status: '%RESPONSE_CODE%' } })
  })

  it("has Envoy's names on the wire, and takes them from others", () => {
    const matches = 'response.status >= 400 && !mtls && has(response.grpcStatus) || durationMs > 1.0'
    const [logger] = encodeAccessLog({ enabled: true, samplePercent: 100, matches })
    const filter = logger?.filter as AccessLogFilter | undefined
    const extension = filter?.filterSpecifier.value as ExtensionFilter | undefined
    expect(anyUnpack(extension?.configType.value as Any, ExpressionFilterSchema)?.expression).toBe(
      'response.code >= 400 && !connection.mtls && has(response.grpc_status) || durationMs > 1.0',
    )
    expect(decoded([logger] as Loggers).matches).toBe(matches)
  })

  it.each([
    ['response.flags == 0', '== does not take list and int'],
    ['request.time < 1', '"request.time" is not known here'],
    ['response.status >=', 'the condition'],
    ['request.path.matches("(a")', 'Invalid regular expression'],
  ])('refuses the condition %s', (matches, why) => {
    expect(() => decoded(encodeAccessLog({ enabled: true, samplePercent: 100, matches }))).toThrow(why)
  })

  it('refuses a format that it does not understand', () => {
    expect(() => decoded(encodeAccessLog({ enabled: true, samplePercent: 100, format: '%FOO%' }))).toThrow('%FOO%')
  })

  it('is off without a logger', () => {
    expect(decoded(encodeAccessLog({ enabled: false, samplePercent: 50 })).enabled).toBe(false)
  })

  it('refuses a filter that it cannot keep to', () => {
    const [logger] = encodeAccessLog({ enabled: true, samplePercent: 100 })
    const filter = { filterSpecifier: { case: 'notHealthCheckFilter' as const, value: {} } }
    expect(() => decoded([{ ...logger, filter } as Loggers[number]])).toThrow('notHealthCheckFilter')
  })
})
