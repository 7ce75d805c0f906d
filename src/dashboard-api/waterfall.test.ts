import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { sampleRecord } from '../../test/kit/sample-record.ts'
import type { AttemptRecord, DecisionRecord } from '../contracts/decision-record.ts'
import { faultOf } from './request-fault.ts'
import { buildWaterfall } from './waterfall.ts'

const startMs = 1_700_000_000_000

/** What `from`'s proxy sent to `to`; each attempt begins so long after it and takes as long. */
function sent(
  from: string,
  to: string,
  offsetMs: number,
  durationMs: number,
  ...attempts: [number, number][]
): DecisionRecord {
  return sampleRecord({
    proxy: from,
    source: { workload: from, principal: `spiffe://mesh.local/${from}` },
    startMs: startMs + offsetMs,
    durationMs,
    attempts: (attempts.length === 0 ? [[0, durationMs] as const] : attempts).map(([afterMs, tookMs]) => ({
      endpoint: '127.0.0.1:1',
      workload: to,
      outcome: 'response',
      startMs: afterMs,
      durationMs: tookMs,
    })),
  })
}

function received(by: string, from: string, offsetMs: number, durationMs: number): DecisionRecord {
  return sampleRecord({
    proxy: by,
    reporter: 'destination',
    source: { principal: `spiffe://mesh.local/${from}` },
    destination: { workload: by },
    startMs: startMs + offsetMs,
    durationMs,
    attempts: [],
  })
}

function trace(spanId: string, parentSpanId?: string): Pick<DecisionRecord, 'trace'> {
  return { trace: { traceId: 't', spanId, parentSpanId } }
}

function drawn(records: readonly DecisionRecord[]): string[] {
  return buildWaterfall(records).map(
    ({ depth, attempt, offsetMs, record: { proxy, reporter } }) =>
      `${'  '.repeat(depth)}${proxy} ${reporter} +${offsetMs}${attempt === undefined ? '' : ` of attempt ${attempt}`}`,
  )
}

