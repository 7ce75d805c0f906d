// Rate limits that a server counts for all proxies (Envoy's RateLimitService), in a running mesh; the server is a workload of it, on grpc-js.
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { Server } from 'node:net'
import { dirname, join } from 'node:path'
import { after, before, it } from 'node:test'

import { status, type Server as GrpcServer } from '@grpc/grpc-js'

import {
  RateLimitResponse_Code as Code,
  RateLimitResponse_RateLimit_Unit as Unit,
} from '../../src/contracts/xds/gen/envoy/service/ratelimit/v3/rls_pb.ts'
import type { RateLimitRequest } from '../../src/contracts/xds/gen/envoy/service/ratelimit/v3/rls_pb.ts'
import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { GrpcCaller } from '../kit/grpc-caller.ts'
import { grpcRateLimitServer, type RateLimitReply } from '../kit/grpc-rate-limit-server.ts'
import { send, type WireResponse } from '../kit/http-client.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

const grpcApplication = join(import.meta.dirname, '../kit/grpc-application.ts')
/** Requests of one descriptor that the server lets pass. */
const most = 3

let mesh: RunningMesh
let file = ''
let limitsPort = 0
let limits: GrpcServer
let behaviour: 'count' | 'silent' = 'count'
const counts = new Map<string, number>()
const questions: RateLimitRequest[] = []
const applications: Server[] = []

function decide(request: RateLimitRequest): RateLimitReply | undefined {
  questions.push(request)
  if (behaviour === 'silent') return undefined
  const statuses = request.descriptors.map(({ entries }) => {
    const key = `${request.domain} ${entries.map((entry) => `${entry.key}=${entry.value}`).join()}`
    const count = (counts.get(key) ?? 0) + request.hitsAddend
    counts.set(key, count)
    return {
      code: count > most ? Code.OVER_LIMIT : Code.OK,
      currentLimit: { name: 'counted', requestsPerUnit: most, unit: Unit.HOUR },
      limitRemaining: Math.max(0, most - count),
      durationUntilReset: { seconds: 90n },
    }
  })
  const over = statuses.some(({ code }) => code === Code.OVER_LIMIT)
  return {
    overallCode: over ? Code.OVER_LIMIT : Code.OK,
    statuses,
    responseHeadersToAdd: [{ key: 'x-counted', value: over ? 'over' : 'within' }],
    requestHeadersToAdd: [{ key: 'x-tier', value: 'free' }],
  }
}

function workload(name: string, port?: number, app = name): string {
  const ports = port === undefined ? '' : `, ports: [{ name: http, port: ${port} }]`
  return `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name}, labels: { app: ${app} } }
spec: { serviceAccount: ${name}, address: 127.0.0.1${ports} }
---`
}

function limited(name: string, provider: string, domain: string, port = 'http', number = 80): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ name: ${port}, port: ${number}, targetPort: ${port} }] }
---
apiVersion: heddle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: ${name} }
spec:
  targetRefs: [{ kind: Service, name: ${name} }]
  rateLimit:
    global:
      provider: { name: ${provider} }
      domain: ${domain}
      descriptors:
        - [{ type: Caller }, { type: Constant, key: tier, value: free }]
        - [{ type: Header, name: x-tenant, key: tenant }]
---`
}

before(async () => {
  const [first = 0, second = 0, strict = 0, grpc = 0, limitsAt = 0] = await freePorts(5)
  limitsPort = limitsAt
  limits = await grpcRateLimitServer(limitsPort, decide)
  for (const port of [first, second, strict])
    applications.push(
      await listenOn(
        port,
        createServer(({ headers }, response) => response.end(`${port} ${String(headers['x-tier'])}`)),
      ),
    )
  const server = 'service: limits.default.svc.cluster.local, port: 8081, timeout: 2s'
  file = await meshFile(
    [
      `
apiVersion: heddle.dev/v1alpha1
kind: MeshConfig
metadata: { name: mesh }
spec:
  extensionProviders:
    - { name: open, envoyRateLimitGrpc: { ${server} } }
    - { name: strict, envoyRateLimitGrpc: { ${server}, failureModeDeny: true } }
---`,
      workload('caller'),
      workload('other'),
      workload('first', first, 'served'),
      workload('second', second, 'served'),
      workload('strict', strict),
      limited('served', 'open', 'served'),
      limited('strict', 'strict', 'strict'),
      limited('calls', 'open', 'calls', 'grpc', 7070),
      `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: calls, labels: { app: calls } }
