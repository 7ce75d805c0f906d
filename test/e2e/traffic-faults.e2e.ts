// Faults of a TrafficPolicy in a running mesh: callers of the destination suffer them, in HTTP/1.1, HTTP/2 and gRPC, and only those named.
import assert from 'node:assert/strict'
import { rm, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import type { Server } from 'node:net'
import { dirname, join } from 'node:path'
import { after, before, it } from 'node:test'

import { status } from '@grpc/grpc-js'

import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { GrpcCaller } from '../kit/grpc-caller.ts'
import { send } from '../kit/http-client.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

const grpcApplication = join(import.meta.dirname, '../kit/grpc-application.ts')
const bodyBytes = 20_480

let mesh: RunningMesh
let file = ''
let application: Server
let asked = 0

/** Leads to the application, or to the gRPC one, and treats its callers as `faults` says. */
function service(name: string, faults: string, app = 'application', port = 80, protocol = 'http'): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${app} }, ports: [{ name: ${protocol}, port: ${port}, targetPort: ${protocol} }] }
---
apiVersion: heddle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: ${name} }
spec: { targetRefs: [{ kind: Service, name: ${name} }], faults: ${faults} }
---`
}

function caller(name: string): string {
  return `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name} }
spec: { serviceAccount: ${name} }
---`
}

before(async () => {
  const [port = 0, grpcPort = 0] = await freePorts(2)
  application = await listenOn(
    port,
    createServer((request, response) => {
      asked++
      request.resume().on('end', () => response.end('x'.repeat(bodyBytes)))
    }),
  )
  const grpcOf = (name: string, faults: string): string => service(name, faults, 'calls', 7070, 'grpc')
  file = await meshFile(
    [
      `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: application, labels: { app: application } }
spec: { address: 127.0.0.1, ports: [{ name: http, port: ${port} }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: calls, labels: { app: calls } }
spec:
  ports: [{ name: grpc, port: ${grpcPort} }]
  command: [node, ${JSON.stringify(grpcApplication)}]
  env: { PORT: '${grpcPort}', NAME: calls }
---`,
      caller('caller'),
      caller('spared'),
      service('delayed', '{ delay: { fixedDelay: 300ms } }'),
      service('aborted', '{ abort: { httpStatus: 418 } }'),
      service('reset', '{ reset: {} }'),
      service('slow', '{ responseRateLimit: { limitKbps: 20 } }'),
      service('some', '{ callers: [{ namespace: default, serviceAccount: caller }], abort: { httpStatus: 503 } }'),
      service('marked', '{ headers: [{ name: x-test, value: "on" }], abort: { httpStatus: 503 } }'),
      service('asking', '{ delay: { byHeader: true }, abort: { byHeader: true } }'),
      service('half', '{ abort: { httpStatus: 503, percent: 50 } }'),
      service('changing', '{ abort: { httpStatus: 503 } }'),
      service('late', '{ delay: { fixedDelay: 1h } }'),
      `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: late }
spec:
  parentRefs: [{ group: '', kind: Service, name: late }]
  rules: [{ timeouts: { request: 200ms }, backendRefs: [{ name: late, port: 80 }] }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: changing }
spec:
  parentRefs: [{ group: '', kind: Service, name: changing }]
  rules:
    - matches: [{ path: { value: /whole } }]
      backendRefs: [{ name: marked, port: 80 }]
    - backendRefs: [{ name: changing, port: 80 }, { name: marked, port: 80 }]
---`,
      grpcOf('calls-aborted', '{ abort: { grpcStatus: NOT_FOUND } }'),
      grpcOf('calls-unavailable', '{ abort: { httpStatus: 503 } }'),
      grpcOf('calls-delayed', '{ delay: { fixedDelay: 300ms } }'),
      grpcOf('calls-reset', '{ reset: {} }'),
    ].join(''),
  )
  mesh = await startMesh({ files: [file] })
})

after(async () => {
  await mesh.stop()
  application.close()
  await rm(dirname(file), { recursive: true, force: true })
})

function addressOf(name: string, workload = 'caller'): string {
  return mesh.workload(workload).services.find((one) => one.name === name)?.address ?? 'missing.invalid'
}

async function timed<T>(run: () => Promise<T>): Promise<{ readonly value: T; readonly tookMs: number }> {
  const startMs = performance.now()
  return { value: await run(), tookMs: performance.now() - startMs }
}

interface Http2Outcome {
  readonly status: number | undefined
  readonly bytes: number
  readonly error: string | undefined
}

function sendHttp2(address: string): Promise<Http2Outcome> {
  return new Promise((resolve) => {
    const session = connectHttp2(`http://${address}`)
    let answered: number | undefined
    let bytes = 0
    let error: string | undefined
    const stream = session.request({ ':path': '/' })
    stream.on('response', (head) => (answered = head[':status']))
    stream.on('data', (data: Buffer) => (bytes += data.length))
    stream.on('error', (failure) => (error = failure.message))
    stream.on('close', () => {
      session.close()
      resolve({ status: answered, bytes, error })
    })
  })
}

/** The status of a gRPC call. */
async function say(name: string, timeoutMs = 5_000): Promise<number> {
  const client = new GrpcCaller(addressOf(name))
  try {
    return (await client.say('x', { timeoutMs })).code
  } finally {
    client.close()
  }
}

async function metricsOf(workload: string): Promise<string> {
  return (await send({ address: new URL(mesh.workload(workload).metricsUrl).host, target: '/metrics' })).body
}