describe('the waterfall of a request', () => {
  it('goes from hop to hop by who was asked, and when', () => {
    const hops = [
      received('c', 'b', 12, 3),
      sent('web', 'b', 0, 30),
      sent('b', 'd', 18, 4),
      received('b', 'web', 1, 28),
      received('d', 'b', 19, 2),
      sent('b', 'c', 11, 5),
    ]
    expect(drawn(hops)).toEqual([
      'web source +0',
      '  b destination +1 of attempt 0',
      '    b source +11',
      '      c destination +12 of attempt 0',
      '    b source +18',
      '      d destination +19 of attempt 0',
    ])
  })

  it('puts what retries brought below their attempts', () => {
    const hops = [received('b', 'web', 21, 9), sent('web', 'b', 0, 31, [0, 10], [20, 11]), received('b', 'web', 1, 8)]
    expect(drawn(hops)).toEqual([
      'web source +0',
      '  b destination +1 of attempt 0',
      '  b destination +21 of attempt 1',
    ])
  })

  it('gives each of two attempts at once what it brought', () => {
    const hops = [sent('web', 'b', 0, 31, [0, 30], [1, 29]), received('b', 'web', 2, 8), received('b', 'web', 3, 8)]
    expect(drawn(hops)).toEqual(['web source +0', '  b destination +2 of attempt 1', '  b destination +3 of attempt 0'])
  })

  it('tells attempts that are closer together than clocks by their statuses', () => {
    const source = sent('a', 'b', 0, 4, [0, 1], [2, 1])
    const attempts = source.attempts.map((attempt, index) => ({ ...attempt, status: index === 0 ? 503 : 200 }))
    const hops = [
      { ...source, attempts },
      { ...received('b', 'a', 2, 1), response: { status: 503, flags: [], bytes: 0 } },
      { ...received('b', 'a', 3, 1), response: { status: 200, flags: [], bytes: 0 } },
    ]
    expect(drawn(hops)).toEqual(['a source +0', '  b destination +2 of attempt 0', '  b destination +3 of attempt 1'])
  })

  it('believes spans more than times', () => {
    const attempts: AttemptRecord[] = [
      { endpoint: '1', outcome: 'reset', durationMs: 1 },
      { endpoint: '2', outcome: 'response', durationMs: 1, spanId: 'second' },
    ]
    const hops = [
      { ...received('b', 'web', 500, 1), ...trace('server', 'second') },
      { ...sent('web', 'b', 0, 2), ...trace('client'), attempts },
      { ...sent('b', 'c', 900, 2), ...trace('next', 'server') },
    ]
    expect(drawn(hops)).toEqual(['web source +0', '  b destination +500 of attempt 1', '    b source +900'])
  })

  it('shows a hop whose caller is not known on its own', () => {
    expect(drawn([received('b', 'web', 50, 1), sent('web', 'b', 0, 2)])).toEqual(['web source +0', 'b destination +50'])
  })

  it('blames who began it, and not those who handed it on', () => {
    const { response } = sampleRecord()
    const failed = { response: { ...response, status: 503 } }
    const hops = [
      { ...sent('web', 'b', 0, 30), ...failed },
      { ...received('b', 'web', 1, 28), ...failed },
    ]
    expect(buildWaterfall(hops).map(({ fault }) => fault?.proxy)).toEqual([undefined, 'b'])
    const timedOut = { ...hops[0]!, response: { ...response, status: 504, flags: ['UT' as const] } }
    expect(buildWaterfall([timedOut, hops[1]!]).map(({ fault }) => fault?.reason.slice(0, 15))).toEqual([
      'UT',
      'the application',
    ])
  })

  it('shows every hop once, whatever proxies say', () => {
    const word = fc.constantFrom('a', 'b', 'c')
    const hop = fc
      .record({
        proxy: word,
        to: word,
        at: fc.nat(50),
        took: fc.nat(50),
        span: word,
        parent: word,
        inbound: fc.boolean(),
      })
      .map(({ proxy, to, at, took, span, parent, inbound }) => ({
        ...(inbound ? received(proxy, to, at, took) : sent(proxy, to, at, took)),
        trace: { traceId: 't', spanId: span, parentSpanId: parent },
      }))
    fc.assert(
      fc.property(fc.array(hop, { maxLength: 12 }), (hops) => {
        const shown = buildWaterfall(hops)
        expect(new Set(shown.map(({ record }) => record))).toEqual(new Set(hops))
        expect(shown).toHaveLength(hops.length)
        for (const { parent, depth } of shown)
          expect(depth).toBe(parent === undefined ? 0 : (shown[parent]?.depth ?? NaN) + 1)
      }),
    )
  })

  it('takes no time for as many hops as are kept', () => {
    const hops = Array.from({ length: 256 }, (_, i) =>
      i % 2 === 0 ? sent('a', 'b', i, 300) : received('b', 'a', i, 300),
    )
    const beganMs = performance.now()
    expect(buildWaterfall(hops)).toHaveLength(256)
    expect(performance.now() - beganMs).toBeLessThan(200)
  })
})

describe('why a hop went wrong', () => {
  const { response } = sampleRecord()
  const refusal = {
    allowed: false,
    reason: 'denied by AuthorizationPolicy/default/api, rule 1',
    source: { document: 'AuthorizationPolicy/default/api', file: 'mesh.yaml', line: 7, column: 5 },
    audited: [],
  }

  it.each([
    ['nothing', {}, undefined],
    ['a page that is not there', { response: { ...response, status: 404 } }, undefined],
    [
      'the rule that refused it',
      { authorization: refusal, response: { ...response, status: 403, flags: ['UAEX'] } },
      'denied by AuthorizationPolicy/default/api, rule 1 mesh.yaml:7',
    ],
    [
      'a rate limit',
      { rateLimit: { limit: 'TrafficPolicy/default/a/b', enforced: true } },
      'beyond the rate limit TrafficPolicy/default/a/b undefined',
    ],
    [
      'what the proxy did',
      { response: { ...response, status: 503, flags: ['UF', 'URX'], detail: 'connection refused' } },
      'UF,URX: connection refused undefined',
    ],
    [
      'the application',
      { response: { ...response, status: 500 } },
      'the application answered with status 500 undefined',
    ],
    [
      'the application, in gRPC',
      { response: { ...response, grpcStatus: 14 } },
      'the application answered with gRPC status 14 undefined',
    ],
  ] as [string, Partial<DecisionRecord>, string | undefined][])('is %s', (_, changes, expected) => {
    const fault = faultOf(sampleRecord(changes), false)
    expect(fault && `${fault.reason} ${fault.source}`).toBe(expected)
  })
})
