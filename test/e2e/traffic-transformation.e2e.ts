// Filters that change requests and responses, in a running mesh: on rules, in front of workloads and at a gateway, by HTTP/1.1 and HTTP/2.
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { Server } from 'node:net'
import { dirname, join } from 'node:path'
import { after, before, it } from 'node:test'

import { status } from '@grpc/grpc-js'
import { exportJWK, SignJWT } from 'jose'

import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { GrpcCaller } from '../kit/grpc-caller.ts'
import { runCommand } from '../kit/run-command.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

const issuer = 'https://issuer.example'
const key = generateKeyPairSync('ec', { namedCurve: 'P-256' })

async function keySet(): Promise<string> {
  return JSON.stringify({ keys: [{ ...(await exportJWK(key.publicKey)), kid: 'one' }] })
}

let mesh: RunningMesh
let file = ''
let application: Server
let gateway = ''

const filter = (name: string, spec: string): string => `
apiVersion: heddle.dev/v1alpha1
kind: Filter
metadata: { name: ${name} }
spec: ${spec}
---`

const rule = (path: string, ...filters: string[]): string => `
    - matches: [{ path: { value: ${path} } }]
      filters: [${filters.map((name) => `{ type: ExtensionRef, extensionRef: { group: heddle.dev, kind: Filter, name: ${name} } }`).join(', ')}]
      backendRefs: [{ name: app, port: 80 }]`

before(async () => {
  const [port = 0, gatewayPort = 0, grpcPort = 0] = await freePorts(3)
  gateway = `127.0.0.1:${gatewayPort}`
  application = await listenOn(
    port,
    createServer((request, response) => {
      response.setHeader('content-type', 'application/json')
      response.setHeader('x-from', 'app')
      response.statusCode = request.url?.includes('missing') === true ? 404 : 200
      request.resume().on('end', () => response.end(JSON.stringify({ url: request.url, headers: request.headers })))
    }),
  )
  file = await meshFile(
    [
      `
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
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: caller }
spec: { serviceAccount: caller }
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
  command: [node, ${JSON.stringify(join(import.meta.dirname, '../kit/grpc-application.ts'))}]
  env: { PORT: '${grpcPort}', NAME: calls }
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: { name: calls }
spec:
  parentRefs: [{ group: '', kind: Service, name: calls }]
  rules:
    - matches: [{ method: { service: calls.Calls, method: Say } }]
      filters: [{ type: ExtensionRef, extensionRef: { group: heddle.dev, kind: Filter, name: second } }]
      backendRefs: [{ name: calls, port: 7070 }]
    - matches: [{ method: { service: calls.Calls, method: Hold } }]
      filters: [{ type: ExtensionRef, extensionRef: { group: heddle.dev, kind: Filter, name: maintenance } }]
    - matches: [{ method: { service: calls.Calls, method: Try } }]
      filters: [{ type: ExtensionRef, extensionRef: { group: heddle.dev, kind: Filter, name: nobody } }]
      backendRefs: [{ name: calls, port: 7070 }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public }
spec: { gatewayClassName: heddle, listeners: [{ name: http, port: ${gatewayPort}, protocol: HTTP }] }
---`,
      filter(
        'first',
        `{ transformation: { request: { set: [{ name: x-first, value: '%REQ(x-in)% %PATH(NQ)% %QUERY_PARAM(user)%' }] } } }`,
      ),
      filter(
        'second',
        `
  transformation:
    request: { set: [{ name: x-second, value: '[%REQ(x-first)%]' }], remove: [x-in] }
    response: { set: [{ name: x-status, value: '%RESPONSE_CODE% from %RESP(x-from)%' }], remove: [x-from] }`,
      ),
      filter(
        'inbound',
        `
  targetRefs: [{ kind: Service, name: app }]
  transformation: { request: { set: [{ name: x-caller, value: '%DOWNSTREAM_PEER_URI_SAN%' }] } }`,
      ),
      filter(
        'edge',
        `
  targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: public }]
  transformation:
    request: { set: [{ name: x-edge, value: '%REQ(:authority)%' }] }
    response: { set: [{ name: strict-transport-security, value: max-age=31536000 }] }`,
      ),
      filter(
        'tenant',
        `
  targetRefs: [{ kind: Service, name: app }]
  transformation:
    request: { set: [{ name: x-tenant, value: '%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:realm:tenant)%' }] }`,
      ),
      `
apiVersion: heddle.dev/v1alpha1
kind: RequestAuthentication
metadata: { name: app }
spec:
  targetRefs: [{ kind: Service, name: app }]
  jwtRules: [{ issuer: ${issuer}, jwks: '${await keySet()}' }]
---`,
      filter(
        'maintenance',
        `
  directResponse:
    status: 503
    headers: [{ name: content-type, value: application/json }, { name: retry-after, value: '600' }]
    body: '{"error":"back soon"}'`,
      ),
      filter('long', `{ directResponse: { status: 200, body: ${'x'.repeat(65_536)} } }`),
      filter(
        'orders',
        `
  urlRewrite:
    pathTemplate: /v1/{user}/orders/{id=**}
    pathTemplateRewrite: /orders/{id}?user={user}
    hostname: '{user}.example'`,
      ),
      filter('regex', String.raw`{ urlRewrite: { regexRewrite: { pattern: '/x([0-9]+)', substitution: '/y/\1' } } }`),
      `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: app }
spec:
  parentRefs: [{ group: '', kind: Service, name: app }, { name: public }]
  rules:${rule('/ordered', 'first', 'second')}${rule('/gone', 'first', 'nowhere')}${rule('/plain')}${rule('/down', 'maintenance', 'second')}${rule('/long', 'long')}${rule('/v1', 'orders')}${rule('/x', 'regex')}
`,
    ].join(''),
  )
  mesh = await startMesh({ files: [file] })
})
after(async () => {
  await mesh.stop()
  application.close()
  await rm(dirname(file), { recursive: true, force: true })
})

