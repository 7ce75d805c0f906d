// Spans of a running mesh as a collector of OpenTelemetry gets them: one tree through all hops and attempts.
import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, request as httpRequest } from 'node:http'
import type { Server } from 'node:net'
import { dirname } from 'node:path'
import { after, before, it } from 'node:test'

import { ExampleCopy } from '../kit/example-copy.ts'
import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { send, type WireResponse } from '../kit/http-client.ts'
import { collectorService } from '../kit/otlp-endpoint.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { type CollectedSpan, TraceCollector } from '../kit/trace-collector.ts'

const collector = new TraceCollector()
const servers: Server[] = []
let mesh: RunningMesh
let file = ''
/** How often /flaky fails before it works. */
let failures = 0

function workload(name: string, port?: number): string {
  const ports = port === undefined ? '' : `, ports: [{ name: http, port: ${port} }]`
  return `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name}, labels: { app: ${name} } }
spec: { serviceAccount: ${name}, address: 127.0.0.1${ports} }
---`
}

function service(name: string): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ name: http, port: 80, targetPort: http }] }
---`
}

before(async () => {
  const [front, back, gateway, grpc, http] = (await freePorts(5)) as [number, number, number, number, number]
  await collector.listen(grpc, http)
  servers.push(
    // calls the other, and tells it of the trace as any application should
    await listenOn(
      front,
      createServer((incoming, response) => {
        const address = new URL(`http://${addressOf('front', 'back')}`)
        const headers = Object.fromEntries(
          ['traceparent', 'tracestate', 'b3', 'x-b3-traceid', 'x-b3-spanid', 'x-b3-sampled'].flatMap((name) => {
            const value = incoming.headers[name]
            return typeof value === 'string' ? [[name, value]] : []
          }),
        )
        const onward = httpRequest(
          { host: address.hostname, port: address.port, path: incoming.url, headers },
          (answer) => {
            response.statusCode = answer.statusCode ?? 500
            answer.pipe(response)
          },
        )
        onward.end()
      }),
    ),
    await listenOn(
      back,
      createServer(({ url, headers }, response) => {
        response.statusCode = url === '/broken' || (url === '/flaky' && failures-- > 0) ? 503 : 200
        response.end(JSON.stringify(headers))
      }),
    ),
  )
  file = await meshFile(
    [
      workload('client'),
      workload('front', front),
      workload('back', back),
      service('front'),
      service('back'),
      `
apiVersion: heddle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: back }
spec: { targetRefs: [{ kind: Service, name: back }], retries: { codes: [503], attempts: 3 }, outlierDetection: { maxEjectionPercent: 0 } }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public }
spec: { gatewayClassName: heddle, listeners: [{ name: http, port: ${gateway}, protocol: HTTP }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: public }
spec: { parentRefs: [{ name: public }], rules: [{ backendRefs: [{ name: front, port: 80 }] }] }
---
${collectorService(grpc, http)}
apiVersion: heddle.dev/v1alpha1
kind: MeshConfig
metadata: { name: mesh }
spec:
  extensionProviders:
    - { name: otlp-grpc, opentelemetry: { service: otel.example, port: 4317 } }
    - { name: otlp-http, opentelemetry: { service: otel.example, port: 4318, http: { path: /v1/traces } } }
  tracing: { provider: { name: otlp-grpc }, randomSamplingPercentage: 100 }
`,
    ].join(''),
  )
  mesh = await startMesh({ files: [file] })
})

after(async () => {
  await mesh?.stop()
  collector.stop()
  for (const server of servers) server.close()
  if (file !== '') await rm(dirname(file), { recursive: true, force: true })
})

function addressOf(from: string, to: string): string {
  const found = mesh.workload(from).services.find((one) => one.name === to)
  if (found === undefined) throw new Error(`no listener for ${to}`)
  return found.address
}

let traces = 0

