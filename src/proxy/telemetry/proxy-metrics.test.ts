// What a sidecar's metrics say about the requests and connections it saw.
import { describe, expect, it } from 'vitest'

import { sampleExchange } from '../../../test/kit/sample-exchange.ts'
import { proxyMetrics } from '../../contracts/telemetry/metrics.ts'
import { silentLogger } from '../../core/logger.ts'
import { MetricRegistry } from '../../core/metrics/metric-registry.ts'
import { renderPrometheus } from '../../core/metrics/prometheus.ts'
import { composeSinks } from './compose-sinks.ts'
import { ProxyMetrics } from './proxy-metrics.ts'

const identity = { workload: 'default/web', spiffeId: 'spiffe://mesh.local/ns/default/sa/web' }

function create(): { metrics: ProxyMetrics; series: (name: string) => string[] } {
  const registry = new MetricRegistry(silentLogger)
  const series = (name: string): string[] =>
    renderPrometheus(registry)
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
  return { metrics: new ProxyMetrics(registry, identity), series }
}

describe('ProxyMetrics', () => {
  it('counts connections of opaque bytes apart from requests', () => {
    const { metrics, series } = create()
    metrics.tcpOpened('outbound', 'database')
    metrics.tcpBytes('outbound', 'database', 3, 4)
    metrics.tcpBytes('outbound', 'database', 30, 40)
    metrics.tcpClosed('outbound', 'database')
    metrics.tcpFailed('outbound', '')
    metrics.finished(sampleExchange({ protocol: 'TCP' }))
    const labels = 'listener="outbound",cluster="database"'
    for (const [name, value] of [
      ['connections_opened', 1],
      ['connections_closed', 1],
      ['sent_bytes', 33],
      ['received_bytes', 44],
    ]) {
      expect(series(`heddle_tcp_${name}_total`)).toContain(`heddle_tcp_${name}_total{${labels}} ${value}`)
    }
    expect(series('heddle_tcp_connections_failed_total')).toContain(
      'heddle_tcp_connections_failed_total{listener="outbound",cluster="unknown"} 1',
    )
    expect(series('heddle_requests_total')).toEqual([])
  })

  it('counts nothing of a request whose metrics are muted', () => {
    const { metrics, series } = create()
    const authorization = { allowed: false, policy: 'p', source: undefined, reason: 'no', audited: [] }
    const attempts = [1, 2].map((number) => ({
      endpoint: '127.0.0.1:1',
      outcome: 'response' as const,
      durationMs: number,
      retriedBecause: '5xx',
    }))
    for (const protocol of ['HTTP/1.1', 'TCP'])
      metrics.finished(
        sampleExchange({
          protocol,
          authorization,
          egressRefused: 'policy',
          attempts,
          muted: { metrics: true, decisionRecords: false },
        }),
      )
    const names = ['requests', 'request_bytes', 'response_bytes', 'upstream_retries', 'authorization', 'egress_refused']
    for (const name of names) expect(series(`heddle_${name}_total`)).toEqual([])
    expect(series('heddle_request_duration_seconds_count')).toEqual([])
    metrics.finished(sampleExchange({ muted: { metrics: false, decisionRecords: true } }))
    expect(series('heddle_requests_total')).toHaveLength(1)
  })

  it('counts what was not let out, by caller, destination and reason', () => {
    const { metrics, series } = create()
    for (const protocol of ['HTTP/1.1', 'TCP'])
      metrics.finished(sampleExchange({ egressRefused: 'policy', destinationService: 'api', status: 403, protocol }))
    for (let i = 0; i < 3; i++)
      metrics.finished(sampleExchange({ egressRefused: 'not_registered', destinationService: undefined, status: 502 }))
    metrics.finished(sampleExchange())
    const labels = 'source_workload="default/web",destination_service='
    expect(series('heddle_egress_refused_total')).toEqual([
      `heddle_egress_refused_total{${labels}"api",reason="policy"} 2`,
      `heddle_egress_refused_total{${labels}"unknown",reason="not_registered"} 3`,
    ])
  })

  it('counts a request at its source', () => {
    const { metrics, series } = create()
    metrics.finished(sampleExchange({ requestBytes: 5 }))
    metrics.finished(sampleExchange({ requestBytes: 7, durationMs: 400 }))
    const labels =
      'reporter="source",source_workload="default/web",source_principal="spiffe://mesh.local/ns/default/sa/web",' +
      'destination_workload="default/reviews-v1",destination_principal="spiffe://mesh.local/ns/default/sa/reviews",destination_service="reviews.default.svc.cluster.local",' +
      'route="HTTPRoute/default/reviews/0",protocol="HTTP/1.1",method="GET",code="200",grpc_status="",flags="-"'
    expect(series('heddle_requests_total')).toEqual([`heddle_requests_total{${labels}} 2`])
    expect(series('heddle_request_bytes_total')).toEqual([`heddle_request_bytes_total{${labels}} 12`])
    expect(series('heddle_response_bytes_total')).toEqual([`heddle_response_bytes_total{${labels}} 24`])
    expect(series('heddle_request_duration_seconds_count')).toEqual([
      `heddle_request_duration_seconds_count{${labels}} 2`,
    ])
    expect(series('heddle_request_duration_seconds_bucket')).toContain(
      `heddle_request_duration_seconds_bucket{${labels},le="0.005"} 1`,
    )
  })

  it('counts a request at its destination under the principal of the caller', () => {
    const { metrics, series } = create()
    const sourcePrincipal = 'spiffe://mesh.local/ns/default/sa/shop'
    metrics.finished(sampleExchange({ reporter: 'destination', sourcePrincipal, destinationWorkload: undefined }))
    expect(series('heddle_requests_total')[0]).toContain(
      `reporter="destination",source_workload="unknown",source_principal="${sourcePrincipal}",destination_workload="default/web"`,
    )
  })

  it('gives code 0, joined flags and unknown places to a request that met no endpoint and no answer', () => {
    const { metrics, series } = create()
    metrics.finished(
      sampleExchange({
        status: 0,
        flags: ['UC', 'DC'],
        route: undefined,
        destinationWorkload: undefined,
        destinationPrincipal: undefined,
        destinationService: undefined,
      }),
    )
    expect(series('heddle_requests_total')[0]).toMatch(
      /destination_workload="unknown",destination_principal="unknown",destination_service="unknown",route="unknown",protocol="HTTP\/1\.1",method="GET",code="0",grpc_status="",flags="UC,DC"/,
    )
  })

  it('tells apart whom the answers came from, and what came without mTLS', () => {
    const { metrics, series } = create()
    for (const destinationPrincipal of ['spiffe://mesh.local/ns/default/sa/other', undefined])
      metrics.finished(sampleExchange({ destinationPrincipal }))
    expect(series('heddle_requests_total').map((line) => /destination_principal="([^"]*)"/.exec(line)?.[1])).toEqual([
      'spiffe://mesh.local/ns/default/sa/other',
      'unknown',
    ])
  })

  it('does not let callers invent methods as labels', () => {
    const { metrics, series } = create()
    for (const method of ['FOO', 'BAR']) {
      const sample = sampleExchange()
      metrics.finished({ ...sample, request: { ...sample.request, method } })
    }
    expect(series('heddle_requests_total')).toHaveLength(1)
    expect(series('heddle_requests_total')[0]).toContain('method="OTHER"')
  })

  it('counts retries by what had gone wrong', () => {
    const { metrics, series } = create()
    const failed = {
      endpoint: 'a',
      outcome: 'connect-failure',
      durationMs: 1,
      retriedBecause: 'connect failure',
    } as const
    const worked = { endpoint: 'b', outcome: 'response', status: 200, durationMs: 1 } as const
    metrics.finished(sampleExchange({ cluster: 'c', attempts: [failed, failed, worked] }))
    expect(series('heddle_upstream_retries_total')).toEqual([
      'heddle_upstream_retries_total{cluster="c",reason="connect failure"} 2',
    ])
  })

  it('counts ejections, and says how many endpoints are ejected', () => {
    const { metrics, series } = create()
    metrics.endpointEjected('c', 'latency', 1)
    metrics.endpointEjected('c', 'latency', 2)
    metrics.endpointAdmitted('c', 1)
    expect(series('heddle_outlier_ejections_total')).toEqual([
      'heddle_outlier_ejections_total{cluster="c",reason="latency"} 2',
    ])
    expect(series('heddle_outlier_ejected_endpoints')).toEqual(['heddle_outlier_ejected_endpoints{cluster="c"} 1'])
  })

  it('counts what circuit breakers refuse, by limit', () => {
    const { metrics, series } = create()
    metrics.upstreamOverflow('c', 'max_requests')
    expect(series('heddle_upstream_overflows_total')).toEqual([
      'heddle_upstream_overflows_total{cluster="c",limit="max_requests"} 1',
    ])
  })

  it('says what adaptive concurrency has found', () => {
    const { metrics, series } = create()
    metrics.concurrencyLimited('c', 12)
    metrics.concurrencyLimited('c', 9)
    expect(series('heddle_adaptive_concurrency_limit')).toEqual(['heddle_adaptive_concurrency_limit{cluster="c"} 9'])
  })

  it('counts what mirrors make of their copies, and how long both take', () => {
    const { metrics, series } = create()
    const primary = { status: 200, grpcStatus: undefined, tookMs: 20 }
    metrics.mirrored('c', 'shadow', { result: 'different', primary, mirror: { ...primary, status: 500, tookMs: 200 } })
    metrics.mirrored('c', 'shadow', { result: 'mirror_failed', primary, mirror: undefined })
    expect(series('heddle_mirror_requests_total')).toEqual([
      'heddle_mirror_requests_total{cluster="c",mirror="shadow",result="different",code="200",mirror_code="500"} 1',
      'heddle_mirror_requests_total{cluster="c",mirror="shadow",result="mirror_failed",code="200",mirror_code="-"} 1',
    ])
    expect(series('heddle_mirror_duration_seconds_sum')).toEqual([
      'heddle_mirror_duration_seconds_sum{cluster="c",mirror="shadow",side="primary"} 0.02',
      'heddle_mirror_duration_seconds_sum{cluster="c",mirror="shadow",side="mirror"} 0.2',
    ])
  })

  it('follows connections on both sides', () => {
    const { metrics, series } = create()
    metrics.downstreamOpened('in')
    metrics.downstreamOpened('in')
    metrics.downstreamClosed('in')
    metrics.downstreamRefused('in', 'plaintext')
    metrics.upstreamOpened('c')
    metrics.upstreamClosed('c')
    metrics.upstreamConnectFailed('c')
    expect(series('heddle_downstream_connections_total')).toEqual([
      'heddle_downstream_connections_total{listener="in"} 2',
    ])
    expect(series('heddle_downstream_connections_active')).toEqual([
      'heddle_downstream_connections_active{listener="in"} 1',
    ])
    expect(series('heddle_downstream_refused_total')).toEqual([
      'heddle_downstream_refused_total{listener="in",reason="plaintext"} 1',
    ])
    expect(series('heddle_upstream_connections_total')).toEqual(['heddle_upstream_connections_total{cluster="c"} 1'])
    expect(series('heddle_upstream_connections_active')).toEqual(['heddle_upstream_connections_active{cluster="c"} 0'])
    expect(series('heddle_upstream_connect_failures_total')).toEqual([
      'heddle_upstream_connect_failures_total{cluster="c"} 1',
    ])
  })

  it('does not count the detail of a refusal apart', () => {
    const { metrics, series } = create()
    for (const port of [1, 2]) metrics.downstreamRefused('in', `TLS handshake failed: reset by 10.0.0.1:${port}`)
    expect(series('heddle_downstream_refused_total')).toEqual([
      'heddle_downstream_refused_total{listener="in",reason="TLS handshake failed"} 2',
    ])
  })

  it('shows only the running revision and the present certificate', () => {
    const { metrics, series } = create()
    for (let revision = 1; revision <= 2000; revision++) metrics.configApplied(String(revision))
    metrics.configRejected()
    metrics.certificateRenewed('spiffe://a', 1000)
    metrics.certificateRenewed('spiffe://a', 1_700_000_000_500)
    expect(series('heddle_config_info')).toEqual(['heddle_config_info{revision="2000"} 1'])
    expect(series('heddle_config_applied_total')).toEqual(['heddle_config_applied_total 2000'])
    expect(series('heddle_config_rejected_total')).toEqual(['heddle_config_rejected_total 1'])
    expect(series('heddle_certificate_expiry_timestamp_seconds')).toEqual([
      'heddle_certificate_expiry_timestamp_seconds{spiffe_id="spiffe://a"} 1700000000.5',
    ])
  })
})

describe('metric names', () => {
  it.each(Object.values(proxyMetrics))('$name is legal and ends as its kind and unit demand', (metric) => {
    expect(metric.name).toMatch(/^heddle_[a-z_]+$/)
    expect(metric.name.endsWith('_total')).toBe(metric.kind === 'counter')
    expect(metric.help).toMatch(/\.$/)
    for (const label of metric.labels) expect(label).toMatch(/^[a-z_]+$/)
  })
})

describe('composeSinks', () => {
  it('tells every sink', () => {
    const seen: string[] = []
    const sink = composeSinks({ finished: () => seen.push('a') }, { finished: () => seen.push('b') })
    sink.finished(sampleExchange())
    expect(seen).toEqual(['a', 'b'])
  })
})
