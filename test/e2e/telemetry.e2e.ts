// What a namespace and a workload of a running mesh tell of their requests, by Telemetry documents; changed under load.
import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { Server } from 'node:net'
import { dirname, join } from 'node:path'
import { after, before, it } from 'node:test'

import type { WorkloadDetail } from '../../src/contracts/read-api.ts'
import { freePorts } from '../kit/free-ports.ts'
import { greetingServer, listenOn } from '../kit/greeting-server.ts'
import { send } from '../kit/http-client.ts'
import { parsePrometheus } from '../kit/prometheus-text.ts'
import { rawClient } from '../kit/raw-client.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { SteadyLoad } from '../kit/steady-load.ts'
import { TraceCollector } from '../kit/trace-collector.ts'

const collector = new TraceCollector()
const servers: Server[] = []
let mesh: RunningMesh
let file = ''

function workload(namespace: string, name: string, ...[http, tcp]: readonly number[]): string {
  const ports = http === undefined ? '' : `, ports: [{ name: http, port: ${http} }, { name: tcp, port: ${tcp} }]`
  return `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name}, namespace: ${namespace}, labels: { app: ${name} } }
spec: { serviceAccount: ${name}, address: 127.0.0.1, uses: [{ name: app, namespace: plain }, { name: app, namespace: silent }]${ports} }
---`
}

function service(namespace: string): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: app, namespace: ${namespace} }
spec: { selector: { app: app }, ports: [{ name: http, port: 80, targetPort: http }, { name: tcp, port: 90, targetPort: tcp }] }
---`
}

const loud = `
apiVersion: heddle.dev/v1alpha1
kind: Telemetry
metadata: { name: loud, namespace: loud }
spec:
  tracing:
    rules:
      - { matches: 'request.path.startsWith("/checkout") && request.headers["x-tenant"] == "gold"', samplingRate: { numerator: 100 } }
    attributes:
      - { name: tenant, sourceType: Header, headerName: x-tenant }
      - { name: deployment.environment.name, sourceType: Literal, literalValue: test }
  accessLogs:
    samplePercent: 100
    matches: '!request.path.endsWith("/quiet")'
    encoding: TEXT
    format: 'loud %REQ(:PATH)% %RESPONSE_CODE%'
---`

const silent = `
apiVersion: heddle.dev/v1alpha1
kind: Telemetry
metadata: { name: app, namespace: silent }
spec:
  selector: { matchLabels: { app: app } }
  tracing: { mode: Disabled }
  metrics: { mode: Disabled }
  accessLogs: { mode: Disabled }
  decisionRecords: { mode: Disabled }
---`

function application(port: number): Promise<Server> {
  return listenOn(
    port,
    createServer(({ url }, response) => {
      response.statusCode = url === '/broken' ? 500 : 200
      response.end('done')
    }),
  )
}

before(async () => {
  const [gateway, plain, quiet, plainBytes, quietBytes, grpc, http] = (await freePorts(7)) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  await collector.listen(grpc, http)
  servers.push(await application(plain), await application(quiet))
  for (const port of [plainBytes, quietBytes]) servers.push(await listenOn(port, greetingServer('bytes')))
  file = await meshFile(
    [
      workload('plain', 'app', plain, plainBytes),
      workload('plain', 'client'),
      workload('loud', 'client'),
      workload('silent', 'app', quiet, quietBytes),
      service('plain'),
      service('silent'),
      loud,
      silent,
      `
apiVersion: heddle.dev/v1alpha1
kind: Telemetry
metadata: { name: public, namespace: plain }
spec:
  targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: public }]
  tracing:
    samplingRate: { numerator: 100 }
    parentBasedSampling: { mode: Disabled }
    rules: [{ matches: 'request.path == "/health"', samplingRate: { numerator: 0 } }]
    attributes: [{ name: door, sourceType: Literal, literalValue: front }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public, namespace: plain }
