// Heddle's series under Istio's names: what dashboards made for Istio ask for is there, and adds up.
import { describe, expect, it } from 'vitest'

import { sampleExchange } from '../../../test/kit/sample-exchange.ts'
import { sampleTrace } from '../../../test/kit/sample-trace.ts'
import { silentLogger } from '../../core/logger.ts'
import { MetricRegistry } from '../../core/metrics/metric-registry.ts'
import { renderPrometheus } from '../../core/metrics/prometheus.ts'
import { renderIstioMetrics } from './istio-metrics.ts'
import { ProxyMetrics } from './proxy-metrics.ts'

function counted() {
  const registry = new MetricRegistry(silentLogger)
  const metrics = new ProxyMetrics(registry, {
    workload: 'shop/web',
    spiffeId: 'spiffe://mesh.local/ns/shop/sa/web',
  })
  const line = (name: string): string[] =>
    renderIstioMetrics(registry)
      .split('\n')
      .filter((one) => one.startsWith(name))
  return { registry, metrics, line }
}

describe('metrics under the names of Istio', () => {
  it('say of a caller who was called, and how it went', () => {
    const { metrics, line } = counted()
    metrics.finished(sampleExchange())
    metrics.finished(sampleExchange({ durationMs: 7, responseBytes: 5 }))
    expect(line('istio_requests_total')).toEqual([
      'istio_requests_total{reporter="source",source_workload="web",source_workload_namespace="shop",source_canonical_service="web",' +
        'source_principal="spiffe://mesh.local/ns/shop/sa/web",source_app="web",destination_workload="reviews-v1",destination_workload_namespace="default",' +
        'destination_canonical_service="reviews-v1",destination_principal="unknown",destination_app="reviews-v1",' +
        'destination_service="reviews.default.svc.cluster.local",destination_service_name="reviews",destination_service_namespace="default",' +
        'connection_security_policy="unknown",request_protocol="http",response_code="200",grpc_response_status="",response_flags="-"} 2',
    ])
    const duration = line('istio_request_duration_milliseconds')
    expect(duration.find((one) => one.includes('le="5"'))).toMatch(/ 1$/)
    expect(duration.find((one) => one.includes('le="10"'))).toMatch(/ 2$/)
    expect(duration.find((one) => one.includes('_sum'))).toMatch(/ 10$/)
    expect(line('istio_response_bytes_sum')[0]).toMatch(/ 17$/)
    expect(line('istio_response_bytes_count')[0]).toMatch(/ 2$/)
  })

  it('join what Heddle tells apart and Istio does not', () => {
    const { metrics, line } = counted()
    metrics.finished(sampleExchange())
    metrics.finished(sampleExchange({ route: undefined }))
    expect(line('istio_requests_total')).toHaveLength(1)
    expect(line('istio_requests_total')[0]).toMatch(/ 2$/)
  })

  it('say of a callee who has called by certificate, and that it was secured', () => {
    const { metrics, line } = counted()
    const inbound = { reporter: 'destination', destinationService: undefined } as const
    metrics.finished(sampleExchange({ ...inbound, sourcePrincipal: 'spiffe://mesh.local/ns/default/sa/cart' }))
    metrics.finished(sampleExchange({ ...inbound, grpcStatus: 14 }))
    const [secured, plain] = line('istio_requests_total')
    expect(secured).toContain('source_workload="cart",source_workload_namespace="default"')
    expect(secured).toContain('connection_security_policy="mutual_tls",request_protocol="http"')
    expect(plain).toContain('source_workload="unknown"')
    expect(plain).toContain('connection_security_policy="none",request_protocol="grpc"')
    expect(plain).toContain('grpc_response_status="14"')
  })

  it('count connections of bytes', () => {
    const { metrics, line } = counted()
    metrics.tcpOpened('out', 'mysql.data.svc.cluster.local:3306')
    metrics.tcpBytes('out', 'mysql.data.svc.cluster.local:3306', 10, 20)
    expect(line('istio_tcp_')).toEqual([
      expect.stringMatching(/^istio_tcp_connections_opened_total\{.*destination_service_name="mysql".*\} 1$/),
      expect.stringMatching(/^istio_tcp_connections_closed_total\{.*\} 0$/),
      expect.stringMatching(/^istio_tcp_sent_bytes_total\{.*\} 10$/),
      expect.stringMatching(/^istio_tcp_received_bytes_total\{.*\} 20$/),
    ])
  })
})

describe('exemplars', () => {
  it('lead from a bucket to the newest sampled trace in it', () => {
    const { metrics, registry } = counted()
    metrics.finished(sampleExchange({ durationMs: 3, traced: sampleTrace('a'.repeat(32)) }))
    metrics.finished(sampleExchange({ durationMs: 4, traced: sampleTrace('b'.repeat(32)) }))
    metrics.finished(sampleExchange({ durationMs: 4, traced: sampleTrace('c'.repeat(32), false) }))
    const text = renderPrometheus(registry, 'openmetrics')
    const exemplars = text.split('\n').filter((line) => line.includes(' # '))
    expect(exemplars).toHaveLength(1)
    expect(exemplars[0]).toMatch(/le="0\.005"\} 3 # \{trace_id="b{32}"\} 0\.004$/)
    expect(text.endsWith('# EOF\n')).toBe(true)
    expect(text).toContain('# TYPE heddle_requests counter\n')
    expect(renderPrometheus(registry)).not.toContain(' # {')
  })
})
