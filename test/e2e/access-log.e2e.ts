// The access log of a running mesh: which requests, in which shape, in files that are rotated and at a collector, and what is lost when these fail.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { Server } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, it } from 'node:test'

import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { send, type WireResponse } from '../kit/http-client.ts'
import { collectorService } from '../kit/otlp-endpoint.ts'
import { parsePrometheus } from '../kit/prometheus-text.ts'
import { rawClient } from '../kit/raw-client.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { SteadyLoad } from '../kit/steady-load.ts'
import { type CollectedLog, TraceCollector } from '../kit/trace-collector.ts'

type Line = Readonly<Record<string, unknown>>

const collector = new TraceCollector()
const folder = mkdtempSync(join(tmpdir(), 'heddle-access-log-'))
let server: Server | undefined
let mesh: RunningMesh
let file = ''
let documents = ''

before(async () => {
  const [port, grpc, http] = (await freePorts(3)) as [number, number, number]
  await collector.listen(grpc, http)
  server = await listenOn(
    port,
    createServer((request, response) => {
      response.statusCode = request.url?.startsWith('/missing') === true ? 404 : 200
      response.end('hello')
    }),
  )
  documents = `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: client, labels: { app: client } }
spec: { serviceAccount: client, address: 127.0.0.1 }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: back, labels: { app: back } }
spec: { serviceAccount: back, address: 127.0.0.1, ports: [{ name: http, port: ${port} }] }
---
apiVersion: v1
kind: Service
metadata: { name: back }
spec: { selector: { app: back }, ports: [{ name: http, port: 80, targetPort: http }] }
---
${collectorService(grpc, http)}
apiVersion: heddle.dev/v1alpha1
kind: MeshConfig
metadata: { name: mesh }
spec:
  extensionProviders:
    - { name: otlp-grpc, opentelemetry: { service: otel.example, port: 4317, timeout: 1s } }
    - { name: otlp-http, opentelemetry: { service: otel.example, port: 4318, http: {} } }
  accessLog: `
  file = await meshFile(`${documents}{ enabled: false }\n`)
  mesh = await startMesh({ files: [file] })
})

after(async () => {
  await mesh?.stop()
  collector.stop()
  server?.close()
  await rm(folder, { recursive: true, force: true })
  if (file !== '') await rm(dirname(file), { recursive: true, force: true })
})

function back(): string {
  return mesh.workload('client').services.find(({ name }) => name === 'back')?.address ?? ''
}

function call(target: string, headers: Readonly<Record<string, string>> = {}): Promise<WireResponse> {
  return send({ address: back(), target, headers })
}

let marks = 0

/** In force when a request has left the trace that `seen` looks for. */
async function configure(accessLog: string, seen: (mark: string) => boolean): Promise<void> {
  await writeFile(file, `${documents}${accessLog}\n`)
  await eventually(async () => {
    const mark = `/mark-${++marks}`
    await call(mark)
    await eventually(() => assert.ok(seen(mark)), 1_500)
  }, 20_000)
}

function linesOf(path: string): string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : []
}

function hasLine(path: string): (mark: string) => boolean {
  return (mark) => linesOf(path).some((line) => line.includes(mark))
}

function hasLog(mark: string): boolean {
  return collector.logs.some(({ attributes, body }) => attributes['url.path'] === mark || body.includes(mark))
}

async function counted(output: string, result: string): Promise<number> {
  const { body } = await send({ address: new URL(mesh.workload('client').metricsUrl).host, target: '/metrics' })
  const found = parsePrometheus(body).find(
    ({ name, labels }) =>
      name === 'heddle_access_log_lines_total' && labels['output'] === output && labels['result'] === result,
  )
  return found?.value ?? 0
}

