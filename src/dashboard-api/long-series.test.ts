import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../test/kit/manual-clock.ts'
import { ObservedTraffic, type TrafficPoint, type TrafficSeries } from '../control/telemetry/observed-traffic.ts'
import type { HistoryQuery } from '../control/telemetry/prometheus-history.ts'
import { seriesAnswer } from './answers.ts'
import { buildSeries } from './long-series.ts'

const stepMs = 60_000
const edge: TrafficSeries = {
  reporter: 'source',
  source: 'default/client',
  sourcePrincipal: '',
  service: 'web.default.svc.cluster.local',
  workload: 'default/web',
  route: 'r',
  protocol: 'http',
  mtls: true,
  code: '200',
  grpcStatus: '',
}

/** A control plane that has begun a minute and a half ago, and seen five requests. */
async function series(answer: TrafficPoint[] | Error | undefined) {
  const clock = new ManualClock()
  clock.advance(stepMs - (clock.nowMs() % stepMs) + 30_000)
  const traffic = new ObservedTraffic({ clock })
  clock.advance(stepMs)
  traffic.observed(edge, [5])
  clock.advance(stepMs / 2)
  const asked: HistoryQuery[] = []
  const points = (query: HistoryQuery): Promise<TrafficPoint[]> => {
    asked.push(query)
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer ?? [])
  }
  const toMs = clock.nowMs()
  const query = { fromMs: toMs - 4 * stepMs, toMs, stepMs, service: edge.service, workload: undefined }
  const built = await buildSeries(traffic, answer === undefined ? undefined : { points }, query, clock.nowMs())
  expect(seriesAnswer.parse(built)).toEqual(built)
  return { ...built, asked, firstMs: query.fromMs, sinceMs: traffic.sinceMs }
}

describe('a series', () => {
  it('is what the control plane knows, where nobody remembers more', async () => {
    const { points, knownSinceMs, history, sinceMs } = await series(undefined)
    expect(points.map(({ requests }) => requests)).toEqual([0, 0, 0, 5])
    expect(knownSinceMs).toBe(sinceMs)
    expect(history).toBeUndefined()
  })

  it('is of before what Prometheus remembers, also of the step in which the control plane began', async () => {
    const remembered = { failed: 1, durationMs: { p50: 1, p90: 2, p95: 3, p99: 4 } }
    const at = (await series([])).firstMs
    const { points, knownSinceMs, history, asked, firstMs } = await series([
      { startMs: at + stepMs, requests: 100, ...remembered },
      { startMs: at + 2 * stepMs, requests: 50, ...remembered },
    ])
    expect(points.map(({ requests }) => requests)).toEqual([0, 100, 50, 5])
    expect(points[1]).toEqual({ atMs: firstMs + stepMs, requests: 100, ...remembered })
    expect(knownSinceMs).toBe(firstMs + stepMs)
    expect(history).toEqual({ source: 'prometheus' })
    expect(asked).toEqual([
      { fromMs: firstMs, toMs: firstMs + 3 * stepMs, stepMs, service: edge.service, workload: undefined },
    ])
  })

  it('says why nothing is remembered, and has what is known', async () => {
    const { points, knownSinceMs, history, sinceMs } = await series(new Error('Prometheus refuses: no'))
    expect(points.map(({ requests }) => requests)).toEqual([0, 0, 0, 5])
    expect(knownSinceMs).toBe(sinceMs)
    expect(history).toEqual({ source: 'prometheus', problem: 'Prometheus refuses: no' })
  })
})
