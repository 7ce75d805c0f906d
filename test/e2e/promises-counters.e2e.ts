// Counters against a load that knows what it sent: retries, resets, failures and mirrors, none lost and none counted twice. HEDDLE_LONG=1 sends
// 100,000 requests instead of 10,000.
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { Agent, createServer, request as httpRequest } from 'node:http'
import type { Server } from 'node:net'
import { dirname } from 'node:path'
import { after, before, it } from 'node:test'

import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { send } from '../kit/http-client.ts'
import { parsePrometheus, type Sample } from '../kit/prometheus-text.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

const requests = process.env['HEDDLE_LONG'] === '1' ? 100_000 : 10_000
const connections = 32

let mesh: RunningMesh
let file = ''
const servers: Server[] = []
/** What the applications have got: the two that serve, and the one that gets copies. */
let served = 0
let mirrored = 0
/** By the id that the load gives it: how often it has come. */
const tries = new Map<string, number>()

/** `/fail-once` and `/reset-once` fail the first try of each request, `/fail` every one. */
function answer(path: string, id: string): 200 | 503 | 404 | 'reset' {
  const tried = (tries.get(id) ?? 0) + 1
  tries.set(id, tried)
  if (path === '/missing') return 404
  if (path === '/fail' || (path === '/fail-once' && tried === 1)) return 503
  return path === '/reset-once' && tried === 1 ? 'reset' : 200
}

function workload(name: string, port?: number): string {
  const ports = port === undefined ? '' : `, ports: [{ name: http, port: ${port} }]`
  return `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name}, labels: { app: ${name.replace(/-\d$/, '')} } }
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
  const [one, two, copies] = (await freePorts(3)) as [number, number, number]
  for (const port of [one, two])
    servers.push(
      await listenOn(
        port,
        createServer(({ url = '', headers, socket }, response) => {
          served++
          const status = answer(url, String(headers['x-id']))
          if (status === 'reset') socket.destroy()
          else response.writeHead(status).end('answer')
        }),
      ),
    )
  servers.push(
    await listenOn(
      copies,
      createServer((_, response) => {
        mirrored++
        response.end('copy')
      }),
    ),
  )
  file =
    await meshFile(`${workload('client')}${workload('app-1', one)}${workload('app-2', two)}${workload('copies', copies)}${service('app')}${service('copies')}
apiVersion: heddle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: app }
spec:
  targetRefs: [{ kind: Service, name: app }]
  hedging: { mode: Off }
  outlierDetection: { maxEjectionPercent: 0 }
  retryConstraint: { budget: { percent: 100 }, minRetryRate: { count: 100000, interval: 1s } }
  retries: { codes: [503], conditions: [connect-failure], attempts: 2 }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: app }
spec:
  parentRefs: [{ group: '', kind: Service, name: app }]
  rules:
    - matches: [{ path: { value: /copied } }]
      filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: copies, port: 80 } } }]
      backendRefs: [{ name: app, port: 80 }]
    - backendRefs: [{ name: app, port: 80 }]
