// TypeScript filters in a running mesh: of a route, of a Service's workloads and of a Gateway; changed while requests run, and failing.
import assert from 'node:assert/strict'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http'
import { dirname, join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { after, before, it } from 'node:test'
import { gunzipSync } from 'node:zlib'

import { status as grpcStatus } from '@grpc/grpc-js'

import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { GrpcCaller } from '../kit/grpc-caller.ts'
import { send, sendThroughProxy, type WireResponse } from '../kit/http-client.ts'
import { processTree, type ProcessInfo } from '../kit/process-tree.ts'
import { runCommand, type CommandResult } from '../kit/run-command.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { SteadyLoad } from '../kit/steady-load.ts'

const heddle = join(import.meta.dirname, '../../heddle')

let mesh: RunningMesh
let folder = ''
let applications: readonly Server[] = []
let gateway = ''

/** What the application saw, in headers; its body back, in upper case. */
async function startApplication(port: number): Promise<Server> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      response.setHeader('x-saw-version', request.headers['x-version'] ?? 'none')
      response.setHeader('x-saw-path', request.url ?? '')
      response.setHeader('content-type', 'text/plain')
      response.end(Buffer.concat(chunks).toString().toUpperCase() || 'nothing')
    })
  })
  await listenOn(port, server)
  return server
}

const versioned = (version: string): string => `
import type { Filter } from 'heddle/filter'

const version: string = '${version}'
const filter: Filter = {
  onRequest(request, context) {
    request.headers.set('x-version', version)
    context.metadata.set('version', version)
    context.count('seen', version)
  },
  onResponse: (response) => response.headers.set('x-version', version),
}
export default filter
`

/** Fails in the way that the path names. */
const failing = `
import type { Filter } from 'heddle/filter'

const filter: Filter = {
  onRequest(request): Promise<void> | void {
    if (request.path === '/throw') throw new Error('thrown on purpose')
    if (request.path === '/reject') return Promise.reject(new Error('rejected on purpose'))
    if (request.path === '/never') return new Promise(() => {})
    if (request.path === '/float') void Promise.reject(new Error('nobody waits for this'))
    if (request.path === '/fetch') void fetch('http://127.0.0.1:1/')
    if (request.path === '/later') setTimeout(() => { throw new Error('nor for this') })
    request.headers.set('x-version', 'well')
  },
}
export default filter
`

const bodies = `
import { createHash } from 'node:crypto'
import type { Filter } from 'heddle/filter'

const filter: Filter = {
  onRequest: (request) => (request.path === '/forbidden' ? { status: 403, body: 'not here' } : undefined),
  onRequestBody: (body) => Buffer.from(body).toString() + ' and more',
  async onResponseBody(body, response, context) {
    response.headers.set('etag', '"' + createHash('sha256').update(body).digest('hex').slice(0, 8) + '"')
    if (context.request.headers.get('if-none-match') === response.headers.get('etag')) return { status: 304 }
    return '<' + Buffer.from(body).toString() + '>'
  },
}
export default filter
`

/** Bodies of calls are frames: it is not shown any. */
const calls = `
import type { Filter } from 'heddle/filter'

const filter: Filter = {
  onRequest(request) {
    if (request.headers.get('x-fail') === 'yes') throw new Error('failed on purpose')
    return request.headers.get('x-answer') === 'yes' ? { status: 503, body: 'not now' } : undefined
  },
  onRequestBody: () => 'no frame',
  onResponse: (response) => response.headers.set('x-filtered', 'yes'),
  onResponseBody: () => 'no frame',
}
export default filter
`

function filter(name: string, text: string): string {
  return `
apiVersion: heddle.dev/v1alpha1
kind: Filter
metadata: { name: ${name} }
spec: ${text}
---`
}

/** A Service of the application whose requests pass the filter. */
function routed(name: string, filters: readonly string[]): string {
  const references = filters.map(
    (one) => `{ type: ExtensionRef, extensionRef: { group: heddle.dev, kind: Filter, name: ${one} } }`,
  )
  return `
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: application }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name} }
spec:
  parentRefs: [{ group: '', kind: Service, name: ${name} }]
  rules:
    - filters: [${references.join(', ')}]
      backendRefs: [{ name: ${name}, port: 80 }]
---`
}

