// gRPC in a mesh made of documents: GRPCRoutes decide, and clients reach it by CONNECT and by the loopback listener. Also the C core's client.
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'

import { status } from '@grpc/grpc-js'

import { freePorts } from '../kit/free-ports.ts'
import { healthRequest, healthStatus } from '../kit/grpc-application.ts'
import { GrpcCaller } from '../kit/grpc-caller.ts'
import { send } from '../kit/http-client.ts'
import { runCommand } from '../kit/run-command.ts'
import { eventually, meshFile, type RunningMesh, startMesh } from '../kit/running-mesh.ts'

const application = join(import.meta.dirname, '../kit/grpc-application.ts')

function service(name: string, selector = name): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec:
  selector: { app: ${selector} }
  ports: [{ name: grpc, port: 7070, targetPort: grpc, appProtocol: kubernetes.io/h2c }]
---`
}

function workload(name: string, port: number): string {
  return `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name}, labels: { app: ${name} } }
spec:
  serviceAccount: ${name}
  ports: [{ name: grpc, port: ${port} }]
  command: [node, ${JSON.stringify(application)}]
  env: { PORT: '${port}', NAME: ${name} }
---`
}

const routes = `
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: { name: calls }
spec:
  parentRefs: [{ group: '', kind: Service, name: calls }]
  rules:
    - matches: [{ method: { service: calls.Calls }, headers: [{ name: x-want, value: two }] }]
      backendRefs: [{ name: two, port: 7070 }]
    - matches: [{ method: { service: calls.Calls }, headers: [{ name: x-want, value: nobody }] }]
      backendRefs: [{ name: nobody, port: 7070 }]
    - matches: [{ method: { service: calls.Calls }, headers: [{ name: x-want, value: missing }] }]
      backendRefs: [{ name: missing, port: 7070 }]
    - matches: [{ method: { service: calls.Calls }, headers: [{ name: x-want, value: mirror }] }]
      filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: two, port: 7070 } } }]
      backendRefs: [{ name: one, port: 7070 }]
    - matches: [{ method: { service: calls.Calls }, headers: [{ name: x-want, value: split }] }]
      backendRefs: [{ name: one, port: 7070, weight: 3 }, { name: two, port: 7070, weight: 1 }]
    - matches: [{ method: { service: calls.Calls }, headers: [{ name: x-want, value: nothing }] }]
    - matches: [{ method: { service: calls.Calls, method: Talk } }]
      backendRefs: [{ name: two, port: 7070 }]
    - matches: [{ method: { service: calls.Calls } }, { method: { service: grpc.health.v1.Health } }]
      filters: [{ type: ResponseHeaderModifier, responseHeaderModifier: { set: [{ name: x-route, value: calls }] } }]
      backendRefs: [{ name: one, port: 7070 }]
`

function gateway(port: number): string {
  return `---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public }
spec:
  gatewayClassName: heddle
  listeners: [{ name: http, port: ${port}, protocol: HTTP }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: { name: public }
spec:
  parentRefs: [{ name: public }]
  hostnames: [calls.example.com]
  rules:
    - matches: [{ method: { service: calls.Calls, method: Say } }]
      backendRefs: [{ name: one, port: 7070 }]
    - backendRefs: [{ name: two, port: 7070 }]
`
}

const python = `
import os, sys, grpc
channel = grpc.insecure_channel(sys.argv[1], options=[('grpc.enable_http_proxy', 1)])
same = lambda value: value
say = channel.unary_unary('/calls.Calls/Say', same, same)
answer, call = say.with_call(b'x' * 4194304, metadata=[('x-raw-bin', b'\\x00\\xff')], timeout=10)
assert len(answer) == 4194304, len(answer)
assert ('x-end-bin', b'\\x00\\xff') in call.trailing_metadata(), call.trailing_metadata()
talk = channel.stream_stream('/calls.Calls/Talk', same, same)
assert list(talk(iter([b'1', b'2', b'3']), timeout=10)) == [b'1', b'2', b'3']
try:
    say(b'x', metadata=[('x-fail', '9')], timeout=10)
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION, error
try:
    channel.unary_unary('/calls.Calls/Hold', same, same)(b'x', timeout=0.2)
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error
print('done')
`

describe('gRPC in a mesh', () => {
  let mesh: RunningMesh
  let file = ''
  let listener = ''
  let outboundProxy = ''
  const callers: { CONNECT?: GrpcCaller; listener?: GrpcCaller } = {}

  before(async () => {
    const [one = 0, two = 0, gatewayPort = 0] = await freePorts(3)
    const caller = `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: caller }