interface Answer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

/** With curl, through the caller's sidecar where the host is a service, as an application does. */
async function curl(url: string, ...args: string[]): Promise<Answer> {
  const { stdout } = await runCommand('curl', ['-sS', '-i', '--max-time', '10', ...args, url])
  const end = stdout.indexOf('\r\n\r\n')
  const [first = '', ...lines] = stdout.slice(0, end).split('\r\n')
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
  })
  return { status: Number(first.split(' ')[1]), headers: new Map(headers), body: stdout.slice(end + 4) }
}

function throughMesh(path: string, ...args: string[]): Promise<Answer> {
  return curl(`http://app${path}`, '--proxy', mesh.workload('caller').outboundProxy, ...args)
}

function throughGateway(path: string, ...args: string[]): Promise<Answer> {
  return curl(`http://${gateway}${path}`, ...args)
}

function received({ body }: Answer): { readonly url: string; readonly headers: IncomingHttpHeaders } {
  return JSON.parse(body) as { url: string; headers: IncomingHttpHeaders }
}

const callerId = 'spiffe://mesh.local/ns/default/sa/caller'

it('has a request pass the filters of its rule in their order, and its response the other way', async () => {
  for (const extra of [[], ['-X', 'POST', '-d', 'x'.repeat(100_000)]]) {
    const answer = await throughMesh('/ordered/missing?user=ann%20b', '-H', 'x-in: 1', ...extra)
    assert.equal(answer.status, 404)
    assert.equal(answer.headers.get('x-status'), '404 from app')
    assert.equal(answer.headers.get('x-from'), undefined)
    const { headers } = received(answer)
    assert.equal(headers['x-second'], '[1 /ordered/missing ann b]')
    assert.equal(headers['x-in'], undefined)
  }
})

it('leaves other rules alone', async () => {
  const answer = await throughMesh('/plain', '-H', 'x-in: 1')
  assert.equal(answer.headers.get('x-from'), 'app')
  assert.equal(received(answer).headers['x-in'], '1')
})

it('has all requests of a workload pass its filters, and knows who calls', async () => {
  const forged = await throughMesh('/plain', '-H', 'x-caller: me')
  assert.equal(received(forged).headers['x-caller'], callerId)
  assert.match(String(received(await throughGateway('/plain')).headers['x-caller']), /sa\/gateway_public$/)
})

