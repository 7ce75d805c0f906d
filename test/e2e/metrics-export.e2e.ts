// What a running mesh counts as a collector of OpenTelemetry is told of it: it agrees with what was sent.
import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { Server } from 'node:net'
import { dirname } from 'node:path'
import { after, before, it } from 'node:test'

import { clientAndApp } from '../kit/client-and-app.ts'
import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { send } from '../kit/http-client.ts'
import { MetricsCollector } from '../kit/metrics-collector.ts'
import { collectorService } from '../kit/otlp-endpoint.ts'
import type { CollectedPoint } from '../kit/otlp-metrics.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

const collector = new MetricsCollector()
const body = 'x'.repeat(10)
const sent = { ok: 230, missing: 17 }
const traceId = 'a'.repeat(32)
let server: Server
let mesh: RunningMesh
let file = ''

before(async () => {
  const [app, grpc, http] = (await freePorts(3)) as [number, number, number]
  await collector.listen(grpc, http)
  server = await listenOn(
    app,
    createServer((request, response) => {
      response.statusCode = request.url === '/missing' ? 404 : 200
      response.end(body)
    }),
  )
  file = await meshFile(`${clientAndApp(app)}
${collectorService(grpc, http)}
apiVersion: heddle.dev/v1alpha1
kind: MeshConfig
metadata: { name: mesh }
spec:
  extensionProviders:
    - { name: otlp-grpc, opentelemetry: { service: otel.example, port: 4317, timeout: 1s } }
    - { name: otlp-http, opentelemetry: { service: otel.example, port: 4318, timeout: 1s, http: { path: /v1/traces } } }
  tracing: { provider: { name: otlp-grpc }, randomSamplingPercentage: 0 }
  metrics: { provider: { name: otlp-grpc }, interval: 1s }
`)
  mesh = await startMesh({ files: [file] })
  for (let i = 0; i < sent.ok; i++) await call('/')
  for (let i = 0; i < sent.missing; i++) await call('/missing')
})

after(async () => {
  await mesh?.stop()
  server?.close()
  collector.stop()
  if (file !== '') await rm(dirname(file), { recursive: true, force: true })
})

function call(target: string, headers: Record<string, string> = {}) {
  const { address } = mesh.workload('client').services.find((one) => one.name === 'app') ?? { address: '' }
  return send({ address, target, method: 'GET', headers })
}

async function change(from: string | RegExp, to: string): Promise<void> {
  await writeFile(file, (await readFile(file, 'utf8')).replace(from, to))
}

function total(points: readonly CollectedPoint[], of: 'count' | 'sum' | 'value' = 'count'): number {
  return points.reduce((sum, point) => sum + (point[of] ?? 0), 0)
}

function withStatus(points: readonly CollectedPoint[], status: number): CollectedPoint[] {
  return points.filter(({ attributes }) => attributes['http.response.status_code'] === String(status))
}

it('counts every request once for each side, under the names of the conventions', async () => {
  const sides = [
    ['client', 'http.client.request'],
    ['app', 'http.server.request'],
  ] as const
  for (const [service, prefix] of sides) {
    await eventually(() => {
      const points = collector.points(service, `${prefix}.duration`)
      assert.equal(total(withStatus(points, 200)), sent.ok)
      assert.equal(total(withStatus(points, 404)), sent.missing)
      for (const { count, counts = [] } of points)
        assert.equal(
          counts.reduce((sum, one) => sum + one, 0),
          count,
        )
    }, 15_000)
    const [metric] = collector.metrics(service, `${prefix}.duration`)
    assert.deepEqual([metric?.kind, metric?.unit, metric?.cumulative], ['histogram', 's', true])
    const bodies = collector.points(service, prefix.replace('request', 'response.body.size'))
    assert.deepEqual([total(bodies), total(bodies, 'sum')], [247, 2_470])
  }
  const [served] = withStatus(collector.points('app', 'http.server.request.duration'), 200)
  assert.deepEqual(served?.attributes, {
    'http.request.method': 'GET',
    'http.response.status_code': '200',
    // as sidecars speak with each other
    'network.protocol.version': '2',
    'heddle.reporter': 'destination',
    'heddle.source.principal': 'spiffe://mesh.local/ns/default/sa/client',
    'heddle.destination.workload': 'default/app',
    'heddle.destination.principal': 'spiffe://mesh.local/ns/default/sa/app',
    'heddle.route': 'default',
  })
  const [called] = withStatus(collector.points('client', 'http.client.request.duration'), 404)
  assert.equal(called?.attributes['server.address'], 'app.default.svc.cluster.local')
  assert.equal(called?.attributes['error.type'], '404')
  assert.equal(called?.attributes['network.protocol.version'], '1.1')
  const [resource, ...others] = collector.resources('client')
  assert.deepEqual(others, [], 'one process')
  assert.equal(resource?.['service.namespace'], 'default')
  assert.ok(resource?.['service.instance.id'])
})