before(async () => {
  const [port = 0, gatewayPort = 0, guardedPort = 0, grpcPort = 0] = await freePorts(4)
  gateway = `127.0.0.1:${gatewayPort}`
  applications = [await startApplication(port), await startApplication(guardedPort)]
  const file = await meshFile(
    [
      `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: application, labels: { app: application } }
spec: { address: 127.0.0.1, ports: [{ name: http, port: ${port} }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: guarded, labels: { app: guarded } }
spec:
  address: 127.0.0.1
  ports: [{ name: http, port: ${guardedPort} }]
---
apiVersion: v1
kind: Service
metadata: { name: guarded }
spec: { selector: { app: guarded }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: calls, labels: { app: calls } }
spec:
  ports: [{ name: grpc, port: ${grpcPort} }]
  command: [node, ${JSON.stringify(join(import.meta.dirname, '../kit/grpc-application.ts'))}]
  env: { PORT: '${grpcPort}', NAME: calls }
---
apiVersion: v1
kind: Service
metadata: { name: calls }
spec: { selector: { app: calls }, ports: [{ name: grpc, port: 7070, targetPort: grpc }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: caller }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public }
spec: { gatewayClassName: heddle, listeners: [{ name: http, protocol: HTTP, port: ${gatewayPort} }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: public }
spec: { parentRefs: [{ name: public }], rules: [{ backendRefs: [{ name: plain, port: 80 }] }] }
---
apiVersion: v1
kind: Service
metadata: { name: plain }
spec: { selector: { app: application }, ports: [{ name: http, port: 80, targetPort: http }] }
---`,
      routed('versioned', ['versioned']),
      routed('loaded', ['loaded']),
      routed('lenient', ['lenient']),
      routed('strict', ['strict']),
      routed('bodies', ['bodies']),
      routed('bounded', ['bounded']),
      routed('compressed', ['compressed', 'bodies']),
      filter(
        'calls',
        '{ targetRefs: [{ kind: Service, name: calls }], typescript: { file: filters/calls.ts, onError: Refuse } }',
      ),
      filter('versioned', '{ typescript: { file: filters/versioned.ts } }'),
      filter('loaded', '{ typescript: { file: filters/loaded.ts } }'),
      filter('lenient', '{ typescript: { file: filters/failing.ts, timeBudget: 50ms } }'),
      filter('strict', '{ typescript: { file: filters/failing.ts, timeBudget: 50ms, onError: Refuse } }'),
      filter('compressed', '{ compression: { minContentLength: 10, contentTypes: [text/plain] } }'),
      filter('bodies', '{ typescript: { file: filters/bodies.ts, timeBudget: 1s } }'),
      filter(
        'bounded',
        '{ typescript: { file: filters/bodies.ts, timeBudget: 1s, maxBodyBytes: 20, onError: Refuse } }',
      ),
      filter(
        'guard',
        `{ targetRefs: [{ kind: Service, name: guarded }],
           typescript: { code: "export default { onRequest: (request) => request.headers.set('x-version', 'guarded') }" } }`,
      ),
      filter(
        'at-gateway',
        `{ targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: public }],
           typescript: { code: "export default { onRequest(request) { request.path = '/by-gateway' } }" } }`,
      ),
    ].join('\n'),
  )
  folder = dirname(file)
  mkdirSync(join(folder, 'filters'))
  for (const [name, text] of Object.entries({
    versioned: versioned('1'),
    loaded: versioned('1'),
    failing,
    bodies,
    calls,
  }))
    save(name, text)
  mesh = await startMesh({ files: [file] })
})

after(async () => {
  await mesh?.stop()
  for (const application of applications) {
    application.close()
    application.closeAllConnections()
  }
  if (folder !== '') await rm(folder, { recursive: true, force: true })
})

/** As editors do: a new file, renamed over the old one. */
function save(name: string, text: string): void {
  writeFileSync(join(folder, `${name}.new`), text)
  renameSync(join(folder, `${name}.new`), filterPath(name))
}

function filterPath(name: string): string {
  return join(folder, 'filters', `${name}.ts`)
}

function ask(host: string, path = '/', body?: string, headers: Record<string, string> = {}): Promise<WireResponse> {
  const options = body === undefined ? { headers } : { method: 'POST', body, headers }
  return sendThroughProxy(mesh.workload('caller').outboundProxy, `http://${host}${path}`, options)
}

function run(...args: readonly string[]): Promise<CommandResult> {
  return runCommand(heddle, [...args, '--state-dir', mesh.stateDir])
}

