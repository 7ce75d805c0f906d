// `heddle up --sandbox`: what handles traffic runs under Node's permission model. It does all that it does without, and nothing else.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { appendFile, readFile } from 'node:fs/promises'
import type { Server } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { connect as connectTls } from 'node:tls'

import type { MeshState } from '../../src/contracts/mesh-state.ts'
import { freePorts } from '../kit/free-ports.ts'
import { greetingServer, listenOn } from '../kit/greeting-server.ts'
import { send } from '../kit/http-client.ts'
import { Http2Caller } from '../kit/http2-caller.ts'
import { processTree, type ProcessInfo } from '../kit/process-tree.ts'
import { rawClient } from '../kit/raw-client.ts'
import { runCommand } from '../kit/run-command.ts'
import { eventually, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { SteadyLoad } from '../kit/steady-load.ts'
import { serverAddress, streamingMesh } from '../kit/streaming-mesh.ts'

const bytes = (port: number): string => `
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: bytes, labels: { app: bytes } }
spec: { serviceAccount: bytes, address: 127.0.0.1, ports: [{ name: tcp, port: ${port} }] }
---
apiVersion: v1
kind: Service
metadata: { name: bytes }
spec: { selector: { app: bytes }, ports: [{ name: tcp, port: 7000, targetPort: tcp }] }
---
apiVersion: heddle.dev/v1alpha1
kind: MeshConfig
metadata: { name: mesh }
spec: { certificates: { workloadLifetime: 4s } }
`

const route = `
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: server }
spec:
  parentRefs: [{ group: '', kind: Service, name: server }]
  rules:
    - filters: [{ type: ResponseHeaderModifier, responseHeaderModifier: { set: [{ name: x-edited, value: 'yes' }] } }]
      backendRefs: [{ name: server, port: 80 }]
`

let mesh: RunningMesh
let file = ''
let address = ''
let greeting: Server

before(async () => {
  file = await streamingMesh()
  const [port = 0] = await freePorts(1)
  greeting = await listenOn(port, greetingServer('bytes'))
  await appendFile(file, bytes(port))
  process.env['HEDDLE_TEST_CANARY'] = 'canary'
  mesh = await startMesh({ files: [file], args: ['--sandbox', '--drain-deadline', '20'] })
  address = serverAddress(mesh)
})

after(async () => {
  assert.equal(await mesh.stop(), 0)
  greeting.close()
})

/** The process that handles traffic. */
async function sandboxed(): Promise<ProcessInfo> {
  const found = (await processTree(mesh.pid)).filter(({ command }) => command.includes('--permission'))
  return found.at(-1) ?? assert.fail('no process has --permission')
}

async function ask(url: string, token: string): Promise<number> {
  return (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status
}

function shownSerial(inbound: string): Promise<string> {
  const [host = '', port] = inbound.split(':')
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host, port: Number(port), rejectUnauthorized: false, ALPNProtocols: ['h2'] }, () => {
      resolve(socket.getPeerCertificate().serialNumber)
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

describe('a sandboxed proxy', () => {
  it('says which back end it has, and why', async () => {
    const log = await readFile(join(mesh.stateDir, 'logs', 'proxy.log'), 'utf8')
    const line = log.split('\n').find((one) => one.includes('io back end')) ?? ''
    const { level, io, reason } = JSON.parse(line) as Record<string, unknown>
    assert.equal(level, 40, 'a warning')
    assert.equal(io, 'net')
    assert.match(String(reason), /permission model denies/)
  })

  it('carries HTTP/1.1, HTTP/2 and bytes between two sidecars', async () => {
    assert.equal((await send({ address, target: '/' })).status, 200)
    const caller = new Http2Caller(`http://${address}`)
    const ticks = caller.open('/ticks')
    await eventually(() => assert.ok(ticks.count > 1), 5_000)
    ticks.stop()
    await caller.stop()
    const listener = mesh.workload('client').services.find(({ name }) => name === 'bytes')?.address ?? ''
    const client = await rawClient(Number(listener.split(':')[1]))
    await client.waitFor('bytes')
    client.socket.destroy()
    const { body } = await send({ address: new URL(mesh.workload('server').metricsUrl).host, target: '/metrics' })
    assert.match(body, /heddle_requests_total\{[^}]*spiffe:[^}]*\/sa\/client/, 'with mutual TLS')
  })

  it('renews certificates, takes edited documents and is replaced under load: no request fails', async () => {
    await using load = new SteadyLoad({ url: `http://${address}/`, connections: 4, pauseMs: 5 })
    const inbound = mesh.workload('server').inbound[0]?.address ?? ''
    const serials = new Set<string>()
    await eventually(async () => {
      serials.add(await shownSerial(inbound))
      assert.ok(serials.size >= 3, `${serials.size} certificates`)
    }, 20_000)
    await appendFile(file, route)
    await eventually(
      async () => assert.equal((await send({ address, target: '/' })).headers['x-edited'], 'yes'),
      10_000,
    )
    const { pid } = await sandboxed()
    process.kill(mesh.pid, 'SIGUSR2')
    await eventually(() => assert.match(mesh.output(), /goes on as process/), 30_000)
    await eventually(async () => assert.notEqual((await sandboxed()).pid, pid), 10_000)
    const { ok } = load
    await eventually(() => assert.ok(load.ok > ok + 50), 10_000)
    assert.deepEqual((await load.stop()).failures, [])
  })

  it('may read its code and its own bootstrap, and neither other files nor write nor start programs', async () => {
    const { command } = await sandboxed()
    const script = command.findIndex((one) => one.endsWith('heddle.ts'))
    const [program = '', ...options] = command.slice(0, script)
    const bootstrap = command.at(-1) ?? ''
    const bundle = join(mesh.stateDir, 'ca', 'trust-bundle.pem')
    const tries = {
      'its bootstrap': `fs.readFileSync(${JSON.stringify(bootstrap)})`,
      'the trust bundle': `fs.readFileSync(${JSON.stringify(bundle)})`,
      'its code': `fs.readFileSync(${JSON.stringify(command[script])})`,
      'a token': `fs.readdirSync(${JSON.stringify(join(mesh.stateDir, 'tokens'))})`,
      'the state directory': `fs.readdirSync(${JSON.stringify(mesh.stateDir)})`,
      'mesh.json': `fs.readFileSync(${JSON.stringify(join(mesh.stateDir, 'mesh.json'))})`,
      passwd: `fs.readFileSync('/etc/passwd')`,
      environ: `fs.readFileSync('/proc/self/environ')`,
      'its own bootstrap, to write': `fs.appendFileSync(${JSON.stringify(bootstrap)}, ' ')`,
      'a file, to write': `fs.writeFileSync('/tmp/heddle-sandbox', '')`,
      'a program': `require('node:child_process').execFileSync('true')`,
      'a thread': `new (require('node:worker_threads').Worker)('', { eval: true })`,
      'raw handles': `process.binding('tcp_wrap')`,
    }
    const asked = Object.values(tries).map(
      (code) => `(() => { try { ${code}; return 'allowed' } catch (error) { return error.code } })()`,
    )
    const code = `const fs = require('node:fs'); console.log(JSON.stringify([${asked.join(', ')}]))`
    const output = await new Promise<string>((resolve, reject) =>
      execFile(program, [...options, '-e', code], (error, stdout) =>
        error === null ? resolve(stdout) : reject(error),
      ),
    )
    const answers = JSON.parse(output) as string[]
    const denied = Object.keys(tries).filter((_, i) => answers[i] === 'ERR_ACCESS_DENIED')
    const allowed = Object.keys(tries).filter((_, i) => answers[i] === 'allowed')
    assert.deepEqual(allowed, ['its bootstrap', 'the trust bundle', 'its code'])
    assert.deepEqual([...allowed, ...denied], Object.keys(tries))
  })

  it('knows no token that opens anything but itself', async () => {
    const state = await readFile(join(mesh.stateDir, 'mesh.json'), 'utf8')
    const { adminToken, adminUrl: api } = JSON.parse(state) as MeshState
    const told = await readFile((await sandboxed()).command.at(-1) ?? '', 'utf8')
    assert.ok(!told.includes(adminToken), 'the token of the mesh')
    const own = (JSON.parse(told) as { readonly adminToken: string }).adminToken
    const { adminUrl } = mesh.workload('server')
    assert.equal(await ask(`${adminUrl}/certs`, adminToken), 200)
    assert.equal(await ask(`${adminUrl}/certs`, own), 401)
    assert.equal(await ask(`${adminUrl}/certs`, 'wrong'), 401)
    assert.equal(await ask(`${api}/v1/mesh`, own), 401)
  })

  it('does not go together with raw handles', async () => {
    const heddle = new URL('../../heddle', import.meta.url).pathname
    const { exitCode, stderr } = await runCommand(heddle, [
      'proxy',
      '--bootstrap',
      'none.json',
      '--sandbox',
      '--io',
      'raw',
    ])
    assert.equal(exitCode, 2)
    assert.match(stderr, /exclude each other/)
  })

  it('gets nothing of the environment that could be a secret', async () => {
    const { pid } = await sandboxed()
    assert.doesNotMatch(await readFile(`/proc/${pid}/environ`, 'utf8'), /canary/)
    assert.match(await readFile(`/proc/${mesh.pid}/environ`, 'utf8'), /canary/, 'which the mesh has')
  })
})