it('tells the rest under names of its own, from which Prometheus makes those of /metrics', async () => {
  await eventually(() => {
    const [opened] = collector.metrics('client', 'heddle.upstream_connections')
    assert.deepEqual([opened?.kind, opened?.monotonic], ['sum', true])
    assert.ok(opened?.points.some(({ attributes }) => attributes['cluster'] === 'app.default.svc.cluster.local:80'))
    assert.equal(collector.metrics('client', 'heddle.upstream_connections_active')[0]?.kind, 'gauge')
    assert.ok(total(collector.points('client', 'heddle.metric_points'), 'value') > 0)
  }, 15_000)
  assert.ok(!collector.names('client').some((name) => /^heddle\.(requests|request_duration|request_bytes)/.test(name)))
})

it('is told by the control plane as well', async () => {
  await eventually(() => {
    assert.equal(total(collector.points('heddle-control-plane', 'heddle.proxies_connected'), 'value'), 2)
    const issued = collector.points('heddle-control-plane', 'heddle.svids_issued')
    assert.ok(issued.some(({ attributes, value = 0 }) => attributes['type'] === 'x509' && value >= 2))
  }, 15_000)
})

it('has exemplars that name traces', async () => {
  await call('/', { traceparent: `00-${traceId}-00f067aa0ba902b7-01` })
  await eventually(() => {
    const exemplars = collector
      .points('client', 'http.client.request.duration')
      .flatMap((point) => point.exemplars ?? [])
    assert.ok(exemplars.some((one) => one.traceId === traceId && /^[0-9a-f]{16}$/.test(one.spanId)))
  }, 15_000)
})

it('makes up for what a collector that refuses, or does not answer, has not taken', async () => {
  const known = total(collector.points('client', 'http.client.request.duration'))
  for (const behaviour of ['refuses', 'silent'] as const) {
    collector.behaviour = behaviour
    const asked = collector.requests.grpc
    await eventually(() => assert.ok(collector.requests.grpc > asked), 15_000)
    const begin = performance.now()
    for (let i = 0; i < 50; i++) await call('/')
    assert.ok(performance.now() - begin < 5_000, 'nobody waits for the collector')
  }
  const metricsUrl = new URL(mesh.workload('client').metricsUrl).host
  await eventually(async () => {
    const { body: text } = await send({ address: metricsUrl, target: '/metrics' })
    assert.match(text, /^heddle_metric_points_total\{result="failed"\} [1-9]/m)
  }, 30_000)
  collector.behaviour = 'takes'
  await eventually(() => {
    assert.equal(total(collector.points('client', 'http.client.request.duration')), known + 100)
  }, 20_000)
})

it("takes Istio's names, OTLP/HTTP and exponential buckets while it runs", async () => {
  await change(
    'provider: { name: otlp-grpc }, interval: 1s',
    'provider: { name: otlp-http }, interval: 1s, names: istio',
  )
  await eventually(() => {
    assert.ok(collector.requests.http > 0)
    const points = collector.points('app', 'istio_requests_total')
    assert.equal(
      total(
        points.filter(({ attributes }) => attributes['response_code'] === '404'),
        'value',
      ),
      sent.missing,
    )
  }, 20_000)
  assert.ok(collector.names('app').includes('heddle.downstream_connections'))
  collector.forget()
  await eventually(() => {
    assert.equal(total(collector.points('heddle-control-plane', 'heddle.proxies_connected'), 'value'), 2)
  }, 15_000)
  await change('names: istio', 'histograms: exponential')
  await eventually(async () => {
    await call('/')
    assert.equal(collector.metrics('client', 'http.client.request.duration')[0]?.kind, 'exponential')
  }, 20_000)
  const outside: number[] = []
  const known = await eventuallyCounted()
  for (let i = 0; i < 40; i++) {
    const begin = performance.now()
    await call('/')
    outside.push((performance.now() - begin) / 1_000)
  }
  await eventually(() => {
    const points = collector.points('client', 'http.client.request.duration')
    assert.equal(total(points), known + outside.length)
    const slowest = Math.max(...outside)
    for (const { scale = 0, offset = 0, counts = [], count, zeroCount = 0 } of points) {
      assert.equal(
        counts.reduce((sum, one) => sum + one, zeroCount),
        count,
      )
      const newest = counts.findLastIndex((one) => one > 0)
      assert.ok(2 ** ((offset + newest) / 2 ** scale) < Math.max(slowest, 1), 'no bucket beyond what callers saw')
    }
  }, 20_000)
})

it('tells the last of it when it ends', async () => {
  const known = await eventuallyCounted()
  const revision = Number((await mesh.reload()).revision)
  await change('interval: 1s', 'interval: 1h')
  const address = new URL(mesh.workload('client').metricsUrl).host
  await eventually(async () => {
    const { body: text } = await send({ address, target: '/metrics' })
    assert.match(text, new RegExp(`^heddle_config_info\\{revision="${revision + 1}"\\} 1$`, 'm'))
  }, 20_000)
  for (let i = 0; i < 25; i++) await call('/')
  await mesh.stop()
  assert.equal(total(collector.points('client', 'http.client.request.duration')), known + 25)
})

/** How many exponential buckets have counted, once nothing is on its way any more. */
async function eventuallyCounted(): Promise<number> {
  let counted = -1
  await eventually(async () => {
    const now = collector.requests.http
    const last = counted
    counted = total(collector.points('client', 'http.client.request.duration'))
    await eventually(() => assert.ok(collector.requests.http > now + 6), 20_000)
    assert.equal(counted, last)
  }, 60_000)
  return counted
}