it('writes the fields that it is told, of the requests that match, whatever callers send', async () => {
  const path = join(folder, 'shaped.log')
  await configure(
    `{ samplePercent: 100, matches: 'reporter == "source" && response.status < 400 && !("x-quiet" in request.headers)', file: { path: ${path} },
       json: { status: '%RESPONSE_CODE%', who: { path: '%REQ(:PATH)%', tenant: '%REQ(X-TENANT)%' }, to: '%CEL(destination.workload)%', late: '%GRPC_STATUS_NUMBER%' } }`,
    hasLine(path),
  )
  await call('/missing')
  await call('/quiet', { 'x-quiet': '1' })
  const hostile = 'a"b\\c \x9b2J\xff'
  const client = await rawClient(Number(back().split(':')[1]))
  const head = `GET /hostile?token=secret HTTP/1.1\r\nhost: back\r\nconnection: close\r\nx-tenant: ${hostile}\r\n\r\n`
  client.write(Buffer.from(head, 'latin1'))
  assert.match(await client.closed(), /^HTTP\/1\.1 200 /)
  await call('/last', { 'x-tenant': '</script><script>alert(1)</script>' })
  await eventually(() => assert.ok(hasLine(path)('/last')), 5_000)
  const lines = linesOf(path).map((line) => JSON.parse(line) as Line)
  assert.ok(!JSON.stringify(lines).includes('/missing') && !JSON.stringify(lines).includes('/quiet'))
  const to = 'default/back'
  assert.deepEqual(lines.slice(-2), [
    { status: 200, who: { path: '/hostile?token=***', tenant: hostile }, to },
    { status: 200, who: { path: '/last', tenant: '</script><script>alert(1)</script>' }, to },
  ])
  // eslint-disable-next-line no-control-regex
  for (const line of linesOf(path)) assert.doesNotMatch(line, /[\x00-\x1f\x7f-\x9f]/)
  assert.equal(statSync(path).mode & 0o777, 0o600)
})

it('rotates a file under load: every request is there once, in a whole line', async () => {
  const path = join(folder, 'rotated.log')
  await configure(
    `{ samplePercent: 100, matches: 'reporter == "source"', file: { path: ${path}, rotateAtMiB: 1, keptFiles: 50 } }`,
    hasLine(path),
  )
  await using load = new SteadyLoad({ url: `http://${back()}/${'load'.repeat(200)}`, connections: 8, pauseMs: 0 })
  await eventually(() => assert.ok(existsSync(join(folder, 'rotated.3.log'))), 60_000)
  const { ok, failures } = await load.stop()
  assert.deepEqual(failures, [])
  const files = (): string[] => readdirSync(folder).filter((name) => name.startsWith('rotated.'))
  const written = (): Line[] =>
    files()
      .flatMap((name) => linesOf(join(folder, name)))
      .map((line) => JSON.parse(line) as Line)
      .filter((line) => String(line['path']).startsWith('/load'))
  await eventually(() => assert.equal(written().length, ok), 10_000)
  assert.equal(new Set(written().map(({ id }) => id)).size, ok)
  for (const name of files()) {
    assert.ok(readFileSync(join(folder, name), 'utf8').endsWith('\n'))
    assert.ok(statSync(join(folder, name)).size < 2 * 1024 * 1024)
  }
})

it('loses lines, counted, and no request while the folder is away', async () => {
  const path = join(folder, 'sub', 'away.log')
  mkdirSync(dirname(path))
  await configure(`{ samplePercent: 100, encoding: TEXT, file: { path: ${path} } }`, hasLine(path))
  renameSync(dirname(path), join(folder, 'moved'))
  const failed = await counted('file', 'failed')
  for (let i = 0; i < 20; i++) assert.equal((await call('/lost')).status, 200)
  await eventually(async () => assert.ok((await counted('file', 'failed')) >= failed + 20), 5_000)
  const log = join(mesh.stateDir, 'logs', 'proxy.log')
  await eventually(() => assert.match(readFileSync(log, 'utf8'), /away\.log.*ENOENT/), 5_000)
  mkdirSync(dirname(path))
  await eventually(async () => {
    await call('/found')
    assert.ok(hasLine(path)('/found'))
  }, 5_000)
  assert.ok(!linesOf(path).some((line) => line.includes('/lost')))
})

