import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { sampleExchange } from '../../../test/kit/sample-exchange.ts'
import { defaultLineFormat, parseLineFormat } from '../../contracts/access-log-format.ts'
import type { DecisionRecord } from '../../contracts/decision-record.ts'
import { HeaderList } from '../../core/header-list.ts'
import { toDecisionRecord } from '../../proxy/telemetry/decision-records.ts'
import type { Exchange } from '../../proxy/telemetry/exchange.ts'
import { compileJsonFields, compileTextLine, jsonLine } from './line-format.runtime.ts'

const headers = HeaderList.of(['user-agent', 'curl/8'], ['X-Tenant', 'blue'])

function record(changes: Partial<Exchange> = {}): DecisionRecord {
  const identity = { workload: 'default/web', spiffeId: 'spiffe://mesh.local/ns/default/sa/web' }
  return toDecisionRecord(sampleExchange(changes), identity, 'id', 1_700_000_000_123)
}

const { request } = sampleExchange()

describe('a line of text', () => {
  it('has the fields of Envoy, and "-" for what there is not', () => {
    expect(compileTextLine(defaultLineFormat)(record(), headers)).toBe(
      '[2023-11-14T22:13:20.123Z] "GET /reviews/1 HTTP/1.1" 200 - - 0 12 3 "curl/8" "-" "reviews:9080" "127.0.0.1:20005" ' +
        'reviews.default.svc.cluster.local:9080 127.0.0.1:40000 HTTPRoute/default/reviews/0',
    )
  })

  it.each([
    ['%REQ(x-tenant)%', 'blue'],
    ['%REQ(X-MISSING?X-TENANT)%', 'blue'],
    ['%REQ(X-MISSING?:PATH):4%', '/rev'],
    ['%CEL(destination.workload)% %CEL(routeSource.line)%', 'default/reviews-v1 12'],
    ['%CEL(rateLimit.limit)% %CEL(response.flags)% %TRACE_ID%', '- - -'],
    [
      '%CEL(attempts)%',
      String.raw`[{\"endpoint\":\"127.0.0.1:20005\",\"outcome\":\"response\",\"status\":200,\"durationMs\":2}]`,
    ],
  ])('%s is %s', (format, line) => expect(compileTextLine(format)(record(), headers)).toBe(line))

  it('keeps what callers send from ending the line or its quotes', () => {
    const path = '/a"b\\c\nd\u001b[31me\u2028f\u009b'
    const line = compileTextLine('"%REQ(:PATH)%" 100%%')(record({ request: { ...request, path } }), headers)
    expect(line).toBe(String.raw`"/a\"b\\c\u000ad\u001b[31me\u2028f\u009b" 100%`)
  })
})

describe('a line of JSON', () => {
  it('has numbers, texts and maps, and leaves out what there is not', () => {
    const fields = {
      status: '%RESPONSE_CODE%',
      request: { line: '%REQ(:METHOD)% %REQ(:PATH)%', tenant: '%REQ(X-TENANT)%' },
      flags: '%CEL(response.flags)%',
      mtls: '%CEL(mtls)%',
      detail: '%RESPONSE_CODE_DETAILS%',
      both: '%RESPONSE_CODE_DETAILS%/%RESPONSE_CODE%',
      always: 'text',
    }
    expect(jsonLine(compileJsonFields(fields)(record({ status: 503, flags: ['UH'] }), headers))).toBe(
      '{"status":503,"request":{"line":"GET /reviews/1","tenant":"blue"},"flags":["UH"],"mtls":false,"both":"-/503","always":"text"}',
    )
  })

  it('is one line that says what was sent, whatever that is', () => {
    const special = fc.constantFrom(
      '\n',
      '\r',
      '"',
      '\\',
      '\u001B',
      '\u007F',
      '\u0085',
      '\u009B',
      '\u2028',
      '\u2029',
      '\uD800',
    )
    const hostile = fc.string({ unit: fc.oneof(special, fc.string({ unit: 'binary', minLength: 1, maxLength: 1 })) })
    const lineOf = compileJsonFields({ path: '%REQ(:PATH)%', agent: 'by %REQ(USER-AGENT)%' })
    fc.assert(
      fc.property(hostile, hostile, (path, agent) => {
        const of = HeaderList.of(['user-agent', agent])
        const line = jsonLine(lineOf(record({ request: { ...request, path: `/${path}` } }), of))
        // eslint-disable-next-line no-control-regex
        expect(line).not.toMatch(/[\u0000-\u001F\u007F-\u009F\u2028\u2029]/)
        const read = JSON.parse(line) as Record<string, string>
        expect(read['agent']).toBe(`by ${of.get('user-agent') || '-'}`)
        if (!path.includes('?')) expect(read['path']).toBe(`/${path}`)
      }),
    )
  })
})

it('shows no header that may hold credentials', () => {
  for (const name of ['Authorization', 'X-A?Cookie', 'proxy-authorization', 'set-cookie', 'x-api-key', 'X-Auth-Token'])
    expect(parseLineFormat(`%REQ(${name})%`)).toContain('may hold credentials')
})

it.each([
  ['%START_TIME', 'no second "%"'],
  ['%NOTHING%', '%NOTHING% is not known'],
  ['%REQ(a b)%', 'no name of a header'],
  ['%CEL(response.stauts)%', 'no field of a decision record'],
  ['%CEL(1 + 1)%', 'no field of a decision record'],
])('does not take %s', (format, why) => {
  expect(parseLineFormat(format)).toContain(why)
  expect(() => compileTextLine(format)).toThrow(why)
})
