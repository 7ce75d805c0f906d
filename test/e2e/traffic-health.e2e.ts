// Health checks in a running mesh: applications by their readiness probes, destinations outside by their callers.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { startGrpcApplication, type GrpcApplication } from '../kit/grpc-application.ts'
import { healthApplication, type HealthApplication } from '../kit/health-application.ts'
import { send } from '../kit/http-client.ts'
import { runCommand } from '../kit/run-command.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

const application = new URL('../kit/health-application.ts', import.meta.url).pathname
const heddle = new URL('../../heddle', import.meta.url).pathname
const instances = ['a', 'b'] as const
type Name = (typeof instances)[number]

let mesh: RunningMesh
let ports: Readonly<Record<Name | 'calls' | 'first' | 'second', number>>
let calls: GrpcApplication
const outside: HealthApplication[] = []

const workload = (name: string, spec: string): string => `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name}, labels: { app: ${name.split('-')[0]} } }
spec: ${spec}
`

const pace = 'periodSeconds: 1, failureThreshold: 2'

function instance(name: Name): string {
  const port = ports[name]
  const probe = `{ httpGet: { path: /healthz, port: http }, ${pace} }`
  const alive = `{ httpGet: { path: /alive, port: http }, ${pace} }`
  const command = `[node, ${application}], env: { PORT: '${port}', NAME: ${name} }`
  return workload(
    `app-${name}`,
    `{ ports: [{ name: http, port: ${port} }], readinessProbe: ${probe}, livenessProbe: ${alive}, command: ${command} }`,
  )
}

function calling(name: string, service: string): string {
  const port = `ports: [{ name: grpc, port: ${ports.calls} }]`
  return workload(
    name,
    `{ address: 127.0.0.1, ${port}, readinessProbe: { grpc: { port: grpc, service: ${service} } } }`,
  )
}

before(async () => {
  const free = await freePorts(5)
  const [a, b, call, first, second] = free as [number, number, number, number, number]
  ports = { a, b, calls: call, first, second }
  calls = await startGrpcApplication(call, 'calls')
  for (const name of ['first', 'second'] as const) {
    const one = healthApplication(name)
    outside.push(one)
    await listenOn(ports[name], one.server)
  }
  const documents = [
    workload('client', '{}'),
    ...instances.map(instance),
    calling('calls', 'calls.Calls'),
    `
apiVersion: v1
kind: Service
metadata: { name: app }
spec: { selector: { app: app }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: heddle.dev/v1alpha1
kind: ExternalService
metadata: { name: api }
spec:
  hosts: [api.example]
  ports: [{ name: http, port: 80 }]
  resolution: static
  endpoints: [{ address: 127.0.0.1, port: ${first} }, { address: 127.0.0.1, port: ${second} }]
---
apiVersion: heddle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: api }
spec:
  targetRefs: [{ group: heddle.dev, kind: ExternalService, name: api }]
  healthCheck: { httpGet: { path: /healthz }, ${pace} }
`,
  ]
  mesh = await startMesh({ files: [await meshFile(documents.join('---\n'))] })
})

after(async () => {
  await mesh?.stop()
  calls?.stop()
  for (const { server } of outside) server.close()
})

async function say(name: Name, status: number): Promise<void> {
  await fetch(`http://127.0.0.1:${ports[name]}/healthz/${status}`, { method: 'PUT' })
}

const pidOf = async (name: Name): Promise<number> =>
  Number(await (await fetch(`http://127.0.0.1:${ports[name]}/pid`)).text())

async function answering(authority: string, times = 20): Promise<string[]> {
  const address = new URL(mesh.workload('client').outboundProxy).host
  const names = new Set<string>()
  for (let i = 0; i < times; i++) {
    const { status, body } = await send({ address, target: `http://${authority}/`, headers: { host: authority } })
    assert.equal(status, 200, body)
    names.add(body)
  }
  return [...names].toSorted()
}

const listed = async (): Promise<string> => {
  const { stdout } = await runCommand(heddle, ['ps', '--state-dir', mesh.stateDir])
  return stdout
}

describe('an application whose readiness probe fails', () => {
  it('gets no requests until it succeeds again, and `ps` says why', async () => {
    assert.deepEqual(await answering('app'), ['a', 'b'])
    await say('a', 503)
    await eventually(async () => assert.deepEqual(await answering('app'), ['b']), 10_000)
    const why = `no: readinessProbe GET http://127.0.0.1:${ports.a}/healthz: status 503`
    await eventually(async () => assert.ok((await listed()).includes(why), await listed()), 5_000)
    await say('a', 204)
    await eventually(async () => assert.deepEqual(await answering('app'), ['a', 'b']), 10_000)
    await eventually(async () => assert.ok(!(await listed()).includes('readinessProbe')), 5_000)
  })

  it('is asked all the same when no other is ready', async () => {
    for (const name of instances) await say(name, 500)
    await eventually(async () => assert.match(await listed(), /app-a .*no: [^]*app-b .*no: /), 10_000)
    assert.deepEqual(await answering('app'), ['a', 'b'])
    for (const name of instances) await say(name, 200)
    await eventually(async () => assert.doesNotMatch(await listed(), /no: /), 10_000)
  })
})

describe('an application whose liveness probe fails', () => {
  it('is started again, and no request fails meanwhile', async () => {
    const first = await pidOf('a')
    await fetch(`http://127.0.0.1:${ports.a}/alive/500`, { method: 'PUT' })
    const endMs = performance.now() + 15_000
    let pid = first
    while (pid === first && performance.now() < endMs) {
      await answering('app', 5)
      pid = await pidOf('a').catch(() => first)
    }
    assert.notEqual(pid, first)
    await eventually(async () => assert.deepEqual(await answering('app'), ['a', 'b']), 15_000)
  })
})

describe('an application that speaks grpc.health.v1', () => {
  it('is ready when its service is serving', async () => {
    const state = await mesh.reload()
    assert.equal(state.workloads.find(({ name }) => name === 'calls')?.ready, true)
  })
})

describe('a destination outside the mesh', () => {
  it('is asked by its callers, and passed over until it is well again', async () => {
    const [first] = outside as [HealthApplication]
    assert.deepEqual(await answering('api.example'), ['first', 'second'])
    first.status = 503
    await eventually(async () => assert.deepEqual(await answering('api.example'), ['second']), 10_000)
    const { adminUrl, metricsUrl } = mesh.workload('client')
    const headers = { authorization: `Bearer ${mesh.state.adminToken}` }
    const clusters = (await (await fetch(`${adminUrl}/clusters`, { headers })).json()) as Record<string, object[]>
    const told = clusters['api.example:80']?.find((one) => 'unhealthy' in one)
    assert.partialDeepStrictEqual(told, { address: `127.0.0.1:${ports.first}`, unhealthy: 'status 503' })
    const metrics = await (await fetch(metricsUrl)).text()
    assert.match(metrics, /heddle_unhealthy_endpoints\{cluster="api.example:80"\} 1\n/)
    assert.match(metrics, /heddle_health_checks_total\{cluster="api.example:80",result="bad"\} [1-9]/)
    first.status = 200
    await eventually(async () => assert.deepEqual(await answering('api.example'), ['first', 'second']), 10_000)
  })

  it('is asked all the same when all its endpoints fail', async () => {
    for (const one of outside) one.status = 500
    const { metricsUrl } = mesh.workload('client')
    await eventually(
      async () => assert.match(await (await fetch(metricsUrl)).text(), /heddle_unhealthy_endpoints\{.*\} 2\n/),
      10_000,
    )
    assert.deepEqual(await answering('api.example'), ['first', 'second'])
  })
})