spec: { serviceAccount: caller }
---`
    const documents = [
      workload('one', one),
      workload('two', two),
      caller,
      service('calls', 'one'),
      service('one'),
      service('two'),
      service('nobody'),
      routes,
      gateway(gatewayPort),
    ]
    file = await meshFile(documents.join(''))
    mesh = await startMesh({ files: [file] })
    const { services, outboundProxy: proxy } = mesh.workload('caller')
    listener = services.find(({ name, port }) => name === 'calls' && port === 7070)?.address ?? 'missing.invalid'
    outboundProxy = proxy
    callers.listener = new GrpcCaller(listener)
    // grpc-js takes its proxy from the environment, when a channel is made.
    process.env['grpc_proxy'] = outboundProxy
    callers.CONNECT = new GrpcCaller('calls:7070')
    delete process.env['grpc_proxy']
  })
  after(async () => {
    for (const caller of Object.values(callers)) caller?.close()
    await mesh.stop()
    await rm(dirname(file), { recursive: true, force: true })
  })

  for (const way of ['CONNECT', 'listener'] as const) {
    const call = (): GrpcCaller => callers[way] as GrpcCaller
    const want = (value: string): ReturnType<GrpcCaller['say']> => call().say('x', { metadata: { 'x-want': value } })

    describe(`by ${way}`, () => {
      it('every kind of call, to the workload that the route names for it', async () => {
        const outcome = await call().say('hello')
        assert.equal(outcome.code, status.OK, outcome.details)
        assert.deepEqual(outcome.head?.get('x-app'), ['one'])
        assert.deepEqual(outcome.head?.get('x-route'), ['calls'])
        assert.equal(await call().gather([Buffer.alloc(100_000), Buffer.alloc(7)]), '100007')
        const spread = call().spread('20')
        assert.equal((await spread.status).code, status.OK)
        assert.equal(spread.messages.length, 20)
        const talk = call().talk()
        talk.send('to two')
        talk.end()
        assert.equal((await talk.status).code, status.OK)
        assert.deepEqual(talk.messages.map(String), ['to two'])
        const health = await call().say(healthRequest(''), {}, 'Check')
        assert.equal(healthStatus(health.message ?? Buffer.alloc(0)), 1)
      })

      it('by header, by weight', async () => {
        assert.deepEqual((await want('two')).head?.get('x-app'), ['two'])
        const split = await Promise.all(Array.from({ length: 200 }, () => want('split')))
        const toTwo = split.filter(({ head }) => head?.get('x-app')[0] === 'two').length
        assert.ok(toTwo > 20 && toTwo < 90, `${toTwo} of 200`)
      })

      it('UNIMPLEMENTED where no rule matches, UNAVAILABLE where nobody is', async () => {
        assert.equal((await call().say('x', {}, 'Unknown')).code, status.UNIMPLEMENTED)
        assert.equal((await want('nobody')).code, status.UNAVAILABLE)
        assert.equal((await want('missing')).code, status.UNAVAILABLE)
        assert.equal((await want('nothing')).code, status.UNAVAILABLE)
      })

      it('a call that takes longer than its caller will wait is given up', async () => {
        const outcome = await call().say('x', { timeoutMs: 200 }, 'Hold')
        assert.equal(outcome.code, status.DEADLINE_EXCEEDED)
      })
    })
  }

  const metricsOf = async (name: string): Promise<string> => {
    const { host } = new URL(mesh.workload(name).metricsUrl)
    return (await send({ address: host, target: '/metrics' })).body
  }

  it('a gateway takes calls from outside, by hostname and method', async () => {
    const address = mesh.state.gateways[0]?.address ?? 'missing.invalid'
    const outside = new GrpcCaller(address, { 'grpc.default_authority': 'calls.example.com' })
    assert.deepEqual((await outside.say('x')).head?.get('x-app'), ['one'])
    const talk = outside.talk()
    for (let n = 1; n <= 5; n++) {
      talk.send(`${n}`)
      await eventually(() => assert.equal(talk.messages.length, n), 5_000)
    }
    talk.end()
    assert.equal((await talk.status).code, status.OK)
    outside.close()
    const lost = new GrpcCaller(address, { 'grpc.default_authority': 'other.example.com' })
    assert.equal((await lost.say('x')).code, status.UNIMPLEMENTED)
    lost.close()
  })

  it('a mirror gets a copy', async () => {
    const seen = inboundRequests(await metricsOf('two'), 'two')
    const caller = callers.listener as GrpcCaller
    const outcome = await caller.say('x', { metadata: { 'x-want': 'mirror' } })
    assert.deepEqual(outcome.head?.get('x-app'), ['one'])
    await eventually(async () => assert.equal(inboundRequests(await metricsOf('two'), 'two'), seen + 1), 5_000)
  })

  it('metrics name the gRPC status', async () => {
    await (callers.listener as GrpcCaller).say('x', { metadata: { 'x-fail': '9' } })
    await eventually(async () => assert.match(await metricsOf('caller'), /code="200",grpc_status="9"/), 5_000)
  })

  it('tap shows it', async () => {
    const heddle = new URL('../../heddle', import.meta.url).pathname
    const args = ['tap', 'caller', '--count', '1', '--state-dir', mesh.stateDir]
    let shown: string | undefined
    const tapped = runCommand(heddle, args).then(({ stdout, stderr }) => (shown = stdout + stderr))
    const caller = callers.listener as GrpcCaller
    await eventually(async () => {
      await caller.say('x', { metadata: { 'x-fail': '13' } })
      assert.notEqual(shown, undefined)
    }, 20_000)
    await tapped
    assert.match(shown ?? '', /POST \S+\/calls\.Calls\/Say 200 gRPC 13 /)
  })

  for (const [way, target] of [
    ['CONNECT', 'calls:7070'],
    ['the listener', ''],
  ] as const) {
    it(`the C core's client, from Python, by ${way}`, async (t) => {
      // Debian's package is for Debian's Python.
      const interpreter = '/usr/bin/python3'
      const probe = await runCommand(interpreter, ['-c', 'import grpc']).catch(() => ({ exitCode: 1 }))
      if (probe.exitCode !== 0) {
        console.error('\n!! SKIPPED: python3-grpcio is not installed here; nothing is known about it\n')
        t.skip('not installed')
        return
      }
      const env = { http_proxy: outboundProxy, no_proxy: 'localhost,127.0.0.1' }
      const { exitCode, stdout, stderr } = await runCommand(
        interpreter,
        ['-c', python, target === '' ? listener : target],
        { env },
      )
      assert.equal(exitCode, 0, stderr)
      assert.match(stdout, /done/)
    })
  }
})

/** Counted where they came in. */
function inboundRequests(metrics: string, name: string): number {
  const lines = metrics.split('\n').filter((line) => line.startsWith('heddle_requests_total{reporter="destination"'))
  return lines
    .filter((line) => line.includes(`destination_workload="default/${name}"`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}
