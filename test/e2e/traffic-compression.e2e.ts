// Compression of responses by a Filter in a running mesh: what curl gets, over HTTP/1.1 and HTTP/2, whole and as it comes; and what stays as it is.
import assert from 'node:assert/strict'
import { readFile, rm } from 'node:fs/promises'
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Server } from 'node:net'
import { dirname, join } from 'node:path'
import { after, before, it } from 'node:test'
import { brotliDecompressSync, createGunzip, gunzipSync, zstdDecompressSync } from 'node:zlib'

import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { GrpcCaller } from '../kit/grpc-caller.ts'
import { runCommand } from '../kit/run-command.ts'
import { meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { until } from '../kit/until.ts'

const text = JSON.stringify(Array.from({ length: 40_000 }, (_, id) => ({ id, name: `item ${id}` })))

let mesh: RunningMesh
let file = ''
let application: Server
let gateway = ''
let events: ServerResponse | undefined

function answer({ url = '' }: IncomingMessage, response: ServerResponse): void {
  const type = url.includes('image') ? 'image/png' : url.includes('events') ? 'text/event-stream' : 'application/json'
  response.setHeader('content-type', type)
  response.setHeader('etag', '"v1"')
  if (url.includes('no-transform')) response.setHeader('cache-control', 'no-transform')
  if (url.includes('events')) {
    events = response
    response.write('data: one\n\n')
  } else if (url.includes('chunked')) {
    for (let at = 0; at < text.length; at += 100_000) response.write(text.slice(at, at + 100_000))
    response.end()
  } else response.end(url.includes('short') ? '{}' : text)
}

before(async () => {
  const [port = 0, gatewayPort = 0, grpcPort = 0] = await freePorts(3)
  gateway = `127.0.0.1:${gatewayPort}`
  application = await listenOn(
    port,
    createServer((incoming, response) => void incoming.resume().on('end', () => answer(incoming, response))),
  )
  const grpcApplication = join(import.meta.dirname, '../kit/grpc-application.ts')
  file = await meshFile(`
apiVersion: v1
kind: Service
metadata: { name: app }
spec: { selector: { app: app }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: app, labels: { app: app } }
spec: { address: 127.0.0.1, ports: [{ name: http, port: ${port} }] }
---
apiVersion: v1
kind: Service
metadata: { name: calls }
spec: { selector: { app: calls }, ports: [{ name: grpc, port: 7070, targetPort: grpc }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: calls, labels: { app: calls } }
spec:
  ports: [{ name: grpc, port: ${grpcPort} }]
  command: [node, ${JSON.stringify(grpcApplication)}]
  env: { PORT: '${grpcPort}', NAME: calls }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: caller }
spec: { serviceAccount: caller }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public }
spec: { gatewayClassName: heddle, listeners: [{ name: http, port: ${gatewayPort}, protocol: HTTP }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Filter
metadata: { name: inbound }
spec:
  targetRefs: [{ kind: Service, name: calls }]
  compression: {}
---
apiVersion: heddle.dev/v1alpha1
kind: Filter
metadata: { name: smaller }
spec:
  compression:
    algorithms: [{ type: Zstd }, { type: Brotli, level: 3 }, { type: Gzip, level: 1 }]
    contentTypes: [application/json, text/event-stream]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: app }
spec:
  parentRefs: [{ name: public }, { group: '', kind: Service, name: app }]
  rules:
    - matches: [{ path: { value: /plain } }]
      backendRefs: [{ name: app, port: 80 }]
    - filters: [{ type: ExtensionRef, extensionRef: { group: heddle.dev, kind: Filter, name: smaller } }]
      backendRefs: [{ name: app, port: 80 }]
`)
  mesh = await startMesh({ files: [file] })
})
after(async () => {
  await mesh.stop()
  application.close()
  await rm(dirname(file), { recursive: true, force: true })
})

interface Download {
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

async function download(path: string, accepted: string | undefined, ...args: string[]): Promise<Download> {
  const output = join(dirname(file), 'body')
  const accept = accepted === undefined ? [] : ['-H', `accept-encoding: ${accepted}`]
  const all = ['-sS', '--fail', '--max-time', '20', '-D', '-', '-o', output, ...accept, ...args]
  const { stdout, stderr, exitCode } = await runCommand('curl', [...all, `http://${gateway}${path}`])
  assert.equal(exitCode, 0, stderr)
  const headers = stdout.split('\r\n').flatMap((line): [string, string][] => {
    const colon = line.indexOf(':')
    return colon === -1 ? [] : [[line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]]
  })
  return { headers: new Map(headers), body: await readFile(output) }
}

const decoders = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync }

it('compresses what a caller takes compressed, over HTTP/1.1 and HTTP/2, with and without a length', async () => {
  for (const version of ['--http1.1', '--http1.0', '--http2-prior-knowledge'])
    for (const path of ['/list', '/chunked'])
      for (const [coding, decode] of Object.entries(decoders)) {
        const { headers, body } = await download(path, coding, version)
        const told = `${version} ${path} ${coding}`
        assert.equal(headers.get('content-encoding'), coding, told)
        assert.equal(headers.get('vary'), 'Accept-Encoding', told)
        assert.equal(headers.get('etag'), 'W/"v1"', told)
        assert.equal(decode(body).toString(), text, told)
        assert.ok(body.length < text.length / 3, `${told}: ${body.length} of ${text.length} bytes`)
      }
})

async function chosen(accepted: string): Promise<string | undefined> {
  return (await download('/list', accepted)).headers.get('content-encoding')
}

it('chooses as the caller likes, and else as the document says', async () => {
  assert.equal(await chosen('gzip, br, zstd'), 'zstd')
  assert.equal(await chosen('gzip;q=1, br;q=0.8'), 'gzip')
  assert.equal(await chosen('*, zstd;q=0'), 'br')
})

it('leaves alone what is not to be compressed', async () => {
  for (const [path, accepted] of [
    ['/plain', 'gzip'],
    ['/image', 'gzip'],
    ['/short', 'gzip'],
    ['/no-transform', 'gzip'],
    ['/list', 'identity'],
    ['/list', 'gzip;q=0'],
    ['/list', undefined],
  ] as const) {
    const { headers, body } = await download(path, accepted)
    assert.equal(headers.get('content-encoding'), undefined, `${path} for ${accepted}`)
    assert.equal(headers.get('etag'), '"v1"')
    assert.equal(headers.get('vary'), path === '/list' ? 'Accept-Encoding' : undefined, `${path} for ${accepted}`)
    assert.equal(body.toString(), path === '/short' ? '{}' : text)
  }
})

it('lets curl read it, through a sidecar', async () => {
  const proxy = mesh.workload('caller').outboundProxy
  const { stdout } = await runCommand('curl', ['-sS', '--compressed', '--proxy', proxy, 'http://app/list'])
  assert.equal(stdout, text)
})

it('sends each event when it comes', async () => {
  let received = ''
  const [host, port] = gateway.split(':')
  const call = request({ host, port, path: '/events', headers: { 'accept-encoding': 'gzip' } }, (response) => {
    assert.equal(response.headers['content-encoding'], 'gzip')
    response.pipe(createGunzip()).on('data', (bytes: Buffer) => (received += bytes.toString()))
  }).end()
  await until('the first event', () => received === 'data: one\n\n')
  events?.write('data: two\n\n')
  await until('the second event', () => received === 'data: one\n\ndata: two\n\n')
  events?.end('data: three\n\n')
  await until('the last event', () => received.endsWith('data: three\n\n'))
  call.destroy()
})

it('goes on when callers leave in the middle', async () => {
  for (let i = 0; i < 200; i++) {
    const [host, port] = gateway.split(':')
    await new Promise<void>((resolve) => {
      const call = request({ host, port, path: '/list', headers: { 'accept-encoding': 'gzip' } }, (response) => {
        response.once('data', () => call.destroy())
        response.on('error', () => {})
      })
      call.on('error', () => {})
      call.on('close', () => resolve())
      call.end()
    })
  }
  const { headers } = await download('/list', 'gzip')
  assert.equal(headers.get('content-encoding'), 'gzip')
})

it('has nothing to do with gRPC', async () => {
  const address = mesh.workload('caller').services.find(({ name }) => name === 'calls')?.address ?? ''
  const caller = new GrpcCaller(address)
  try {
    const message = 'x'.repeat(100_000)
    const { code, head, message: said } = await caller.say(message, { metadata: { 'accept-encoding': 'gzip' } })
    assert.equal(code, 0)
    assert.equal(head?.get('content-encoding').length, 0)
    assert.match(String(said), /x{1000}/)
  } finally {
    caller.close()
  }
})