/** Of a trace that a client has begun. */
async function traced(target: string, sampled = true): Promise<{ traceId: string; response: WireResponse }> {
  const traceId = (++traces).toString(16).padStart(32, 'a')
  const response = await send({
    address: addressOf('client', 'front'),
    target,
    headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-${sampled ? '01' : '00'}`, tracestate: 'a=1' },
  })
  return { traceId, response }
}

/** The spans of a trace as lines, each behind its parent: what it is, of whom, and how it ended. */
function tree(spans: readonly CollectedSpan[], parent = '00f067aa0ba902b7', depth = 0): string[] {
  return spans
    .filter((span) => span.parentSpanId === parent)
    .flatMap((span) => [
      `${'  '.repeat(depth)}${span.service} ${span.kind.replace('SPAN_KIND_', '')} ${span.attributes['http.response.status_code']}${span.error ? ' error' : ''}`,
      ...tree(spans, span.spanId, depth + 1),
    ])
}

function untilTree(traceId: string, expected: readonly string[]): Promise<void> {
  return eventually(() => {
    const spans = collector.trace(traceId)
    assert.deepEqual(tree(spans), expected)
    assert.equal(spans.length, expected.length)
  }, 10_000)
}

const oneCall = ['client CLIENT 200', '  front SERVER 200', '    front CLIENT 200', '      back SERVER 200']

it('has one tree of all hops, by OTLP/gRPC', async () => {
  const { traceId, response } = await traced('/')
  assert.equal(response.status, 200)
  await untilTree(traceId, oneCall)
  const [client, server] = ['client', 'back'].map((of) => collector.trace(traceId).find((span) => span.service === of))
  assert.ok(client?.attributes['heddle.route'])
  assert.equal(client?.attributes['heddle.destination.workload'], 'default/front')
  assert.equal(server?.attributes['heddle.source.principal'], 'spiffe://mesh.local/ns/default/sa/front')
  assert.equal(server?.attributes['heddle.mtls'], 'true')
  assert.ok((client?.durationMs ?? 0) > (server?.durationMs ?? 0))
  const told = JSON.parse(response.body) as Record<string, string>
  assert.equal(told['tracestate'], 'a=1')
  assert.ok(collector.requests.grpc > 0)
})

it('has a span for each attempt that followed another, and the next hop below it', async () => {
  failures = 2
  const { traceId, response } = await traced('/flaky')
  assert.equal(response.status, 200)
  await untilTree(traceId, [
    'client CLIENT 200',
    '  front SERVER 200',
    '    front CLIENT 200',
    '      back SERVER 503 error',
    '      front CLIENT 503 error',
    '        back SERVER 503 error',
    '      front CLIENT 200',
    '        back SERVER 200',
  ])
})

it('begins a trace at a gateway, whose attempts have spans of their own', async () => {
  const address = mesh.state.gateways[0]?.address ?? ''
  const { body } = await send({ address, target: '/' })
  const traceId = (JSON.parse(body) as { traceparent: string }).traceparent.split('-')[1] as string
  await eventually(() => {
    assert.deepEqual(tree(collector.trace(traceId), ''), [
      'public SERVER 200',
      '  public CLIENT 200',
      '    front SERVER 200',
      '      front CLIENT 200',
      '        back SERVER 200',
    ])
  }, 10_000)
})

it('joins a trace in B3, and goes on in B3', async () => {
  const traceId = 'b'.repeat(32)
  const { body } = await send({
    address: addressOf('client', 'front'),
    target: '/',
    headers: { b3: `${traceId}-00f067aa0ba902b7-1` },
  })
  assert.match((JSON.parse(body) as { b3: string }).b3, new RegExp(`^${traceId}-[0-9a-f]{16}-1$`))
  await untilTree(traceId, oneCall)
})

it('keeps a trace that nobody samples only where it fails', async () => {
  const calm = await traced('/', false)
  const broken = await traced('/broken', false)
  assert.equal(broken.response.status, 503)
  await eventually(() => {
    const spans = collector.trace(broken.traceId)
    assert.deepEqual(new Set(spans.map(({ service: of }) => of)), new Set(['client', 'front', 'back']))
    assert.ok(spans.every(({ error }) => error))
  }, 10_000)
  assert.deepEqual(collector.trace(calm.traceId), [])
})

it('counts what a collector does not take, and answers requests meanwhile; then by OTLP/HTTP', async () => {
  collector.behaviour = 'refuses'
  const { traceId, response } = await traced('/')
  assert.equal(response.status, 200)
  const askedBefore = collector.requests.grpc
  await eventually(() => assert.ok(collector.requests.grpc > askedBefore + 3), 20_000)
  collector.behaviour = 'takes'
  await untilTree(traceId, oneCall)
  await writeFile(
    file,
    (await readFile(file, 'utf8')).replace(
      'tracing: { provider: { name: otlp-grpc }',
      'tracing: { provider: { name: otlp-http }',
    ),
  )
  await eventually(async () => {
    await traced('/')
    assert.ok(collector.requests.http > 0)
  }, 20_000)
  const last = await traced('/')
  await untilTree(last.traceId, oneCall)
  const metrics = await send({ address: new URL(mesh.workload('client').metricsUrl).host, target: '/metrics' })
  assert.match(metrics.body, /^heddle_spans_total\{.*result="exported".*\} [1-9]/m)
})

it('joins all hops of a purchase in the example shop, whose applications know nothing of traces', async () => {
  using example = await ExampleCopy.of('shop')
  const [grpc, http] = (await freePorts(2)) as [number, number]
  const spans = new TraceCollector()
  await spans.listen(grpc, http)
  const settings = await meshFile(`
apiVersion: heddle.dev/v1alpha1
kind: ExternalService
metadata: { name: otel }
spec: { hosts: [otel.example], ports: [{ port: 4317, targetPort: ${grpc}, protocol: grpc }], resolution: static, endpoints: [{ address: 127.0.0.1 }] }
---
apiVersion: heddle.dev/v1alpha1
kind: MeshConfig
metadata: { name: mesh }
spec:
  extensionProviders: [{ name: otlp, opentelemetry: { service: otel.example, port: 4317 } }]
  tracing: { provider: { name: otlp }, randomSamplingPercentage: 0, preloadPropagation: true }
`)
  const shop = await startMesh({ files: [example.folder, settings], readyWithinMs: 60_000 })
  try {
    const address = shop.state.gateways[0]?.address ?? ''
    const cookie = 'cart=traced-1'
    const form = { cookie, 'content-type': 'application/x-www-form-urlencoded' }
    const traceId = 'c'.repeat(32)
    const traceparent = `00-${traceId}-00f067aa0ba902b7-01`
    await send({ address, target: '/cart', method: 'POST', headers: form, body: 'sku=loom' })
    await send({ address, target: '/checkout', method: 'POST', headers: { ...form, traceparent }, body: '' })
    await eventually(() => {
      const all = spans.trace(traceId)
      assert.equal(tree(all).length, all.length, 'every span is below the first')
      const served = all.filter(({ kind }) => kind === 'SPAN_KIND_SERVER').map(({ service: of }) => of)
      for (const name of ['storefront', 'checkout', 'cart', 'payment'])
        assert.ok(served.includes(name), `${name} is missing among ${served.join()}`)
      assert.equal(tree(all).filter((line) => !line.startsWith(' ')).length, 1)
    }, 15_000)
  } finally {
    await shop.stop()
    spans.stop()
    await rm(dirname(settings), { recursive: true, force: true })
  }
})
