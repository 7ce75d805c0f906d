import { describe, expect, it } from 'vitest'

import { sampleExchange } from '../../../test/kit/sample-exchange.ts'
import { silentLogger } from '../../core/logger.ts'
import { MetricRegistry } from '../../core/metrics/metric-registry.ts'
import { renderPrometheus } from '../../core/metrics/prometheus.ts'
import { ProxyMetrics } from '../../proxy/telemetry/proxy-metrics.ts'
import { compareEdges, sumEdges, type EdgeTotals } from './edges.ts'
import { parsePrometheus } from './prometheus-text.ts'

class Sidecar {
  readonly #registry = new MetricRegistry(silentLogger)
  readonly #metrics = new ProxyMetrics(this.#registry, {
    workload: 'default/web',
    spiffeId: 'spiffe://mesh.local/ns/default/sa/web',
  })

  serve(count: number, changes: Parameters<typeof sampleExchange>[0] = {}): void {
    for (let i = 0; i < count; i++) this.#metrics.finished(sampleExchange(changes))
  }

  scrape(): EdgeTotals {
    return sumEdges(parsePrometheus(renderPrometheus(this.#registry)))
  }
}

const nothing: EdgeTotals = new Map()

describe('edges', () => {
  it('counts rate and success over the time between two scrapes, per workload that answered', () => {
    const sidecar = new Sidecar()
    sidecar.serve(100)
    const before = sidecar.scrape()
    sidecar.serve(15)
    sidecar.serve(5, { status: 503, flags: ['UF'] })
    sidecar.serve(10, { destinationWorkload: 'default/reviews-v2' })
    const edges = compareEdges(before, sidecar.scrape(), 2000)
    expect(edges).toMatchObject([
      { source: 'default/web', workload: 'default/reviews-v1', requests: 120, requestsPerSecond: 10, success: 0.75 },
      { source: 'default/web', workload: 'default/reviews-v2', requests: 10, requestsPerSecond: 5, success: 1 },
    ])
    expect(edges[0]?.service).toBe('reviews.default.svc.cluster.local')
  })

  it('counts a request that never got a status as failed', () => {
    const sidecar = new Sidecar()
    sidecar.serve(1, { status: 0, flags: ['DC'] })
    expect(compareEdges(nothing, sidecar.scrape(), 1000)[0]?.success).toBe(0)
  })

  it('counts a gRPC call as failed by its status where the server is to blame, whatever HTTP says', () => {
    const sidecar = new Sidecar()
    for (let grpcStatus = 0; grpcStatus <= 16; grpcStatus++) sidecar.serve(1, { grpcStatus })
    expect(compareEdges(nothing, sidecar.scrape(), 1000)[0]?.success).toBeCloseTo(11 / 17, 9)
  })

  it('leaves out what the destination counted: each request once', () => {
    const sidecar = new Sidecar()
    sidecar.serve(3, { reporter: 'destination' })
    expect(compareEdges(nothing, sidecar.scrape(), 1000)).toEqual([])
  })

  it('interpolates quantiles inside a bucket', () => {
    const sidecar = new Sidecar()
    sidecar.serve(99, { durationMs: 0.7 })
    sidecar.serve(1, { durationMs: 70 })
    const [edge] = compareEdges(nothing, sidecar.scrape(), 1000)
    expect(edge?.p50Ms).toBeCloseTo(0.5 + 0.5 * (50 / 99), 3)
    expect(edge?.p99Ms).toBeCloseTo(1, 3)
  })

  it('has no success and no latency where nothing happened meanwhile', () => {
    const sidecar = new Sidecar()
    sidecar.serve(3)
    const [edge] = compareEdges(sidecar.scrape(), sidecar.scrape(), 1000)
    expect(edge).toMatchObject({ requests: 3, requestsPerSecond: 0, success: undefined, p50Ms: undefined })
  })

  it('starts anew when a proxy restarted', () => {
    const [old, fresh] = [new Sidecar(), new Sidecar()]
    old.serve(50)
    fresh.serve(4)
    expect(compareEdges(old.scrape(), fresh.scrape(), 1000)[0]).toMatchObject({ requestsPerSecond: 4 })
  })
})

describe('parsePrometheus', () => {
  it('reads escaped label values and leaves out what is no sample', () => {
    const text = '# HELP a b\n# TYPE a counter\na{path="say \\"x\\"\\\\\\n"} 3\nb +Inf\n??\n'
    expect(parsePrometheus(text)).toEqual([
      { name: 'a', labels: { path: 'say "x"\\\n' }, value: 3 },
      { name: 'b', labels: {}, value: Infinity },
    ])
  })
})
