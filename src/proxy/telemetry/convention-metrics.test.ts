// A sidecar's series under the names of OpenTelemetry's conventions, and under Istio's, for a collector.
import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { sampleExchange } from '../../../test/kit/sample-exchange.ts'
import { silentLogger } from '../../core/logger.ts'
import { MetricRegistry } from '../../core/metrics/metric-registry.ts'
import type {
  ExportedMetric,
  ExportedPoint,
  HistogramValue,
} from '../../policies/metrics-export/metrics-export.spec.ts'
import { conventionMetrics } from './convention-metrics.ts'
import { exportedIstioMetrics } from './istio-metrics.ts'
import { ProxyMetrics } from './proxy-metrics.ts'

const clock = new ManualClock()

function find(all: Iterable<ExportedMetric>, name: string) {
  const found = [...all].find((metric) => metric.name === name)
  return found && { ...found, points: [...found.points] }
}

function histogram(point: ExportedPoint | undefined): HistogramValue {
  return point?.value as HistogramValue
}

function counted(maxSeries?: number) {
  const registry = new MetricRegistry(silentLogger, maxSeries)
  const metrics = new ProxyMetrics(registry, { workload: 'shop/web', spiffeId: 'spiffe://mesh.local/ns/shop/sa/web' })
  return {
    metrics,
    conventional: (name: string) => find(conventionMetrics(registry, clock), name),
    istio: (name: string) => find(exportedIstioMetrics(registry, clock), name),
    names: () => [...conventionMetrics(registry, clock)].map(({ name }) => name),
  }
}

describe('metrics under the names of the conventions', () => {
  it('are those of a client at the caller, and of a server at the callee', () => {
    const { metrics, conventional } = counted()
    metrics.finished(sampleExchange({ durationMs: 3, requestBytes: 7, responseBytes: 12 }))
    metrics.finished(sampleExchange({ durationMs: 30, protocol: 'HTTP/2', status: 404 }))
    metrics.finished(
      sampleExchange({ reporter: 'destination', sourcePrincipal: 'spiffe://mesh.local/ns/shop/sa/cart', status: 404 }),
    )
    const duration = conventional('http.client.request.duration')
    expect(duration).toMatchObject({ unit: 's', kind: 'histogram' })
    expect(duration?.points).toHaveLength(2)
    expect(duration?.points[0]?.attributes).toEqual({
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'network.protocol.version': '1.1',
      'server.address': 'reviews.default.svc.cluster.local',
      'heddle.reporter': 'source',
      'heddle.source.workload': 'shop/web',
      'heddle.source.principal': 'spiffe://mesh.local/ns/shop/sa/web',
      'heddle.destination.workload': 'default/reviews-v1',
      'heddle.destination.principal': 'spiffe://mesh.local/ns/default/sa/reviews',
      'heddle.destination.service': 'reviews.default.svc.cluster.local',
      'heddle.route': 'HTTPRoute/default/reviews/0',
    })
    expect(histogram(duration?.points[0]).sum).toBeCloseTo(0.003)
    // to a caller it is an error, to who has answered it is none
    expect(duration?.points[1]?.attributes).toMatchObject({ 'error.type': '404', 'network.protocol.version': '2' })
    const served = conventional('http.server.request.duration')
    expect(served?.points).toHaveLength(1)
    expect(served?.points[0]?.attributes).toMatchObject({
      'http.response.status_code': 404,
      'heddle.source.principal': 'spiffe://mesh.local/ns/shop/sa/cart',
    })
    expect(served?.points[0]?.attributes['error.type']).toBeUndefined()
    const sizes = conventional('http.client.request.body.size')
    expect(sizes).toMatchObject({ unit: 'By', kind: 'histogram' })
    expect(sizes?.points[0]?.value).toEqual({ kind: 'explicit', bounds: [], counts: [1], sum: 7, exemplars: [] })
    expect(conventional('http.server.response.body.size')?.points[0]?.value).toMatchObject({ sum: 12 })
  })

  it('say why there was no answer, and which methods nobody knows', () => {
    const { metrics, conventional } = counted()
    const request = { ...sampleExchange().request, method: 'BREW' }
    metrics.finished(
      sampleExchange({ request, status: 0, flags: ['UC', 'DC'], destinationService: undefined, route: undefined }),
    )
    metrics.finished(sampleExchange({ grpcStatus: 14 }))
    const points = conventional('http.client.request.duration')?.points
    expect(points?.[0]?.attributes).toMatchObject({
      'http.request.method': '_OTHER',
      'error.type': 'UC',
      'heddle.response_flags': 'UC,DC',
    })
    expect(points?.[0]?.attributes['http.response.status_code']).toBeUndefined()
    expect(points?.[0]?.attributes['heddle.route']).toBeUndefined()
    expect(points?.[1]?.attributes).toMatchObject({ 'rpc.grpc.status_code': 14 })
  })

  it('count what is beyond the cap once', () => {
    const { metrics, conventional } = counted(1)
    for (const status of [200, 201, 202]) metrics.finished(sampleExchange({ status }))
    expect(conventional('http.client.request.duration')?.points).toHaveLength(1)
    const [beyond] = conventional('http.server.request.duration')?.points ?? []
    expect(beyond?.attributes).toEqual({ 'otel.metric.overflow': true })
    expect([...histogram(beyond).counts].reduce((sum, count) => sum + count)).toBe(2)
  })

  it('are beside those of our own, which are not said twice', () => {
    const { metrics, names } = counted()
    metrics.finished(sampleExchange({ attempts: [] }))
    metrics.downstreamOpened('in')
    expect(names()).toEqual([
      'http.client.request.duration',
      'http.client.request.body.size',
      'http.client.response.body.size',
      'heddle.downstream_connections',
      'heddle.downstream_connections_active',
    ])
  })
})

describe("metrics under Istio's names for a collector", () => {
  it('are those that a scrape has', () => {
    const { metrics, istio } = counted()
    metrics.finished(sampleExchange({ durationMs: 3 }))
    metrics.finished(sampleExchange({ durationMs: 3, route: undefined }))
    metrics.tcpOpened('in', 'db.default.svc.cluster.local:5432')
    metrics.downstreamOpened('in')
    const requests = istio('istio_requests_total')
    expect(requests).toMatchObject({ kind: 'sum', points: [{ value: 2 }] })
    expect(requests?.points[0]?.attributes).toMatchObject({
      reporter: 'source',
      source_workload: 'web',
      destination_service_name: 'reviews',
      response_code: '200',
    })
    expect(istio('istio_request_duration_milliseconds')).toMatchObject({
      kind: 'histogram',
      points: [{ value: { sum: 6 } }],
    })
    expect(istio('istio_tcp_connections_opened_total')).toMatchObject({ points: [{ value: 1 }] })
    expect(istio('heddle.downstream_connections')).toMatchObject({ points: [{ value: 1 }] })
    expect(istio('heddle.requests')).toBeUndefined()
    expect(istio('heddle.tcp_connections_opened')).toBeUndefined()
  })
})