it('passes on a claim of a verified token, and what a caller says of itself never', async () => {
  const token = await new SignJWT({ realm: { tenant: 'acme' } })
    .setIssuer(issuer)
    .setProtectedHeader({ alg: 'ES256', kid: 'one' })
    .sign(key.privateKey)
  for (const ask of [throughMesh, throughGateway]) {
    const known = await ask('/plain', '-H', `authorization: Bearer ${token}`, '-H', 'x-tenant: other')
    assert.equal(received(known).headers['x-tenant'], 'acme')
    const unknown = await ask('/plain', '-H', 'x-tenant: other')
    assert.equal(received(unknown).headers['x-tenant'], undefined)
  }
})

it('has all requests of a gateway pass its filters, and its own answers too, by HTTP/1.1 and HTTP/2', async () => {
  for (const version of ['--http1.1', '--http2-prior-knowledge']) {
    const answer = await throughGateway('/plain', version)
    assert.equal(answer.headers.get('strict-transport-security'), 'max-age=31536000')
    assert.equal(received(answer).headers['x-edge'], gateway)
    const unknown = await throughGateway('/nowhere', version)
    assert.equal(unknown.status, 404)
    assert.equal(unknown.headers.get('strict-transport-security'), 'max-age=31536000')
  }
})

it('answers itself where a rule says so, whatever the method', async () => {
  for (const ask of [throughMesh, throughGateway]) {
    const answer = await ask('/down', '-X', 'POST', '-d', 'x')
    assert.deepEqual([answer.status, answer.body], [503, '{"error":"back soon"}'])
    assert.equal(answer.headers.get('content-type'), 'application/json')
    assert.equal(answer.headers.get('retry-after'), '600')
    assert.equal(answer.headers.get('x-status'), '503 from')
    const head = await ask('/long', '--head')
    assert.deepEqual([head.status, head.body], [200, ''])
    assert.equal((await ask('/long')).body, 'x'.repeat(65_536))
  }
})

it('rewrites path, query and host by template, and lets no part of a path make a parameter', async () => {
  for (const ask of [throughMesh, throughGateway]) {
    const { url, headers } = received(await ask('/v1/ann/orders/7/8?full=1'))
    assert.deepEqual([url, headers.host], ['/orders/7/8?user=ann&full=1', 'ann.example'])
    const forged = received(await ask('/v1/ann&role=admin/orders/7'))
    assert.equal(forged.url, '/orders/7?user=ann%26role%3Dadmin')
    assert.notEqual(forged.headers.host, 'ann&role=admin.example')
    assert.equal(received(await ask('/v1/other?x')).url, '/v1/other?x')
  }
})

it('rewrites by regular expression', async () => {
  assert.equal(received(await throughMesh('/x/x12/x3?x4')).url, '/x/y/12/y/3?x4')
})

it('does all that for gRPC', async () => {
  const caller = new GrpcCaller(mesh.workload('caller').services.find(({ name }) => name === 'calls')?.address ?? '')
  try {
    const said = await caller.say('x', { timeoutMs: 5_000 })
    assert.equal(said.code, status.OK)
    assert.match(String(said.head?.get('x-status')), /^200 from/)
    assert.equal((await caller.say('x', { timeoutMs: 5_000 }, 'Hold')).code, status.UNAVAILABLE)
    assert.equal((await caller.say('x', { timeoutMs: 5_000 }, 'Try')).code, status.UNAVAILABLE)
  } finally {
    caller.close()
  }
})

it('answers with an error where a filter is missing, says where, and serves again with it', async () => {
  assert.equal((await throughMesh('/gone')).status, 500)
  assert.match(mesh.output(), /mesh\.yaml:\d+:\d+: error HDL008: there is no Filter "nowhere"/)
  const text = await readFile(file, 'utf8')
  await writeFile(
    file,
    `${text}---${filter('nowhere', '{ transformation: { response: { set: [{ name: x-here, value: "yes" }] } } }')}`,
  )
  await eventually(async () => assert.equal((await throughMesh('/gone')).headers.get('x-here'), 'yes'), 10_000)
})
