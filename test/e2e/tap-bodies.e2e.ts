// Bodies of requests that are read along with `heddle tap --bodies`: cut, without what sounds like a credential, by administrators alone, and not unnoticed.
import assert from 'node:assert/strict'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { Server } from 'node:net'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'

import type { MeshEvent } from '../../src/contracts/mesh-event.ts'
import type { TappedRecord } from '../../src/contracts/telemetry/tap.ts'
import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { send, type WireResponse } from '../kit/http-client.ts'
import { runCommand, type CommandResult } from '../kit/run-command.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

const launcher = new URL('../../heddle', import.meta.url).pathname

let server: Server
let mesh: RunningMesh
let file = ''
let port = 0

function documents(webPort: number, hidden = 'customerId'): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: web, labels: { app: web } }
spec: { serviceAccount: web, address: 127.0.0.1, ports: [{ name: http, port: ${webPort} }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: client }
spec: { serviceAccount: client }
---
apiVersion: heddle.dev/v1alpha1
kind: MeshConfig
metadata: { name: mesh }
spec:
  redaction: { fields: [${hidden}], headers: [user-agent] }
  accessLog: { samplePercent: 100 }
`
}

before(async () => {
  ;[port = 0] = await freePorts(1)
  const answers: Readonly<Record<string, readonly [Readonly<Record<string, string>>, string | Buffer]>> = {
    '/json': [{ 'content-type': 'application/json' }, '{"order":7,"session_token":"s3cret","note":"ok"}'],
    '/gzip': [
      { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      gzipSync('{"password":"s3cret","zipped":true}'),
    ],
    '/bytes': [{ 'content-type': 'application/octet-stream' }, Buffer.from([0xff, 0x00, 0x01])],
    '/long': [{ 'content-type': 'text/plain' }, 'long '.repeat(20_000)],
  }
  server = await listenOn(
    port,
    createServer((request, response) => {
      const [headers, body] = answers[request.url?.split('?')[0] ?? ''] ?? [{}, '']
      request.resume().once('end', () => response.writeHead(200, headers).end(body))
    }),
  )
  file = await meshFile(documents(port))
  mesh = await startMesh({ files: [file] })
})

after(async () => {
  await mesh.stop()
  server.close()
  await rm(dirname(file), { recursive: true, force: true })
})

function heddle(...args: readonly string[]): Promise<CommandResult> {
  return runCommand(launcher, [...args, '--state-dir', mesh.stateDir])
}

function call(target: string, body?: string, type = 'application/json'): Promise<WireResponse> {
  const address = mesh.workload('client').services.find(({ name }) => name === 'web')?.address ?? 'missing.invalid'
  const headers = { 'content-type': type, authorization: 'Bearer s3cret', cookie: 'id=s3cret', 'user-agent': 'agent' }
  return send({ address, target, headers, ...(body === undefined ? {} : { method: 'POST', body }) })
}

function callHidden(): Promise<WireResponse> {
  return call('/json?iban=DE12345&customerid=DE67890', '{"iban":"DE12345","customerId":"DE67890"}')
}

/** Asks again until the tap has seen enough: nobody says when it has begun. */
async function tapping(args: readonly string[], asks: () => Promise<WireResponse>): Promise<CommandResult> {
  const over = new AbortController()
  const tapped = heddle('tap', ...args).finally(() => over.abort())
  while (!over.signal.aborted) {
    assert.equal((await asks()).status, 200)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return tapped
}

async function bodiesOf(
  workload: string,
  path: string,
  ask: () => Promise<WireResponse>,
  bytes: readonly string[] = [],
) {
  const where = 'bodies.response.bytes > 0'
  const args = [workload, '--path', path, '--count', '1', '-o', 'json', '--where', where, '--bodies', ...bytes]
  const { stdout, stderr } = await tapping(args, ask)
  assert.ok(stdout !== '', stderr)
  assert.ok(!stdout.includes('s3cret'), stdout)
  return (JSON.parse(stdout) as TappedRecord).bodies ?? {}
}

describe('tap --bodies', () => {
  it('shows both bodies at both ends of a hop, without what sounds like a credential', async () => {
    const body = '{"card":"1","password":"s3cret"}'
    for (const workload of ['client', 'web']) {
      const { request, response } = await bodiesOf(workload, '/json', () => call('/json', body))
      assert.deepEqual(request, {
        bytes: body.length,
        type: 'application/json',
        isCut: false,
        text: '{"card":"1","password":"***"}',
      })
      assert.equal(response?.text, '{"order":7,"session_token":"***","note":"ok"}')
    }
    const form = await bodiesOf('web', '/json', () =>
      call('/json', 'a=1&secret=s3cret', 'application/x-www-form-urlencoded'),
    )
    assert.equal(form.request?.text, 'a=1&secret=***')
  })

  it('undoes content codings, and shows bytes that are no text as such', async () => {
    const { request, response } = await bodiesOf('client', '/gzip', () => call('/gzip'))
    assert.equal(request, undefined)
    assert.equal(response?.text, '{"password":"***","zipped":true}')
    const { response: bytes } = await bodiesOf('client', '/bytes', () => call('/bytes'))
    assert.deepEqual(bytes, { bytes: 3, type: 'application/octet-stream', isCut: false, base64: '/wAB' })
  })

  it('shows no more than is asked for, and says how much there is', async () => {
    const { response } = await bodiesOf('web', '/long', () => call('/long'))
    assert.deepEqual([response?.bytes, response?.isCut, response?.text?.length], [100_000, true, 1_024])
    const { response: more } = await bodiesOf('web', '/long', () => call('/long'), ['65536'])
    assert.deepEqual([more?.isCut, more?.text?.length], [true, 65_536])
    const { exitCode, stderr } = await heddle('tap', '--bodies', '65537')
    assert.equal(exitCode, 2)
    assert.match(stderr, /1 to 65536/)
  })

  it('hides what the MeshConfig says, everywhere, from the moment that it says so', async () => {
    const first = await bodiesOf('web', '/json', callHidden)
    assert.equal(first.request?.text, '{"iban":"DE12345","customerId":"***"}')
    await writeFile(file, documents(port, 'iban'))
    await eventually(async () => {
      const { request } = await bodiesOf('web', '/json', callHidden)
      assert.equal(request?.text, '{"iban":"***","customerId":"DE67890"}')
    }, 10_000)
    const { stdout } = await tapping(['client', '--path', '/json?iban=***', '--count', '1', '-o', 'json'], callHidden)
    const { request } = JSON.parse(stdout) as TappedRecord
    assert.deepEqual([request.path, request.headers['user-agent']], ['/json?iban=***&customerid=DE67890', '***'])
    await eventually(async () => {
      const log = await readFile(join(mesh.stateDir, 'logs', 'proxy.log'), 'utf8')
      assert.ok(log.includes('/json?iban=***&customerid=DE67890'))
      assert.ok(log.includes('/json?iban=DE12345&customerid=***'))
    }, 10_000)
  })

  it('is for people too, and is kept where that is asked for', async () => {
    const saved = join(dirname(file), 'saved.jsonl')
    const { stdout } = await tapping(
      [
        'client',
        '--path',
        '/json',
        '--where',
        'bodies.request.text == "a=1"',
        '--bodies',
        '--count',
        '1',
        '--save',
        saved,
      ],
      () => call('/json', 'a=1'),
    )
    assert.match(stdout, /→ 3 bytes, application\/json\n {4}a=1\n {2}← 48 bytes, application\/json\n {4}\{"order":7/)
    const kept = JSON.parse(await readFile(saved, 'utf8')) as TappedRecord
    assert.equal(kept.bodies?.request?.text, 'a=1')
    assert.equal((await stat(saved)).mode & 0o777, 0o600)
  })

  it('is nothing that a tap without it shows', async () => {
    const { stdout } = await tapping(['client', '--path', '/json', '--count', '1', '-o', 'json'], () =>
      call('/json', 'a=1'),
    )
    assert.equal((JSON.parse(stdout) as TappedRecord).bodies, undefined)
  })

  it('is an event of its proxy', async () => {
    await eventually(async () => {
      const { stdout } = await heddle('events', '--kind', 'tap', '-o', 'json')
      const { events } = JSON.parse(stdout) as { readonly events: readonly MeshEvent[] }
      const subjects = new Set(events.map(({ subject }) => subject))
      assert.deepEqual(subjects, new Set(['Workload/default/client', 'Workload/default/web']))
      assert.ok(events.every(({ severity, message }) => severity === 'warning' && message.includes('bodies')))
    }, 10_000)
  })

  it('is for administrators alone', async () => {
    for (const role of ['viewer', 'operator']) {
      const { token } = JSON.parse((await heddle('token', 'create', role, '--role', role, '-o', 'json')).stdout) as {
        readonly token: string
      }
      const { exitCode, stderr, stdout } = await runCommand(
        launcher,
        ['tap', '--bodies', '--count', '1', '--address', mesh.state.adminUrl],
        { env: { HEDDLE_TOKEN: token } },
      )
      assert.equal(exitCode, 2, stdout)
      assert.match(stderr, /needs the role admin/)
      const headers = { authorization: `Bearer ${token}` }
      const answer = await fetch(`${mesh.workload('web').adminUrl}/tap?bodies=10`, { headers })
      assert.equal(answer.status, 401)
      // those that the page shows are without
      assert.equal((await fetch(`${mesh.state.adminUrl}/v1/tap?bodies=10`, { headers })).status, 400)
    }
  })

  it('takes a number of bytes and nothing else', async () => {
    const headers = { authorization: `Bearer ${mesh.state.adminToken}` }
    for (const bodies of ['-1', '65537', '1.5', 'all']) {
      const answer = await fetch(`${mesh.workload('web').adminUrl}/tap?bodies=${bodies}`, { headers })
      assert.equal(answer.status, 400, bodies)
    }
  })
})
