import { EventEmitter } from 'node:events'

import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { sampleExchange } from '../../../test/kit/sample-exchange.ts'
import { CarelessAuthority } from '../../../test/kit/svid-with-faults.ts'
import { certificatesFromPem } from '../../contracts/identity/pem.ts'
import { proxyMetrics, streamedMetrics } from '../../contracts/telemetry/metrics.ts'
import { StreamMetricsMessageSchema } from '../../contracts/xds/gen/envoy/service/metrics/v3/metrics_service_pb.ts'
import type { StreamMetricsMessage } from '../../contracts/xds/gen/envoy/service/metrics/v3/metrics_service_pb.ts'
import { MetricsService as Description } from '../../contracts/xds/gen/envoy/service/metrics/v3/metrics_service_pb.ts'
import { grpcMethod } from '../../contracts/xds/grpc-method.ts'
import { silentLogger } from '../../core/logger.ts'
import { MetricRegistry } from '../../core/metrics/metric-registry.ts'
import { ChangedSeries } from '../../proxy/telemetry/changed-series.ts'
import type { Exchange } from '../../proxy/telemetry/exchange.ts'
import { ProxyMetrics } from '../../proxy/telemetry/proxy-metrics.ts'
import { MetricsService } from './metrics-service.ts'
import { ObservedTraffic } from './observed-traffic.ts'
import { trafficReports } from './traffic-reports.ts'

const web = 'spiffe://mesh.local/ns/default/sa/web'
const reviews = 'spiffe://mesh.local/ns/default/sa/reviews'
const authority = new CarelessAuthority()
const certificates = new Map(
  [web, reviews].map((uri) => [uri, certificatesFromPem(authority.issue({ uri }).certificateChainPem)[0]]),
)
const node = 'sidecar~default~web'
const names = new Set(streamedMetrics.map((metric) => proxyMetrics[metric].name))
const { requestSerialize, requestDeserialize } = grpcMethod(Description.method.streamMetrics)

/** The server's end of a stream. */
class Call extends EventEmitter {
  ended: number | undefined
  readonly #raw: Buffer | undefined

  constructor(raw: Buffer | undefined) {
    super()
    this.#raw = raw
  }

  getAuthContext(): object {
    return this.#raw === undefined ? {} : { sslPeerCertificate: { raw: this.#raw } }
  }

  send(message: StreamMetricsMessage): void {
    this.emit('data', requestDeserialize(requestSerialize(message)))
  }

  introduce(instance: string, id = node): void {
    this.send(create(StreamMetricsMessageSchema, { identifier: { node: { id, metadata: { INSTANCE: instance } } } }))
  }
}

/** What one process counts. */
class Counted {
  readonly metrics: ProxyMetrics
  readonly #registry = new MetricRegistry(silentLogger)
  readonly #startedAtMs: number
  #changed: ChangedSeries

  constructor(startedAtMs: number, workload = 'default/web', spiffeId = web) {
    this.metrics = new ProxyMetrics(this.#registry, { workload, spiffeId })
    this.#startedAtMs = startedAtMs
    this.#changed = this.again()
  }

  again(): ChangedSeries {
    this.#changed = new ChangedSeries(this.#registry, names, this.#startedAtMs)
    return this.#changed
  }

  request(changes: Partial<Exchange> = {}): void {
    this.metrics.finished(sampleExchange(changes))
  }

  report(call: Call): void {
    call.send(create(StreamMetricsMessageSchema, { envoyMetrics: this.#changed.take() }))
  }
}

function receiving() {
  const clock = new ManualClock()
  const revoked = new Set<string>()
  const traffic = new ObservedTraffic({ clock })
  const service: MetricsService = new MetricsService({
    clock,
    proxies: () =>
      new Map([
        [node, web],
        ['sidecar~default~reviews-v1', reviews],
      ]),
    isRevoked: (spiffeId) => revoked.has(spiffeId),
    sink: (reporter) => trafficReports({ traffic, reports: (spiffeId) => service.reports(spiffeId) }, reporter),
  })
  const accept = service.service().implementation['StreamMetrics'] as unknown as (
    call: Call,
    done: (error: { code: number } | null) => void,
  ) => void
  const open = (spiffeId = web): Call => {
    const call = new Call(certificates.get(spiffeId))
    accept(call, (error) => (call.ended = error?.code ?? status.OK))
    return call
  }
  const edges = () => traffic.edges(0, Infinity)
  return { clock, traffic, open, edges, revoked }
}

describe('who may report', () => {
  it('is the proxy that the certificate names', () => {
    const { open, edges } = receiving()
    const stranger = open()
    stranger.introduce('a', 'sidecar~default~reviews-v1')
    expect(stranger.ended).toBe(status.PERMISSION_DENIED)
    const nobody = open('nobody')
    nobody.introduce('a')
    expect(nobody.ended).toBe(status.PERMISSION_DENIED)
    expect(edges()).toEqual([])
  })

  it('is nobody whose certificate is revoked, also where the stream was open', () => {
    const { clock, open, edges, revoked } = receiving()
    const call = open()
    call.introduce('a')
    const counted = new Counted(clock.nowMs())
    counted.request()
    counted.report(call)
    revoked.add(web)
    counted.request()
    counted.report(call)
    expect(call.ended).toBe(status.PERMISSION_DENIED)
    expect(edges()).toMatchObject([{ requests: 1 }])
  })

  it('speaks of itself alone, whatever its labels say', () => {
    const { clock, open, edges } = receiving()
    const call = open()
    call.introduce('a')
    const counted = new Counted(clock.nowMs(), 'default/somebody', 'spiffe://mesh.local/ns/default/sa/somebody')
    counted.request()
    counted.report(call)
    expect(edges()).toMatchObject([{ source: 'default/web', sourcePrincipal: web }])
  })
})

describe('counts', () => {
  it('are those of the proxy, however its stream breaks and whatever gets lost', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('request'), status: fc.constantFrom(200, 404, 503), durationMs: fc.nat(20_000) }),
      fc.constant({ do: 'report' }),
      fc.constant({ do: 'lose a report' }),
      fc.constant({ do: 'break' }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { clock, traffic, open } = receiving()
        const counted = new Counted(clock.nowMs())
        let call = open()
        call.introduce('a')
        let requests = 0
        let failed = 0
        const reconnect = (): void => {
          call.emit('cancelled')
          call = open()
          call.introduce('a')
          counted.again()
          counted.report(call)
        }
        for (const one of steps) {
          if ('status' in one) {
            counted.request({ status: one.status, durationMs: one.durationMs })
            requests++
            if (one.status === 503) failed++
          } else if (one.do === 'report') counted.report(call)
          else if (one.do === 'lose a report') counted.again()
          else reconnect()
        }
        reconnect()
        const seen = traffic.destination({ namespace: 'default', name: 'reviews' }, 0)
        expect(seen).toMatchObject({ requests, failed })
      }),
    )
  })