async function proxyProcess(): Promise<ProcessInfo> {
  const found = (await processTree(mesh.pid)).find(({ command }) => command.includes('proxy'))
  assert.ok(found)
  return found
}

function proxyLog(): Promise<string> {
  return readFile(join(mesh.stateDir, 'logs', 'proxy.log'), 'utf8')
}

async function metrics(): Promise<string> {
  return (await fetch(mesh.workload('caller').metricsUrl)).text()
}

it('changes requests and responses, and tells what it saw', async () => {
  const { headers } = await ask('versioned')
  assert.equal(headers['x-saw-version'], '1')
  assert.equal(headers['x-version'], '1')
  const text = await metrics()
  assert.match(text, /heddle_filter_events_total\{filter="Filter\/default\/versioned",event="seen",value="1"\} [1-9]/)
  assert.match(
    text,
    /heddle_filter_duration_seconds_count\{filter="Filter\/default\/versioned",phase="request"\} [1-9]/,
  )
})

it('is told by tap, with what filters said', async () => {
  const tap = run('tap', 'caller', '--count', '1', '-o', 'json')
  let told: CommandResult | undefined
  while (told === undefined) told = await Promise.race([tap, ask('versioned').then(() => undefined)])
  const { stdout } = told
  const record = JSON.parse(stdout.split('\n')[0] ?? '') as { filters?: unknown; metadata?: unknown }
  assert.deepEqual(record.filters, [
    { filter: 'Filter/default/versioned', phase: 'request', did: 'changed' },
    { filter: 'Filter/default/versioned', phase: 'response', did: 'changed' },
  ])
  assert.deepEqual(record.metadata, { version: '1' })
})

it('changes bodies both ways, and answers in the place of the application', async () => {
  const { body, headers } = await ask('bodies', '/', 'one')
  assert.equal(body, '<ONE AND MORE>')
  assert.equal(headers['content-length'], '14')
  const again = await ask('bodies', '/', 'one', { 'if-none-match': headers['etag'] ?? '' })
  assert.deepEqual([again.status, again.body], [304, ''])
  const refused = await ask('bodies', '/forbidden')
  assert.deepEqual([refused.status, refused.body], [403, 'not here'])
})

it('sees bodies before they are compressed', async () => {
  const { url, host } = { url: mesh.workload('caller').outboundProxy, host: 'compressed' }
  const options = { method: 'POST', headers: { host, 'accept-encoding': 'gzip' } }
  const [response, body] = await new Promise<[IncomingMessage, Buffer]>((resolve, reject) => {
    const sent = httpRequest(url, options, (incoming) => {
      buffer(incoming).then((bytes) => resolve([incoming, bytes]), reject)
    })
    sent.on('error', reject).end('word '.repeat(1000))
  })
  assert.equal(response.headers['content-encoding'], 'gzip')
  assert.equal(gunzipSync(body).toString(), `<${'WORD '.repeat(1000)} AND MORE>`)
})

it('passes bodies that are too long unseen, or refuses them', async () => {
  const long = 'x'.repeat(200_000)
  const { status, body } = await ask('bodies', '/', long)
  assert.deepEqual([status, body], [200, long.toUpperCase()])
  assert.equal((await ask('bounded', '/', 'x'.repeat(21))).status, 413)
  // 21 bytes as the application sends them back
  assert.equal((await ask('bounded', '/', 'x'.repeat(12))).status, 500)
  assert.equal((await ask('bounded', '/', 'x'.repeat(11))).body, `<${'X'.repeat(11)} AND MORE>`)
})

it('takes calls of gRPC as they are, and answers them in its way', async () => {
  const { services } = mesh.workload('caller')
  const address = services.find(({ name }) => name === 'calls')?.address ?? ''
  const caller = new GrpcCaller(address)
  try {
    const passed = await caller.say('hello')
    assert.equal(passed.code, grpcStatus.OK, passed.details)
    assert.deepEqual(passed.head?.get('x-filtered'), ['yes'])
    const answered = await caller.say('hello', { metadata: { 'x-answer': 'yes' } })
    assert.deepEqual([answered.code, answered.message], [grpcStatus.UNAVAILABLE, undefined])
    const refused = await caller.say('hello', { metadata: { 'x-fail': 'yes' } })
    assert.equal(refused.code, grpcStatus.UNKNOWN)
    assert.match(refused.details, /onError: Refuse/)
  } finally {
    caller.close()
  }
})