spec: { gatewayClassName: heddle, listeners: [{ name: http, port: ${gateway}, protocol: HTTP }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: public, namespace: plain }
spec: { parentRefs: [{ name: public }], rules: [{ backendRefs: [{ name: app, port: 80 }] }] }
---
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
  tracing: { provider: { name: otlp }, randomSamplingPercentage: 0 }
  accessLog: { samplePercent: 0 }
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

function listenerOf(caller: string, destination: string, port = 80): string {
  const { services } = mesh.workload('client', caller)
  const found = services.find((one) => one.namespace === destination && one.port === port)
  if (found === undefined) throw new Error(`${caller}/client has no listener for ${destination}/app`)
  return found.address
}

async function ask(caller: string, destination: string, target: string, headers: Record<string, string> = {}) {
  return (await send({ address: listenerOf(caller, destination), target, headers })).status
}

/** Of a counter at one sidecar, by one label. */
async function counted(
  name: string,
  namespace: string,
  metric: string,
  label: string,
): Promise<Record<string, number>> {
  const { metricsUrl } = mesh.workload(name, namespace)
  const { body } = await send({ address: new URL(metricsUrl).host, target: '/metrics' })
  const sums: Record<string, number> = {}
  for (const sample of parsePrometheus(body)) {
    if (sample.name !== metric) continue
    const key = sample.labels[label] ?? ''
    sums[key] = (sums[key] ?? 0) + sample.value
  }
  return sums
}

it('samples by rule where a trace begins, and has spans say what was asked for', async () => {
  const known = collector.spans.length
  assert.equal(await ask('loud', 'plain', '/checkout/2', { 'x-tenant': 'silver' }), 200)
  assert.equal(await ask('loud', 'plain', '/other', { 'x-tenant': 'gold' }), 200)
  assert.equal(await ask('plain', 'plain', '/checkout/3', { 'x-tenant': 'gold' }), 200)
  assert.equal(await ask('loud', 'plain', '/checkout/1', { 'x-tenant': 'gold' }), 200)
  await eventually(() => assert.equal(collector.spans.length, known + 2), 10_000)
  const spans = collector.spans.slice(known)
  assert.deepEqual(new Set(spans.map(({ attributes }) => attributes['url.path'])), new Set(['/checkout/1']))
  const [client, served] = ['SPAN_KIND_CLIENT', 'SPAN_KIND_SERVER'].map((kind) =>
    spans.find((span) => span.kind === kind),
  )
  assert.equal(client?.attributes['tenant'], 'gold')
  assert.equal(client?.attributes['deployment.environment.name'], 'test')
  // the callee has no such document
  assert.equal(served?.attributes['tenant'], undefined)
})

it('begins traces at a gateway as its own document says', async () => {
  const address = mesh.state.gateways[0]?.address ?? ''
  const [wanted, unwanted] = ['a'.repeat(32), 'b'.repeat(32)] as const
  const asked = async (target: string, traceId: string, flags: string): Promise<void> => {
    const headers = { traceparent: `00-${traceId}-${'e'.repeat(16)}-${flags}` }
    assert.equal((await send({ address, target, headers })).status, 200)
  }
  // neither a client that wants a trace of it decides, nor one that wants none
  await asked('/health', wanted, '01')
  await asked('/shown', unwanted, '00')
  await eventually(() => {
    const told = collector.trace(unwanted).map((span) => [span.service, span.kind, span.attributes['door']].join(' '))
    const hops = ['app SPAN_KIND_SERVER ', 'public SPAN_KIND_CLIENT front', 'public SPAN_KIND_SERVER front']
    assert.deepEqual(told.toSorted(), hops)
  }, 10_000)
  assert.deepEqual(collector.trace(wanted), [])
})

it('has another access log for one namespace, and none more for the others', async () => {
  for (const target of ['/logged/quiet', '/logged']) assert.equal(await ask('loud', 'plain', target), 200)
  const log = join(mesh.stateDir, 'logs', 'proxy.log')
  await eventually(async () => assert.match(await readFile(log, 'utf8'), /^loud \/logged 200$/m), 10_000)
  const lines = (await readFile(log, 'utf8')).split('\n').filter((line) => line.includes('/logged'))
  assert.deepEqual(lines, ['loud /logged 200'])
})

it('tells nothing of a workload for which all of it is off, and its callers tell on', async () => {
  for (const target of ['/', '/broken', '/broken'])
    await ask('loud', 'silent', target, { traceparent: `00-${'d'.repeat(32)}-${'e'.repeat(16)}-01` })
  await eventually(async () => {
    const sent = await counted('client', 'loud', 'heddle_decision_records_total', 'result')
    assert.ok((sent['sent'] ?? 0) >= 2, JSON.stringify(sent))
    assert.deepEqual(await counted('client', 'loud', 'heddle_requests_total', 'code').then((codes) => codes['500']), 2)
    assert.equal(collector.trace('d'.repeat(32)).length, 3)
  }, 10_000)
  assert.deepEqual(new Set(collector.trace('d'.repeat(32)).map(({ kind }) => kind)), new Set(['SPAN_KIND_CLIENT']))
  assert.deepEqual(await counted('app', 'silent', 'heddle_requests_total', 'code'), {})
  assert.deepEqual(await counted('app', 'silent', 'heddle_decision_records_total', 'result'), {})
  const connections = await counted('app', 'silent', 'heddle_downstream_connections_total', 'listener')
  assert.ok(Object.values(connections).some((count) => count > 0))
  const { adminUrl, adminToken } = mesh.state
  const answer = await fetch(`${adminUrl}/v1/workloads/silent/app`, {
    headers: { authorization: `Bearer ${adminToken}` },
  })
  const { telemetry } = (await answer.json()) as WorkloadDetail
  const { documents, ...told } = telemetry
  assert.deepEqual(told, { metrics: false, decisionRecords: false, accessLog: false, traces: false })
  assert.deepEqual(
    documents.map(({ id }) => id),
    ['Telemetry/silent/app'],
  )
})

it('counts no bytes of a workload without metrics', async () => {
  for (const destination of ['plain', 'silent']) {
    const client = await rawClient(Number(listenerOf('loud', destination, 90).split(':').at(-1)))
    await client.waitFor('220 bytes')
    client.socket.destroy()
  }
  await eventually(async () => {
    const bytes = await counted('client', 'loud', 'heddle_tcp_received_bytes_total', 'cluster')
    assert.equal(Object.values(bytes).filter((count) => count > 0).length, 2, JSON.stringify(bytes))
    const opened = await counted('app', 'plain', 'heddle_tcp_connections_closed_total', 'listener')
    assert.deepEqual(Object.values(opened), [1])
  }, 10_000)
  for (const metric of ['connections_opened', 'connections_closed', 'received_bytes'])
    assert.deepEqual(await counted('app', 'silent', `heddle_tcp_${metric}_total`, 'listener'), {})
})

it('takes other documents while requests run, and drops none', async () => {
  await using load = new SteadyLoad({ url: `http://${listenerOf('loud', 'silent')}/load`, connections: 4, pauseMs: 2 })
  await eventually(() => assert.ok(load.ok > 50), 10_000)
  const text = await readFile(file, 'utf8')
  await writeFile(
    file,
    text.replace('  metrics: { mode: Disabled }', '  metrics: { mode: Enabled }').replace('/checkout', '/load'),
  )
  await eventually(async () => {
    const counts = await counted('app', 'silent', 'heddle_requests_total', 'code')
    assert.ok((counts['200'] ?? 0) > 50, JSON.stringify(counts))
  }, 20_000)
  await writeFile(file, text.replace(silent, '').replace(loud, ''))
  await eventually(async () => {
    const told = await counted('app', 'silent', 'heddle_decision_records_total', 'result')
    await ask('loud', 'silent', '/broken')
    assert.ok((told['sent'] ?? 0) > 0)
  }, 20_000)
  const { failures, connectionsOpened, ok } = await load.stop()
  assert.deepEqual(failures, [])
  assert.equal(connectionsOpened, 4)
  assert.ok(ok > 100)
})