  it('of several processes of a proxy add up, and those of a process that began anew do too', () => {
    const { clock, open, edges } = receiving()
    for (const instance of ['worker 1', 'worker 2', 'worker 1 again']) {
      const counted = new Counted(clock.nowMs())
      const call = open()
      call.introduce(instance)
      counted.request()
      counted.request()
      counted.report(call)
      call.emit('end')
      expect(call.ended).toBe(status.OK)
    }
    expect(edges()).toMatchObject([{ requests: 6 }])
  })

  it('from before the control plane started are left out: nobody knows when they were', () => {
    const { clock, open, edges } = receiving()
    const older = new Counted(clock.nowMs() - 1)
    for (let one = 0; one < 1_000; one++) older.request()
    const call = open()
    call.introduce('a')
    older.report(call)
    expect(edges()).toEqual([])
    older.request()
    older.request({ status: 503 })
    older.report(call)
    expect(edges()).toMatchObject([{ requests: 2, failed: 1 }])
  })

  it('are taken where a request leaves; where it arrives only from callers whose proxy counts nothing', () => {
    const { clock, open, edges } = receiving()
    const source = open()
    source.introduce('a')
    const arrived = open(reviews)
    arrived.introduce('b', 'sidecar~default~reviews-v1')
    const inbound = new Counted(clock.nowMs(), 'default/reviews-v1', reviews)
    const change = { reporter: 'destination', destinationService: undefined } as const
    inbound.request({ ...change, sourcePrincipal: web })
    inbound.request({ ...change, sourcePrincipal: 'spiffe://elsewhere/ns/default/sa/far' })
    inbound.request(change)
    inbound.report(arrived)
    expect(edges()).toMatchObject([
      { reporter: 'destination', source: '', sourcePrincipal: 'spiffe://elsewhere/ns/default/sa/far', mtls: 1 },
      { reporter: 'destination', source: '', sourcePrincipal: '', workload: 'default/reviews-v1', plaintext: 1 },
    ])
  })

  it('of connections are those that leave', () => {
    const { clock, open, edges } = receiving()
    const call = open()
    call.introduce('a')
    const counted = new Counted(clock.nowMs())
    counted.metrics.tcpOpened('outbound', 'db.default.svc.cluster.local:5432')
    counted.metrics.tcpFailed('outbound', 'db.default.svc.cluster.local:5432')
    counted.metrics.tcpOpened('inbound', 'inbound|8080')
    counted.report(call)
    const codes = { opened: 1, failed: 1 }
    expect(edges()).toMatchObject([{ service: 'db.default.svc.cluster.local', protocol: 'tcp', requests: 2, codes }])
  })

  it('that make no sense are passed over', () => {
    const { clock, open, edges } = receiving()
    const call = open()
    call.introduce('a')
    const label = [{ name: 'reporter', value: 'source' }]
    const name = proxyMetrics.requestDuration.name
    const histogram = { sampleCount: 3n, bucket: [{ upperBound: 0.1, cumulativeCount: 3n }] }
    const metric = [
      { label },
      { label, histogram },
      { label, counter: { value: Number.NaN } },
      { label, counter: { value: -1 } },
    ]
    call.send(create(StreamMetricsMessageSchema, { envoyMetrics: [{ name, metric }, { name: 'envoy.server.uptime' }] }))
    expect(edges()).toEqual([])
    new Counted(clock.nowMs()).report(call)
    expect(call.ended).toBeUndefined()
  })
})
