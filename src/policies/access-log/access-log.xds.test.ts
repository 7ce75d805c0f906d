import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { defaultLineFormat } from '../../contracts/access-log-format.ts'
import { HttpConnectionManagerSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { decodeAccessLog, encodeAccessLog } from './access-log.xds.ts'

type Loggers = ReturnType<typeof encodeAccessLog>

function decoded(accessLog: Loggers) {
  return decodeAccessLog(overTheWire(HttpConnectionManagerSchema, { accessLog }).accessLog)
}

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

  it('decodes the format that it encodes', () => {
    for (const format of [defaultLineFormat, '%RESPONSE_CODE% 100%%'])
      expect(decoded(encodeAccessLog({ enabled: true, samplePercent: 100, format }))).toEqual({
        enabled: true,
        samplePercent: 100,
        format,
      })
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