`)
  mesh = await startMesh({ files: [file] })
  assert.doesNotMatch(mesh.output(), /HDL/)
})

after(async () => {
  await mesh?.stop()
  for (const server of servers) server.close()
  if (file !== '') await rm(dirname(file), { recursive: true, force: true })
})

async function metricsOf(name: string): Promise<readonly Sample[]> {
  return parsePrometheus(
    (await send({ address: new URL(mesh.workload(name).metricsUrl).host, target: '/metrics' })).body,
  )
}

function sum(series: readonly Sample[], name: string, labels: Readonly<Record<string, string>> = {}): number {
  return series
    .filter((one) => one.name === name && Object.entries(labels).every(([label, value]) => one.labels[label] === value))
    .reduce((total, { value }) => total + value, 0)
}

const paths = ['/', '/', '/', '/copied', '/missing', '/fail-once', '/reset-once', '/', '/', '/fail'] as const

/** Statuses that the caller got, by path. */
async function load(): Promise<Map<string, number>> {
  const address = mesh.workload('client').services.find(({ name }) => name === 'app')?.address ?? ''
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const got = new Map<string, number>()
  let next = 0
  const once = (index: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const path = paths[index % paths.length] as string
      const [host, port] = address.split(':')
      httpRequest({ host, port, path, agent, headers: { 'x-id': String(index) } }, (response) => {
        response.resume().on('end', () => {
          const key = `${path} ${response.statusCode}`
          got.set(key, (got.get(key) ?? 0) + 1)
          resolve()
        })
      })
        .once('error', reject)
        .end()
    })
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (next < requests) await once(next++)
    }),
  )
  agent.destroy()
  return got
}

it(`counts ${requests} requests exactly, with retries, resets, failures and copies`, async () => {
  const share = requests / paths.length
  const got = await load()
  assert.deepEqual(
    Object.fromEntries(got),
    Object.fromEntries([
      ['/ 200', 5 * share],
      ['/copied 200', share],
      ['/missing 404', share],
      ['/fail-once 200', share],
      ['/reset-once 200', share],
      ['/fail 503', share],
    ]),
  )
  const attempts = served
  // each that failed once was asked twice, each that always fails three times
  assert.equal(attempts, requests + share + share + 2 * share)
  await eventually(async () => {
    const client = await metricsOf('client')
    const own = { reporter: 'source' }
    assert.equal(sum(client, 'heddle_requests_total', { ...own, code: '200' }), 8 * share)
    assert.equal(sum(client, 'heddle_requests_total', { ...own, code: '404' }), share)
    assert.equal(sum(client, 'heddle_requests_total', { ...own, code: '503' }), share)
    assert.equal(sum(client, 'heddle_requests_total', own), requests)
    assert.equal(sum(client, 'heddle_request_duration_seconds_count', own), requests)
    assert.equal(sum(client, 'heddle_mirror_requests_total'), share)
    assert.equal(mirrored, share)
    const callees = [...(await metricsOf('app-1')), ...(await metricsOf('app-2'))]
    const theirs = { reporter: 'destination' }
    // a connection that had been idle and is reset: the callee's sidecar tries another at once
    const absorbed = sum(callees, 'heddle_upstream_retries_total')
    assert.ok(absorbed <= share)
    assert.equal(sum(client, 'heddle_upstream_retries_total'), attempts - requests - absorbed)
    assert.equal(sum(callees, 'heddle_requests_total', theirs), attempts - absorbed)
    assert.equal(sum(callees, 'heddle_requests_total', { ...theirs, code: '200' }), 8 * share)
    // what the application has answered so, and what it has reset
    assert.equal(sum(callees, 'heddle_requests_total', { ...theirs, code: '503' }), (1 + 3 + 1) * share - absorbed)
    assert.equal(sum(callees, 'heddle_requests_total', { ...theirs, flags: 'UC' }), share - absorbed)
    assert.equal(sum(await metricsOf('copies'), 'heddle_requests_total', theirs), share)
  }, 10_000)
})

it('has the control plane say the same', async () => {
  const share = requests / paths.length
  await eventually(async () => {
    const { adminUrl, adminToken } = mesh.state
    const answered = await fetch(`${adminUrl}/v1/edges?fromMs=0&toMs=${Date.now() + 60_000}`, {
      headers: { authorization: `Bearer ${adminToken}` },
    })
    const { edges } = (await answered.json()) as {
      readonly edges: readonly {
        readonly source: string
        readonly service: string
        readonly requests: number
        readonly failed: number
      }[]
    }
    const own = edges.filter(({ source, service: of }) => source === 'default/client' && of.startsWith('app.'))
    assert.equal(
      own.reduce((total, edge) => total + edge.requests, 0),
      requests,
    )
    assert.equal(
      own.reduce((total, edge) => total + edge.failed, 0),
      share,
    )
  }, 15_000)
})
