// Records, and their projections: access log and tap.
import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { sampleExchange } from '../../../test/kit/sample-exchange.ts'
import type { DecisionRecord } from '../../contracts/decision-record.ts'
import { HeaderList } from '../../core/header-list.ts'
import { createRandom } from '../../core/random.ts'
import { createAccessLog } from './access-log.ts'
import { createRecordSink, toDecisionRecord } from './decision-records.ts'
import type { Exchange } from './exchange.ts'
import { matchTap, Tap } from './tap.ts'

const identity = { workload: 'default/web', spiffeId: 'spiffe://mesh.local/ns/default/sa/web' }

function record(changes: Partial<Exchange> = {}): DecisionRecord {
  return toDecisionRecord(sampleExchange(changes), identity, 'id-1', 1_700_000_000_000)
}

function withRequest(path: string, ...headers: [string, string][]): Partial<Exchange> {
  return { request: { ...sampleExchange().request, path, headers: HeaderList.of(...headers) } }
}

describe('toDecisionRecord', () => {
  it('puts this proxy at the source of what it sends', () => {
    expect(record()).toMatchObject({
      id: 'id-1',
      proxy: 'default/web',
      source: { workload: 'default/web', principal: identity.spiffeId, address: '127.0.0.1:40000' },
      destination: { workload: 'default/reviews-v1', service: 'reviews.default.svc.cluster.local' },
      route: 'HTTPRoute/default/reviews/0',
      routeSource: { file: 'mesh.yaml', line: 12 },
      response: { status: 200, flags: [], bytes: 12 },
    })
  })

  it('puts this proxy at the destination of what it receives', () => {
    const sourcePrincipal = 'spiffe://mesh.local/ns/default/sa/shop'
    expect(
      record({ reporter: 'destination', sourcePrincipal, destinationWorkload: undefined, mtls: true }),
    ).toMatchObject({
      source: { workload: undefined, principal: sourcePrincipal },
      destination: { workload: 'default/web', principal: identity.spiffeId },
      mtls: true,
    })
  })

  it('keeps chosen headers and none with credentials', () => {
    const { request } = record(
      withRequest(
        '/',
        ['Authorization', 'Bearer x'],
        ['Cookie', 'session=x'],
        ['X-Request-Id', 'r1'],
        ['User-Agent', 'curl'],
        ['Content-Type', 'text/plain'],
      ),
    )
    expect(request.headers).toEqual({ 'x-request-id': 'r1', 'user-agent': 'curl', 'content-type': 'text/plain' })
  })

  it('hides the values of query parameters that sound like credentials', () => {
    const path = '/a?page=2&access_token=s3cret&X-Amz-Signature=s3cret&Password=s3cret&apikey=s3cret&q=token'
    const shown = record(withRequest(path)).request.path
    expect(shown).toBe('/a?page=2&access_token=***&X-Amz-Signature=***&Password=***&apikey=***&q=token')
  })

  it('takes no time for a query made to take long', () => {
    const beganMs = performance.now()
    record(withRequest(`/${'?token'.repeat(2_700)}`))
    expect(performance.now() - beganMs).toBeLessThan(200)
  })
})

describe('createRecordSink', () => {
  it('makes no record while nobody wants one', () => {
    const exchange = sampleExchange()
    const untouchable = new Proxy(exchange, {
      get() {
        throw new Error('touched')
      },
    })
    createRecordSink(identity, new ManualClock(), new Tap()).finished(untouchable)
  })

  it('gives every record its own id', () => {
    const lines: string[] = []
    const sink = createRecordSink(
      identity,
      new ManualClock(),
      createAccessLog({ write: (line) => lines.push(line), random: createRandom(1) }),
    )
    for (let i = 0; i < 3; i++) sink.finished(sampleExchange())
    const ids = lines.map((line) => (JSON.parse(line) as { id: string }).id)
    expect(new Set(ids).size).toBe(3)
  })
})

