import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../test/kit/manual-clock.ts'
import { sampleService, sampleSnapshot, sampleWorkload } from '../../test/kit/sample-snapshot.ts'
import type { TrafficSums } from '../contracts/read-api.ts'
import { ObservedTraffic } from '../control/telemetry/observed-traffic.ts'
import type { TrafficSeries } from '../control/telemetry/observed-traffic.ts'
import { buildTrafficSums } from './traffic-sums.ts'
import type { TrafficQuery } from './traffic-sums.ts'

const within5Ms = [0, 0, 0, 1]
const minuteMs = 60_000

function traffic(changes: Partial<TrafficSeries> = {}): TrafficSeries {
  return {
    reporter: 'source',
    source: 'default/client',
    sourcePrincipal: 'spiffe://mesh.local/ns/default/sa/client',
    service: 'web.default.svc.cluster.local',
    workload: 'default/web-1',
    route: 'default/web/0',
    protocol: 'http',
    mtls: true,
    code: '200',
    grpcStatus: '',
    ...changes,
  }
}

class Observed {
  readonly clock = new ManualClock()
  readonly traffic = new ObservedTraffic({ clock: this.clock })

  sums(query: Partial<TrafficQuery> = {}): TrafficSums {
    const snapshot = sampleSnapshot([sampleWorkload('client'), sampleWorkload('web-1')], [sampleService('web')])
    const place = { id: 'HTTPRoute/default/web', file: 'mesh.yaml', line: 7 }
    const placeOfRoute = (route: string) => (route.startsWith('default/web/') ? place : undefined)
    const asked = { by: ['from', 'to'], windowMs: minuteMs, agoMs: 0, parts: 0, ...query } as const
    return buildTrafficSums({ snapshot, traffic: this.traffic, placeOfRoute }, asked, this.clock.nowMs())
  }

  serve(count: number, changes: Partial<TrafficSeries> = {}): void {
    for (let one = 0; one < count; one++) this.traffic.observed(traffic(changes), within5Ms)
    this.clock.advance(1_000)
  }
}

describe('sums of traffic', () => {
  it('have in common what was asked for, with the quantiles of all their requests', () => {
    const observed = new Observed()
    observed.serve(6)
    observed.serve(2, { workload: 'default/web-2', route: 'default/web/1', code: '503' })
    const [edge, ...others] = observed.sums().sums
    expect(others).toEqual([])
    expect(edge).toMatchObject({
      from: 'workload/default/client',
      to: 'service/default/web',
      requests: 8,
      failed: 2,
      codes: { 200: 6, 503: 2 },
      mtls: 'all',
      health: 'failing',
    })
    expect(edge?.durationMs?.p99).toBeGreaterThan(edge?.durationMs?.p50 ?? Infinity)
    const byWorkload = observed.sums({ by: ['source', 'service', 'workload'] }).sums
    expect(byWorkload.map(({ source, workload, requests }) => [source, workload, requests])).toEqual([
      ['default/client', 'default/web-1', 6],
      ['default/client', 'default/web-2', 2],
    ])
    expect(byWorkload[0]).not.toHaveProperty('from')
  })

  it('say where a route is written', () => {
    const observed = new Observed()
    observed.serve(1)
    observed.serve(1, { route: 'default' })
    const { sums } = observed.sums({ by: ['route'] })
    expect(sums.map(({ route, document }) => [route, document?.line])).toEqual([
      ['default/web/0', 7],
      ['default', undefined],
    ])
  })

  it('are of whole seconds, and of no more than is known', () => {
    const observed = new Observed()
    observed.serve(5)
    observed.serve(5)
    observed.clock.advance(400)
    observed.traffic.observed(traffic(), within5Ms)
    // what is counted in a second that is not over would make its rate too low
    expect(observed.sums()).toMatchObject({ windowMs: 2_000, sums: [{ requests: 10 }] })
    expect(observed.sums({ windowMs: 1_000 })).toMatchObject({ windowMs: 1_000, sums: [{ requests: 5 }] })
  })

  it('are of a time that is over, where that is asked for', () => {
    const observed = new Observed()
    observed.serve(5)
    observed.clock.advance(minuteMs)
    observed.serve(7)
    expect(observed.sums({ windowMs: 10_000 }).sums).toMatchObject([{ requests: 7 }])
    expect(observed.sums({ windowMs: 10_000, agoMs: minuteMs }).sums).toMatchObject([{ requests: 5 }])
  })

  it('tell how it went over time', () => {
    const observed = new Observed()
    observed.serve(2)
    observed.serve(4)
    observed.serve(1, { code: '500' })
    observed.serve(3)
    expect(observed.sums({ parts: 4 }).sums[0]?.history).toEqual({
      stepMs: 1_000,
      requests: [2, 4, 1, 3],
      failed: [0, 0, 1, 0],
    })
    expect(observed.sums({ parts: 2 }).sums[0]?.history).toEqual({ stepMs: 2_000, requests: [6, 4], failed: [0, 1] })
    // the oldest part is shorter than the others
    expect(observed.sums({ parts: 3 }).sums[0]?.history).toEqual({ stepMs: 2_000, requests: [6, 4], failed: [0, 1] })
    expect(observed.sums({ parts: 20 }).sums[0]?.history?.requests).toEqual([2, 4, 1, 3])
    observed.clock.advance(20 * minuteMs)
    const old = observed.sums({ parts: 20, windowMs: 30_000, agoMs: 20 * minuteMs - 26_000 }).sums[0]
    expect(old?.requests).toBe(10)
    expect(old?.history).toMatchObject({ stepMs: 15_000, requests: [10, 0] })
  })
})