spec:
  serviceAccount: calls
  ports: [{ name: grpc, port: ${grpc} }]
  command: [node, ${JSON.stringify(grpcApplication)}]
  env: { PORT: '${grpc}', NAME: calls }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: limits, labels: { app: limits } }
spec: { serviceAccount: limits, address: 127.0.0.1, ports: [{ name: grpc, port: ${limitsPort} }] }
---
apiVersion: v1
kind: Service
metadata: { name: limits }
spec: { selector: { app: limits }, ports: [{ name: grpc, port: 8081, targetPort: grpc }] }
`,
    ].join(''),
  )
  mesh = await startMesh({ files: [file] })
})

after(async () => {
  await mesh.stop()
  limits.forceShutdown()
  for (const application of applications) application.close()
  await rm(dirname(file), { recursive: true, force: true })
})

function addressOf(name: string, caller = 'caller'): string {
  return mesh.workload(caller).services.find((one) => one.name === name)?.address ?? 'missing.invalid'
}

function ask(name: string, headers: Record<string, string> = {}, caller = 'caller'): Promise<WireResponse> {
  return send({ address: addressOf(name, caller), target: '/', headers })
}

it('counts for all proxies together', async () => {
  const all = await Promise.all(Array.from({ length: 12 }, () => ask('served')))
  const passed = all.filter((one) => one.status === 200)
  assert.equal(passed.length, most)
  assert.equal(all.filter((one) => one.status === 429).length, 12 - most)
  assert.ok(passed.every(({ headers }) => headers['x-counted'] === 'within'))
  assert.ok(
    passed.every(({ body }) => body.endsWith(' free')),
    'what the server adds to the request',
  )
  const { headers } = all.find((one) => one.status === 429) as WireResponse
  assert.equal(headers['ratelimit-policy'], '"counted";q=3;w=3600')
  assert.equal(headers['ratelimit'], '"counted";r=0;t=90')
  assert.equal(headers['retry-after'], '90')
  assert.equal(headers['x-counted'], 'over')
  assert.equal((await ask('served', {}, 'other')).status, 200, 'another caller')
  const descriptor = questions[0]?.descriptors[0]?.entries.map(({ key, value }) => `${key}=${value}`)
  assert.deepEqual(descriptor, ['caller=spiffe://mesh.local/ns/default/sa/caller', 'tier=free'])
})

it('asks about all descriptors that a request has', async () => {
  const statuses: number[] = []
  for (let i = 0; i < most; i++) statuses.push((await ask('strict', { 'x-tenant': 'a' }, 'other')).status)
  assert.deepEqual(statuses, [200, 200, 200])
  assert.deepEqual(
    questions.at(-1)?.descriptors.map(({ entries }) => entries.at(-1)?.value),
    ['free', 'a'],
  )
  assert.equal((await ask('strict', { 'x-tenant': 'a' })).status, 429, 'by the tenant')
})

it('refuses gRPC calls with RESOURCE_EXHAUSTED', async () => {
  const client = new GrpcCaller(addressOf('calls'))
  try {
    const codes: number[] = []
    for (let i = 0; i < most + 1; i++) codes.push((await client.say('x')).code)
    assert.deepEqual(codes, [status.OK, status.OK, status.OK, status.RESOURCE_EXHAUSTED])
  } finally {
    client.close()
  }
})

it('lets requests pass while the server is silent or away, unless it is told otherwise, and counts again when it is back', async () => {
  behaviour = 'silent'
  const silent = await Promise.all([ask('served'), ask('strict')])
  assert.deepEqual(
    silent.map((one) => one.status),
    [200, 503],
  )
  behaviour = 'count'
  limits.forceShutdown()
  assert.equal((await ask('served')).status, 200)
  assert.equal((await ask('strict')).status, 503)
  limits = await grpcRateLimitServer(limitsPort, decide)
  await eventually(async () => assert.equal((await ask('served')).status, 429), 10_000)
  const metrics = await send({ address: new URL(mesh.workload('strict').metricsUrl).host, target: '/metrics' })
  assert.match(metrics.body, /heddle_rate_limit_total\{limit="TrafficPolicy\/default\/strict",verdict="failed"\} 2\n/)
  assert.match(metrics.body, /heddle_requests_total\{.*code="503".*flags="RLSE"\} 2\n/)
})
