import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { ObservedTraffic, observedForMs } from './observed-traffic.ts'
import type { TrafficSeries } from './observed-traffic.ts'

const reviews = { namespace: 'default', name: 'reviews' }

function series(changes: Partial<TrafficSeries> = {}): TrafficSeries {
  return {
    reporter: 'source',
    source: 'default/web',
    sourcePrincipal: 'spiffe://mesh.local/ns/default/sa/web',
    service: 'reviews.default.svc.cluster.local',
    workload: 'default/reviews-v1',
    route: 'HTTPRoute/default/reviews/0',
    protocol: 'http',
    mtls: true,
    code: '200',
    grpcStatus: '',
    ...changes,
  }
}

/** All in the bucket of up to 5 ms. */
function within5Ms(count: number): number[] {
  return [0, 0, 0, count]
}

function observed(maxSeries = 1_000): { traffic: ObservedTraffic; clock: ManualClock; startMs: number } {
  // at the start of a quarter of a minute
  const clock = new ManualClock(1_700_000_010_000)
  return { traffic: new ObservedTraffic({ clock, maxSeries }), clock, startMs: clock.nowMs() }
}

describe('observed traffic', () => {
  it('tells edges apart, and adds up what has other answers', () => {
    const { traffic, clock, startMs } = observed()
    traffic.observed(series(), within5Ms(7))
    traffic.observed(series({ code: '503' }), within5Ms(2))
    traffic.observed(series({ code: '404' }), within5Ms(1))
    traffic.observed(series({ workload: 'default/reviews-v2', mtls: false }), within5Ms(4))
    clock.advance(1_000)
    const edges = traffic.edges(startMs, clock.nowMs())
    expect(edges).toHaveLength(2)
    expect(edges[0]).toMatchObject({
      source: 'default/web',
      workload: 'default/reviews-v1',
      mtls: 10,
      plaintext: 0,
      requests: 10,
      failed: 2,
      codes: { '200': 7, '404': 1, '503': 2 },
    })
    expect(edges[1]).toMatchObject({ workload: 'default/reviews-v2', mtls: 0, plaintext: 4, requests: 4 })
  })

  it('counts as failed what the server is to blame for', () => {
    const { traffic, startMs } = observed()
    const grpc = (grpcStatus: string): TrafficSeries => series({ protocol: 'grpc', grpcStatus })
    const failed = [series({ code: '500' }), series({ code: '0' }), grpc('14'), grpc('13')]
    const fine = [series(), series({ code: '404' }), grpc('0'), grpc('5')]
    for (const one of [...failed, ...fine]) traffic.observed(one, within5Ms(1))
    traffic.counted(series({ protocol: 'tcp', code: 'failed' }), 1)
    traffic.counted(series({ protocol: 'tcp', code: 'opened' }), 1)
    expect(traffic.destination(reviews, startMs)).toMatchObject({ requests: 10, failed: 5 })
    const [, , tcp] = traffic.edges(startMs, startMs + 1_000)
    expect(tcp).toEqual(expect.not.objectContaining({ durationMs: expect.anything() as unknown }))
  })

  it('says how long requests to a destination took', () => {
    const { traffic, startMs } = observed()
    const counts = Array.from({ length: 15 }, () => 0)
    counts[3] = 98 // up to 5 ms
    counts[9] = 1 // up to 500 ms
    counts[14] = 1 // beyond 10 s
    traffic.observed(series(), counts)
    traffic.observed(series({ service: 'other.default.svc.cluster.local' }), within5Ms(1_000))
    const { requests, durationMs } = traffic.destination(reviews, startMs)
    expect(requests).toBe(100)
    expect(durationMs?.p50).toBeCloseTo(2.5 + (2.5 * 50) / 98)
    expect(durationMs?.p99).toBeCloseTo(500)
    expect(traffic.destination({ namespace: 'default', name: 'nobody' }, startMs)).toEqual({ requests: 0, failed: 0 })
  })

  it('knows each second of a quarter of an hour, and each quarter of a minute of six hours', () => {
    const { traffic, clock, startMs } = observed()
    // one request more each minute
    for (let minute = 0; minute < 6 * 60 + 30; minute++) {
      traffic.observed(series(), within5Ms(minute + 1))
      clock.advance(60_000)
    }
    const of = (fromMinute: number, toMinute: number): number =>
      traffic.edges(startMs + fromMinute * 60_000, startMs + toMinute * 60_000)[0]?.requests ?? 0
    expect(of(389, 390)).toBe(390)
    expect(of(380, 385)).toBe(381 + 382 + 383 + 384 + 385)
    expect(of(100, 103)).toBe(101 + 102 + 103)
    expect(of(29, 30)).toBe(0)
    expect(traffic.edges(clock.nowMs() - observedForMs, clock.nowMs())[0]?.requests).toBe((360 * (31 + 390)) / 2)
  })

  it('loses and doubles nothing on the way from seconds to quarters of a minute', () => {
    const steps = fc.array(fc.record({ afterMs: fc.nat(40_000), count: fc.integer({ min: 1, max: 50 }) }), {
      maxLength: 100,
    })
    fc.assert(
      fc.property(steps, (all) => {
        const { traffic, clock, startMs } = observed()
        let requests = 0
        for (const { afterMs, count } of all) {
          clock.advance(afterMs)
          traffic.observed(series(), within5Ms(count))
          requests += count
          expect(traffic.destination(reviews, startMs).requests).toBe(requests)
        }
        const points = traffic.points(startMs, clock.nowMs() + 1, 15_000, () => true)
        expect(points.reduce((sum, point) => sum + point.requests, 0)).toBe(requests)
      }),
    )
  })

  it('has a point for each step, also where nothing happened', () => {
    const { traffic, clock, startMs } = observed()
    traffic.observed(series(), within5Ms(3))
    clock.advance(2_000)
    traffic.observed(series({ code: '500' }), within5Ms(2))
    clock.advance(1_000)
    const points = traffic.points(startMs, clock.nowMs(), 1_000, ({ service }) => service.startsWith('reviews.'))
    expect(points.map(({ requests, failed }) => [requests, failed])).toEqual([
      [3, 0],
      [0, 0],
      [2, 2],
    ])
    expect(points[1]).not.toHaveProperty('durationMs')
  })

  it('counts what comes beyond the greatest number of series as one, and has room again when old ones are forgotten', () => {
    const { traffic, clock, startMs } = observed(4)
    for (let one = 0; one < 10; one++) traffic.observed(series({ source: `default/web-${one}` }), within5Ms(1))
    const edges = traffic.edges(startMs, startMs + 1_000)
    expect(edges.map(({ source, requests }) => [source, requests])).toEqual([
      ['default/web-0', 1],
      ['default/web-1', 1],
      ['default/web-2', 1],
      ['overflow', 7],
    ])
    clock.advance(observedForMs + 60_000)
    traffic.observed(series({ source: 'default/new' }), within5Ms(1))
    expect(traffic.edges(0, Infinity).map(({ source }) => source)).toEqual(['default/new'])
  })
})
