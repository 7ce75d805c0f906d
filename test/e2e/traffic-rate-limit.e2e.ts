// Rate limits of a TrafficPolicy in a running mesh: the proxies of the workloads enforce them, in HTTP/1.1, HTTP/2 and gRPC.
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import type { IncomingHttpHeaders } from 'node:http2'
import type { AddressInfo, Server } from 'node:net'
import { dirname, join } from 'node:path'
import { after, before, it } from 'node:test'

import { status } from '@grpc/grpc-js'
import { exportJWK, SignJWT } from 'jose'

import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { GrpcCaller } from '../kit/grpc-caller.ts'
import { send, type WireResponse } from '../kit/http-client.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

const grpcApplication = join(import.meta.dirname, '../kit/grpc-application.ts')
const issuer = 'https://issuer.example'
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

let mesh: RunningMesh
let file = ''
const servers: Server[] = []
/** By the path that the application was asked for. */
const asked = new Map<string, number>()

/** A workload of its own, whose callers are limited as `local` says. */
function limited(name: string, port: number, local: string): string {
  return `
${workload(name, port)}
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: heddle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: ${name} }
spec:
  targetRefs: [{ kind: Service, name: ${name} }]
  rateLimit:
    headers: Always
    local: [${local}]
---`
}

function workload(name: string, port?: number): string {
  const ports = port === undefined ? '' : `, ports: [{ name: http, port: ${port} }]`
  return `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name}, labels: { app: ${name} } }
spec: { serviceAccount: ${name}, address: 127.0.0.1${ports} }
---`
}

/** Nothing comes in while a test runs. */
function bucket(tokens: number): string {
  return `tokenBucket: { maxTokens: ${tokens}, tokensPerFill: 1, fillInterval: 1h }`
}

before(async () => {
  const names = ['plain', 'by-caller', 'by-header', 'by-claim', 'dry', 'filling', 'changing', 'denied'] as const
  const ports = await freePorts(names.length + 1)
  for (const [index] of names.entries())
    servers.push(
      await listenOn(
        ports[index] as number,
        createServer(({ url = '' }, response) => {
          asked.set(url, (asked.get(url) ?? 0) + 1)
          response.end('served')
        }),
      ),
    )
  const portOf = (name: (typeof names)[number]): number => ports[names.indexOf(name)] as number
  const grpcPort = ports[names.length] as number
  const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }] })
  file = await meshFile(
    [
      workload('caller'),
      workload('other'),
      limited('plain', portOf('plain'), `{ ${bucket(3)} }`),
      limited('by-caller', portOf('by-caller'), `{ name: per-caller, ${bucket(2)}, descriptor: [{ type: Caller }] }`),
      limited(
        'by-header',
        portOf('by-header'),
        `{ name: tenant, ${bucket(2)}, descriptor: [{ type: Header, name: X-Tenant }, { type: Path }] }`,
      ),
      limited('by-claim', portOf('by-claim'), `{ ${bucket(1)}, descriptor: [{ type: Claim, name: tenant }] }`),
      limited('dry', portOf('dry'), `{ ${bucket(1)}, dryRun: true }`),
      limited('filling', portOf('filling'), '{ tokenBucket: { maxTokens: 1, tokensPerFill: 5, fillInterval: 1s } }'),
      limited('changing', portOf('changing'), `{ ${bucket(1)} }`),
      limited('denied', portOf('denied'), `{ ${bucket(1)} }`),
      `
apiVersion: heddle.dev/v1alpha1
kind: RequestAuthentication
metadata: { name: by-claim }
spec:
  selector: { matchLabels: { app: by-claim } }
  jwtRules: [{ issuer: '${issuer}', jwks: '${jwks}' }]
---
apiVersion: heddle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: denied }
spec:
  selector: { matchLabels: { app: denied } }
  rules: [{ from: [{ source: { principals: ['mesh.local/ns/default/sa/caller'] } }] }]
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: calls, labels: { app: calls } }
spec:
  serviceAccount: calls
  ports: [{ name: grpc, port: ${grpcPort} }]
  command: [node, ${JSON.stringify(grpcApplication)}]
  env: { PORT: '${grpcPort}', NAME: calls }
---
apiVersion: v1
kind: Service
metadata: { name: calls }
spec: { selector: { app: calls }, ports: [{ name: grpc, port: 7070, targetPort: grpc }] }
---
apiVersion: heddle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: calls }
spec:
  targetRefs: [{ kind: Service, name: calls }]
  rateLimit: { local: [{ ${bucket(2)} }] }
`,
    ].join(''),
  )
  mesh = await startMesh({ files: [file] })
})