it('guards the workloads of a Service, whoever asks, and a Gateway', async () => {
  assert.equal((await ask('guarded', '/chosen')).headers['x-saw-version'], 'guarded')
  const { headers } = await send({ address: gateway, target: '/chosen' })
  assert.equal(headers['x-saw-path'], '/by-gateway')
})

it('goes on without a filter that throws, rejects or never ends; or refuses', async () => {
  for (const path of ['/throw', '/reject', '/never']) {
    const passed = await ask('lenient', path)
    assert.deepEqual([passed.status, passed.headers['x-saw-version']], [200, 'none'], path)
    const refused = await ask('strict', path)
    assert.equal(refused.status, 500, path)
    assert.match(refused.body, /Filter\/default\/strict says onError: Refuse/)
  }
  assert.equal((await ask('strict', '/well')).headers['x-saw-version'], 'well')
  const text = await metrics()
  for (const [name, reason, times] of [
    ['lenient', 'error', 2],
    ['lenient', 'timeout', 1],
    ['strict', 'error', 2],
    ['strict', 'timeout', 1],
  ])
    assert.ok(
      text.includes(
        `heddle_filter_failures_total{filter="Filter/default/${name}",phase="request",reason="${reason}"} ${times}\n`,
      ),
      text,
    )
})

it('does not take the proxy down by what it leaves behind', async () => {
  const { pid } = await proxyProcess()
  for (const path of ['/float', '/later', '/fetch']) assert.equal((await ask('lenient', path)).status, 200, path)
  await eventually(async () => {
    const log = await proxyLog()
    for (const told of ['nobody waits for this', 'nor for this', 'fetch failed']) assert.ok(log.includes(told), told)
  }, 10_000)
  assert.equal((await ask('lenient', '/well')).headers['x-saw-version'], 'well')
  assert.equal((await proxyProcess()).pid, pid)
})

it('is changed under load without a failed request or a new connection', async () => {
  const seen = new Set<string>()
  await using load = new SteadyLoad({
    url: mesh.workload('caller').outboundProxy,
    headers: { host: 'versioned' },
    connections: 8,
    pauseMs: 1,
    check(headers) {
      const version = String(headers['x-saw-version'])
      seen.add(version)
      return headers['x-version'] === undefined || version === 'none' ? 'a request without the filter' : undefined
    },
  })
  for (let version = 2; version <= 9; version++) {
    const text = versioned(String(version))
    save('versioned', text)
    await eventually(() => assert.ok(seen.has(String(version))), 10_000)
  }
  const { ok, failures, connectionsOpened } = await load.stop()
  assert.deepEqual(failures, [])
  assert.ok(ok > 100)
  assert.ok(connectionsOpened <= 8)
  // who changes code changes what the mesh does
  await eventually(async () => {
    const audited = await readFile(join(mesh.stateDir, 'audit.jsonl'), 'utf8')
    assert.ok(audited.split('\n').filter((line) => line.includes(filterPath('versioned'))).length >= 9, audited)
  }, 10_000)
})

it('keeps the last good code of a file that is broken, and says where', async () => {
  save('loaded', versioned('2'))
  await eventually(async () => assert.equal((await ask('loaded')).headers['x-saw-version'], '2'), 10_000)
  save('loaded', versioned('3').replace('const filter', 'enum E { a }\nconst filter'))
  await eventually(async () => {
    const { stdout } = await run('analyze')
    assert.match(stdout, /filters\/loaded\.ts:5:1: error HDL016: TypeScript enum is not supported/)
  }, 10_000)
  assert.equal((await ask('loaded')).headers['x-saw-version'], '2')
  const status = await run('get', 'filter', 'loaded', '-o', 'yaml')
  assert.match(status.stdout, /last good version is in force/)

  save('loaded', versioned('4'))
  await eventually(async () => assert.equal((await ask('loaded')).headers['x-saw-version'], '4'), 10_000)
})

it('keeps what runs where a proxy cannot load the new code, and says so', async () => {
  const running = (await ask('loaded')).headers['x-saw-version']
  save('loaded', `${versioned('5')}\nthrow new Error('no such luck')\n`)
  await eventually(async () => {
    const { stdout } = await run('proxy-status', '-o', 'json')
    assert.match(stdout, /Filter\/default\/loaded: no such luck/)
  }, 10_000)
  assert.equal((await ask('loaded')).headers['x-saw-version'], running)
  save('loaded', versioned('6'))
  await eventually(async () => assert.equal((await ask('loaded')).headers['x-saw-version'], '6'), 10_000)
})