it('tells a collector, by OTLP/gRPC and OTLP/HTTP', async () => {
  await configure(`{ samplePercent: 100, provider: { name: otlp-grpc } }`, hasLog)
  assert.ok(collector.requests.grpc > 0)
  const traceId = 'c'.repeat(32)
  await call('/traced?a=b', { traceparent: `00-${traceId}-00f067aa0ba902b7-01`, 'user-agent': 'loom/1' })
  await call('/missing')
  const of = (service: string): CollectedLog | undefined =>
    collector.logs.find((log) => log.traceId === traceId && log.service === service)
  await eventually(() => assert.ok(of('client') !== undefined && of('back') !== undefined), 10_000)
  const { attributes, severity, spanId } = of('back') as CollectedLog
  assert.equal(spanId, '00f067aa0ba902b7')
  assert.equal(severity, 'INFO')
  assert.equal(attributes['url.path'], '/traced')
  assert.equal(attributes['url.query'], 'a=b')
  assert.equal(attributes['http.request.method'], 'GET')
  assert.equal(attributes['http.response.status_code'], '200')
  assert.equal(attributes['user_agent.original'], 'loom/1')
  assert.equal(attributes['heddle.source.principal'], 'spiffe://mesh.local/ns/default/sa/client')
  assert.equal(attributes['heddle.mtls'], 'true')
  await configure(
    `{ samplePercent: 100, encoding: TEXT, format: 'of %REQ(:PATH)%', provider: { name: otlp-http } }`,
    (mark) => collector.logs.some(({ body }) => body === `of ${mark}`),
  )
  assert.ok(collector.requests.http > 0)
})

it('keeps requests fast and memory bounded while the collector is silent, counts what is lost, and goes on', async () => {
  await configure(`{ samplePercent: 100, provider: { name: otlp-grpc } }`, hasLog)
  collector.behaviour = 'silent'
  const overflow = await counted('collector', 'overflow')
  await using load = new SteadyLoad({ url: `http://${back()}/silent`, connections: 4, pauseMs: 0 })
  await eventually(async () => assert.ok((await counted('collector', 'overflow')) > overflow), 60_000)
  const { failures, latenciesMs, ok } = await load.stop()
  assert.deepEqual(failures, [])
  // waiting for the collector would take a second and more
  assert.ok((latenciesMs.toSorted((a, b) => a - b)[Math.floor(ok * 0.99)] ?? Infinity) < 1_000)
  collector.behaviour = 'takes'
  await eventually(async () => {
    const mark = `/mark-${++marks}`
    await call(mark)
    await eventually(() => assert.ok(hasLog(mark)), 3_000)
  }, 30_000)
  collector.behaviour = 'refuses'
  const refused = `/mark-${++marks}`
  await call(refused)
  const asked = collector.requests.grpc
  await eventually(() => assert.ok(collector.requests.grpc > asked + 1), 20_000)
  collector.behaviour = 'takes'
  await eventually(() => assert.ok(hasLog(refused)), 20_000)
})

it('is whole where several proxies share a file, and they say that they do', async () => {
  const path = join(folder, 'shared.log')
  const isolated = await meshFile(
    `${documents}{ samplePercent: 100, file: { path: ${path}, rotateAtMiB: 1, keptFiles: 50 } }\n`,
  )
  const other = await startMesh({ files: [isolated], args: ['--isolate'] })
  try {
    const address = other.workload('client').services.find(({ name }) => name === 'back')?.address ?? ''
    await using load = new SteadyLoad({ url: `http://${address}/${'load'.repeat(200)}`, connections: 8, pauseMs: 0 })
    await eventually(() => assert.ok(existsSync(join(folder, 'shared.2.log'))), 60_000)
    const { ok, failures } = await load.stop()
    assert.deepEqual(failures, [])
    const lines = (): Line[] =>
      readdirSync(folder)
        .filter((name) => name.startsWith('shared.'))
        .flatMap((name) => linesOf(join(folder, name)))
        .map((line) => JSON.parse(line) as Line)
    const by = (reporter: string): number => lines().filter((line) => line['reporter'] === reporter).length
    await eventually(() => {
      assert.equal(by('source'), ok)
      assert.equal(by('destination'), ok)
    }, 10_000)
    const logs = readdirSync(join(other.stateDir, 'logs')).map((name) =>
      readFileSync(join(other.stateDir, 'logs', name), 'utf8'),
    )
    assert.match(logs.join(''), /shared\.log.*others write to it as well/)
  } finally {
    await other.stop()
    await rm(dirname(isolated), { recursive: true, force: true })
  }
})