after(async () => {
  await mesh.stop()
  for (const server of servers) server.close()
  await rm(dirname(file), { recursive: true, force: true })
})

function addressOf(name: string, caller = 'caller'): string {
  return mesh.workload(caller).services.find((one) => one.name === name)?.address ?? 'missing.invalid'
}

function ask(
  name: string,
  headers: Record<string, string> = {},
  caller = 'caller',
  target = '/',
): Promise<WireResponse> {
  return send({ address: addressOf(name, caller), target, headers })
}

async function statuses(count: number, one: () => Promise<{ readonly status: number }>): Promise<number[]> {
  const all: number[] = []
  for (let i = 0; i < count; i++) all.push((await one()).status)
  return all
}

function askHttp2(name: string): Promise<IncomingHttpHeaders> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(`http://${addressOf(name)}`)
    const stream = session.request({ ':path': '/' })
    stream.on('error', reject)
    stream.on('response', (head) => {
      stream.resume()
      stream.on('close', () => {
        session.close()
        resolve(head)
      })
    })
  })
}

function tenant(name: string): Record<string, string> {
  return { 'x-tenant': name }
}

function token(of: string): Promise<string> {
  return new SignJWT({ tenant: of })
    .setProtectedHeader({ alg: 'ES256', kid: 'one' })
    .setIssuer(issuer)
    .setSubject('s')
    .sign(privateKey)
}

async function metricsOf(name: string): Promise<string> {
  return (await send({ address: new URL(mesh.workload(name).metricsUrl).host, target: '/metrics' })).body
}

it('lets as many requests through as the limit allows, and tells the others when to come back', async () => {
  const all = await Promise.all(Array.from({ length: 10 }, () => ask('plain', {}, 'caller', '/counted')))
  const told = all.filter((one) => one.status === 200).map((one) => one.headers['ratelimit'])
  assert.deepEqual(new Set(told), new Set(['"default";r=2', '"default";r=1', '"default";r=0']))
  assert.equal(all.filter((one) => one.status === 429).length, 7)
  assert.equal(asked.get('/counted'), 3)
  const { headers, body } = all.find((one) => one.status === 429) as WireResponse
  assert.equal(headers['ratelimit-policy'], '"default";q=3;w=10800')
  assert.match(headers['ratelimit'] ?? '', /^"default";r=0;t=3(600|5\d\d)$/)
  assert.equal(headers['retry-after'], headers['ratelimit']?.split('t=')[1])
  assert.match(body, /rate limit "default"/)
  const http2 = await askHttp2('plain')
  assert.equal(http2[':status'], 429)
  assert.equal(http2['ratelimit-policy'], '"default";q=3;w=10800')
})

it('refuses gRPC calls with RESOURCE_EXHAUSTED', async () => {
  const client = new GrpcCaller(addressOf('calls'))
  try {
    const codes: number[] = []
    for (let i = 0; i < 3; i++) codes.push((await client.say('x')).code)
    assert.deepEqual(codes, [status.OK, status.OK, status.RESOURCE_EXHAUSTED])
    const { trailers, head } = await client.say('x')
    assert.match(String([...trailers.get('ratelimit'), ...(head?.get('ratelimit') ?? [])]), /"default";r=0;t=/)
  } finally {
    client.close()
  }
})

it('counts by the identity of the caller, whatever connection it comes by', async () => {
  assert.deepEqual(await statuses(3, () => ask('by-caller')), [200, 200, 429])
  assert.deepEqual(await statuses(3, () => ask('by-caller', {}, 'other')), [200, 200, 429])
})

it('counts by header and path together', async () => {
  assert.deepEqual(await statuses(3, () => ask('by-header', tenant('a'))), [200, 200, 429])
  assert.deepEqual(await statuses(1, () => ask('by-header', tenant('b'))), [200])
  assert.deepEqual(await statuses(1, () => ask('by-header', tenant('a'), 'caller', '/other')), [200])
  assert.deepEqual(await statuses(5, () => ask('by-header')), [200, 200, 200, 200, 200])
})