it('delays requests, and then has them answered', async () => {
  const { value, tookMs } = await timed(() => send({ address: addressOf('delayed'), target: '/' }))
  assert.equal(value.status, 200)
  assert.ok(tookMs >= 300, `${tookMs} ms`)
  const posted = await timed(() =>
    send({ address: addressOf('delayed'), target: '/', method: 'POST', body: 'x'.repeat(200_000) }),
  )
  assert.equal(posted.value.status, 200, 'a body that is longer than what waits in memory')
  const http2 = await timed(() => sendHttp2(addressOf('delayed')))
  assert.deepEqual(http2.value, { status: 200, bytes: bodyBytes, error: undefined })
  assert.ok(http2.tookMs >= 300, `${http2.tookMs} ms`)
})

it('counts a delay for the time that a request may take', async () => {
  const { value, tookMs } = await timed(() => send({ address: addressOf('late'), target: '/' }))
  assert.equal(value.status, 504)
  assert.ok(tookMs >= 200 && tookMs < 5_000, `${tookMs} ms`)
})

it('aborts requests before anybody is asked', async () => {
  const soFar = asked
  const { status: code, body } = await send({ address: addressOf('aborted'), target: '/' })
  assert.equal(code, 418)
  assert.match(body, /fault/)
  const http2 = await sendHttp2(addressOf('aborted'))
  assert.equal(http2.status, 418)
  assert.equal(asked, soFar)
})

it('resets requests', async () => {
  await assert.rejects(send({ address: addressOf('reset'), target: '/' }), /hang up|ECONNRESET/)
  const { status: answered, error } = await sendHttp2(addressOf('reset'))
  assert.equal(answered, undefined)
  assert.match(error ?? '', /Stream closed with error code/)
})

it('slows responses down, whole and in order', async () => {
  const { value, tookMs } = await timed(() => send({ address: addressOf('slow'), target: '/' }))
  assert.equal(value.body.length, bodyBytes)
  assert.ok(tookMs > 800 && tookMs < 3_000, `${tookMs} ms`)
  const http2 = await timed(() => sendHttp2(addressOf('slow')))
  assert.deepEqual(http2.value, { status: 200, bytes: bodyBytes, error: undefined })
  assert.ok(http2.tookMs > 800 && http2.tookMs < 3_000, `${http2.tookMs} ms`)
})

it('spares other callers, and requests without the headers', async () => {
  assert.equal((await send({ address: addressOf('some'), target: '/' })).status, 503)
  assert.equal((await send({ address: addressOf('some', 'spared'), target: '/' })).status, 200)
  const marked = (headers: Record<string, string>): Promise<number> =>
    send({ address: addressOf('marked'), target: '/', headers }).then((response) => response.status)
  assert.equal(await marked({}), 200)
  assert.equal(await marked({ 'x-test': 'off' }), 200)
  assert.equal(await marked({ 'x-test': 'on' }), 503)
})

it('leaves it to requests only where the policy says so', async () => {
  const headers = { 'x-envoy-fault-abort-request': '404' }
  assert.equal((await send({ address: addressOf('asking'), target: '/', headers })).status, 404)
  assert.equal((await send({ address: addressOf('asking'), target: '/' })).status, 200)
  assert.equal((await send({ address: addressOf('marked'), target: '/', headers })).status, 200)
})

it('takes the share of the requests that it should', async () => {
  let aborted = 0
  for (let i = 0; i < 200; i++) if ((await send({ address: addressOf('half'), target: '/' })).status === 503) aborted++
  // 200 draws of a half: 50 lies 7 standard deviations away
  assert.ok(aborted > 50 && aborted < 150, `${aborted} of 200`)
})

it('is for the destination that a route leads to, and changes with the document', async () => {
  assert.equal((await send({ address: addressOf('changing'), target: '/whole' })).status, 200)
  const split: number[] = []
  for (let i = 0; i < 40; i++) split.push((await send({ address: addressOf('changing'), target: '/' })).status)
  assert.ok(split.includes(200) && split.includes(503), split.join())
  const text = await readFile(file, 'utf8')
  await writeFile(
    file,
    text.replace('name: changing }], faults: { abort: { httpStatus: 503 } }', 'name: changing }], connectTimeout: 2s'),
  )
  await eventually(async () => {
    for (let i = 0; i < 40; i++) assert.equal((await send({ address: addressOf('changing'), target: '/' })).status, 200)
  }, 10_000)
})

it('speaks gRPC to gRPC callers', async () => {
  assert.equal(await say('calls-aborted'), status.NOT_FOUND)
  assert.equal(await say('calls-unavailable'), status.UNAVAILABLE)
  const delayed = await timed(() => say('calls-delayed'))
  assert.equal(delayed.value, status.OK)
  assert.ok(delayed.tookMs >= 300, `${delayed.tookMs} ms`)
  assert.equal(await say('calls-delayed', 100), status.DEADLINE_EXCEEDED)
  assert.notEqual(await say('calls-reset'), status.OK)
})

it('tells of faults by flags in metrics and in the access log', async () => {
  await eventually(async () => {
    const metrics = await metricsOf('caller')
    assert.match(metrics, /heddle_requests_total\{.*code="418".*flags="FI"/)
    assert.match(metrics, /heddle_requests_total\{.*code="200".*flags="DI"/)
    assert.match(metrics, /heddle_requests_total\{.*code="0".*flags="FI"/)
    assert.match(metrics, /heddle_requests_total\{.*code="504".*flags="DI,UT"/)
    const log = await readFile(join(mesh.stateDir, 'logs', 'proxy.log'), 'utf8')
    assert.match(log, /"status":418,"flags":\["FI"\]/)
    assert.match(log, /"flags":\["DI"\]/)
  }, 5_000)
})