describe('the access log', () => {
  it('writes one JSON line a request', () => {
    const lines: string[] = []
    const sink = createRecordSink(
      identity,
      new ManualClock(),
      createAccessLog({ write: (line) => lines.push(line), random: createRandom(1) }),
    )
    const detail = 'text with "quotes"\nand a break'
    sink.finished(
      sampleExchange({ durationMs: 1.23456, detail, flags: ['UF'], status: 503, ...withRequest('/x\u2028y') }),
    )
    expect(lines).toHaveLength(1)
    expect(lines[0]).not.toContain('\n')
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      time: 1_700_000_000_000,
      method: 'GET',
      authority: 'reviews:9080',
      path: '/x\u2028y',
      status: 503,
      flags: ['UF'],
      detail,
      duration_ms: 1.235,
      source_workload: 'default/web',
      destination_workload: 'default/reviews-v1',
      route_source: 'mesh.yaml:12',
      attempts: 1,
      mtls: false,
      revision: '7',
    })
  })
})

it('the access log says by which rule a request was refused', () => {
  const lines: string[] = []
  const log = createAccessLog({ write: (line) => lines.push(line), random: createRandom(1) })
  const sink = createRecordSink(identity, new ManualClock(), log)
  const reason = 'denied by AuthorizationPolicy/default/api, rule 1'
  const source = { document: 'AuthorizationPolicy/default/api', rule: '0', file: 'mesh.yaml', line: 7, column: 5 }
  const verdict = { policy: 'AuthorizationPolicy/default/api/0', source, reason, audited: [], shadow: undefined }
  sink.finished(sampleExchange({ status: 403, flags: ['UAEX'], authorization: { ...verdict, allowed: false } }))
  sink.finished(sampleExchange({ status: 500, authorization: { ...verdict, allowed: true } }))
  const [refused, allowed] = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(refused).toMatchObject({ authorization: reason, authorization_source: 'mesh.yaml:7' })
  expect(allowed).not.toHaveProperty('authorization')
})

it('the access log has no line for a request that its listener does not log', () => {
  const lines: string[] = []
  const sink = createRecordSink(
    identity,
    new ManualClock(),
    createAccessLog({ write: (line) => lines.push(line), random: createRandom(1) }),
  )
  const none = { enabled: true, samplePercent: 0 }
  sink.finished(sampleExchange({ accessLog: undefined }))
  sink.finished(sampleExchange({ accessLog: none }))
  sink.finished(sampleExchange({ accessLog: none, status: 502 }))
  sink.finished(sampleExchange({ accessLog: none, status: 404, flags: ['NR'] }))
  expect(lines.map((line) => (JSON.parse(line) as { status: number }).status)).toEqual([502, 404])
})

describe('a tap', () => {
  it('hands records to subscribers that ask for them, until they stop', () => {
    const tap = new Tap()
    const sink = createRecordSink(identity, new ManualClock(), tap)
    const all: DecisionRecord[] = []
    const errors: DecisionRecord[] = []
    const stopAll = tap.subscribe({}, (one) => all.push(one))
    const stopErrors = tap.subscribe({ statusClass: 5 }, (one) => errors.push(one))
    expect(tap.active).toBe(true)
    sink.finished(sampleExchange())
    sink.finished(sampleExchange({ status: 503 }))
    stopAll()
    sink.finished(sampleExchange({ status: 504 }))
    stopErrors()
    expect(tap.active).toBe(false)
    expect([all.length, errors.length]).toEqual([2, 2])
  })

  it.each([
    [{}, true],
    [{ method: 'GET' }, true],
    [{ method: 'POST' }, false],
    [{ pathPrefix: '/reviews' }, true],
    [{ pathPrefix: '/ratings' }, false],
    [{ statusClass: 2 }, true],
    [{ statusClass: 0 }, false],
    [{ namespace: 'default' }, true],
    [{ namespace: 'def' }, false],
    [{ workload: 'default/reviews-v1' }, true],
    [{ workload: 'default/web' }, true],
    [{ workload: 'default/other' }, false],
    [{ service: 'reviews.default.svc.cluster.local' }, true],
    [{ service: 'reviews' }, false],
    [{ method: 'GET', statusClass: 5 }, false],
  ])('matches %j: %s', (filter, expected) => {
    expect(matchTap(filter, record())).toBe(expected)
  })
})