it('counts by a claim of the token', async () => {
  const a = { authorization: `Bearer ${await token('a')}` }
  const b = { authorization: `Bearer ${await token('b')}` }
  assert.deepEqual(await statuses(2, () => ask('by-claim', a)), [200, 429])
  assert.deepEqual(await statuses(2, () => ask('by-claim', b)), [200, 429])
})

it('only counts in a dry run', async () => {
  assert.deepEqual(await statuses(3, () => ask('dry')), [200, 200, 200])
  await eventually(async () => {
    const metrics = await metricsOf('dry')
    assert.match(
      metrics,
      /heddle_rate_limit_total\{limit="TrafficPolicy\/default\/dry\/default",verdict="allowed"\} 1\n/,
    )
    assert.match(
      metrics,
      /heddle_rate_limit_total\{limit="TrafficPolicy\/default\/dry\/default",verdict="dry_run"\} 2\n/,
    )
    assert.match(metrics, /heddle_requests_total\{.*code="200".*flags="-"\} 3\n/)
  }, 5_000)
})

it('lets pass again what has come in', async () => {
  assert.deepEqual(await statuses(2, () => ask('filling')), [200, 429])
  await eventually(async () => assert.equal((await ask('filling')).status, 200), 2_000)
})

it('does not count who may not ask', async () => {
  assert.deepEqual(await statuses(3, () => ask('denied', {}, 'other')), [403, 403, 403])
  assert.deepEqual(await statuses(2, () => ask('denied')), [200, 429])
})

it('keeps its counts while other things change, and takes a new limit at once', async () => {
  assert.deepEqual(await statuses(2, () => ask('changing')), [200, 429])
  const text = `${await readFile(file, 'utf8')}---
apiVersion: heddle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: changing }
spec:
  action: DENY
  selector: { matchLabels: { app: changing } }
  rules: [{ to: [{ operation: { paths: [/closed] } }] }]
`
  await writeFile(file, text)
  await eventually(async () => {
    assert.equal((await ask('changing', {}, 'caller', '/closed')).status, 403)
  }, 10_000)
  assert.deepEqual(await statuses(3, () => ask('changing')), [429, 429, 429])
  await writeFile(file, text.replaceAll('maxTokens: 1, tokensPerFill: 1', 'maxTokens: 2, tokensPerFill: 1'))
  await eventually(async () => assert.equal((await ask('changing')).status, 200), 10_000)
})

it('tells of limits by flag in metrics and in the access log', async () => {
  await eventually(async () => {
    const metrics = await metricsOf('plain')
    assert.match(metrics, /heddle_requests_total\{reporter="destination",.*code="429".*flags="RL"/)
    assert.match(
      metrics,
      /heddle_rate_limit_total\{limit="TrafficPolicy\/default\/plain\/default",verdict="limited"\} 8\n/,
    )
    assert.match(await metricsOf('caller'), /heddle_requests_total\{reporter="source",.*code="429".*flags="-"/)
    const log = await readFile(join(mesh.stateDir, 'logs', 'proxy.log'), 'utf8')
    assert.match(log, /"status":429,"flags":\["RL"\],"detail":"more requests/)
  }, 5_000)
})

it('has each of several workers enforce its part', async () => {
  const port = ((servers[0] as Server).address() as AddressInfo).port
  const limit = '{ tokenBucket: { maxTokens: 10, tokensPerFill: 2, fillInterval: 1h } }'
  const own = await meshFile(workload('caller') + limited('plain', port, limit))
  const workers = await startMesh({ files: [own], args: ['--workers', '2'] })
  try {
    const address = workers.workload('caller').services[0]?.address ?? 'missing.invalid'
    const all = await Promise.all(Array.from({ length: 40 }, () => send({ address, target: '/' })))
    const passed = all.filter((one) => one.status === 200).length
    assert.ok(passed >= 5 && passed <= 10, `${passed} passed`)
    assert.equal(all.find((one) => one.status === 429)?.headers['ratelimit-policy'], '"default";q=5;w=18000')
  } finally {
    await workers.stop()
    await rm(dirname(own), { recursive: true, force: true })
  }
})
