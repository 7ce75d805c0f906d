// Records, and their projections: access log and tap.
import { describe, expect, it } from 'vitest'

import { immediately } from '../../../test/kit/immediately.ts'
import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { sampleExchange } from '../../../test/kit/sample-exchange.ts'
import type { DecisionRecord } from '../../contracts/decision-record.ts'
import { HeaderList } from '../../core/header-list.ts'
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
    createRecordSink(identity, new ManualClock(), immediately, new Tap()).finished(untouchable)
  })

  it('gives every record its own id', () => {
    const ids = new Set<string>()
    const sink = createRecordSink(identity, new ManualClock(), immediately, {
      wants: () => true,
      consume: ({ id }) => void ids.add(id),
    })
    for (let i = 0; i < 3; i++) sink.finished(sampleExchange())
    expect(ids.size).toBe(3)
  })
})

describe('a tap', () => {
  it('hands records to subscribers that ask for them, until they stop', () => {
    const tap = new Tap()
    const sink = createRecordSink(identity, new ManualClock(), immediately, tap)
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
