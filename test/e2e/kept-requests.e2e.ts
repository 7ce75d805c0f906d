// Requests that failed are looked at afterwards: found by the terminal and the read API, hop by hop, with what decided and where it is written.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { Server } from 'node:net'
import { dirname } from 'node:path'
import { after, before, describe, it } from 'node:test'

import type { RequestList, RequestView } from '../../src/contracts/read-api.ts'
import { requestAnswer, requestsAnswer } from '../../src/dashboard-api/answers.ts'
import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { send, sendThroughProxy, type WireResponse } from '../kit/http-client.ts'
import { processTree } from '../kit/process-tree.ts'
import { runCommand, type CommandResult } from '../kit/run-command.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

const launcher = new URL('../../heddle', import.meta.url).pathname
/** A report a second, and what a busy machine adds. */
const keptWithinMs = 10_000

const servers: Server[] = []
let mesh: RunningMesh
let file = ''

function service(name: string, port: number): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name}, labels: { app: ${name} } }
spec: { serviceAccount: ${name}, address: 127.0.0.1, ports: [{ name: http, port: ${port} }] }
---`
}

function documents(web: number, store: number, gone: number, flaky: number): string {
  return `${service('web', web)}${service('store', store)}${service('gone', gone)}${service('flaky', flaky)}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: flaky }
spec:
  parentRefs: [{ group: '', kind: Service, name: flaky }]
  rules:
    - retry: { codes: [503], attempts: 2, backoff: 10ms }
      backendRefs: [{ name: flaky, port: 80 }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: store }
spec:
  parentRefs: [{ group: '', kind: Service, name: store }]
  rules:
    - backendRefs: [{ name: store, port: 80 }]
---
apiVersion: heddle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: store }
spec:
  selector: { matchLabels: { app: store } }
  action: DENY
  rules: [{ to: [{ operation: { paths: [/private] } }] }]
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: client }
spec: { serviceAccount: client }
`
}

before(async () => {
  const [web = 0, store = 0, gone = 0, flaky = 0] = await freePorts(4)
  let asked = 0
  servers.push(
    await listenOn(
      web,
      createServer(({ url = '', headers }, response) => void answerAs(url, String(headers['x-request-id']), response)),
    ),
    await listenOn(
      store,
      createServer(({ url = '' }, response) => {
        response.statusCode = url.startsWith('/broken') ? 503 : 200
        setTimeout(() => response.end('stored'), url === '/slow' ? 1_100 : 0)
      }),
    ),
    await listenOn(
      gone,
      createServer((_, response) => response.destroy()),
    ),
    await listenOn(
      flaky,
      createServer((_, response) => {
        asked++
        response.statusCode = asked % 2 === 1 ? 503 : 200
        response.end('at last')
      }),
    ),
  )
  file = await meshFile(documents(web, store, gone, flaky))
  mesh = await startMesh({ files: [file] })
})

/** `web` answers as whom it asks for it, and tells whom it does that for. */
async function answerAs(url: string, requestId: string, response: ServerResponse): Promise<void> {
  const { outboundProxy } = mesh.workload('web')
  const statusOf = async (host: string, path = url): Promise<number> => {
    const headers = { 'x-request-id': requestId }
    return (await sendThroughProxy(outboundProxy, `http://${host}${path}`, { headers })).status
  }
  if (url === '/both') await statusOf('store', '/fine')
  response.statusCode = await statusOf({ '/gone': 'gone', '/both': 'gone', '/flaky': 'flaky' }[url] ?? 'store')
  response.end('page')
}

after(async () => {
  await mesh.stop()
  for (const server of servers) server.close()
  await rm(dirname(file), { recursive: true, force: true })
})

async function ask<T>(path: string): Promise<T> {
  const { adminUrl, adminToken } = mesh.state
  const answer = await fetch(`${adminUrl}/v1/${path}`, { headers: { authorization: `Bearer ${adminToken}` } })
  assert.equal(answer.status, 200, path)
  return (await answer.json()) as T
}

function heddle(...args: readonly string[]): Promise<CommandResult> {
  return runCommand(launcher, [...args, '--state-dir', mesh.stateDir])
}

function call(target: string, requestId: string): Promise<WireResponse> {
  const address = mesh.workload('client').services.find(({ name }) => name === 'web')?.address ?? 'missing.invalid'
  return send({ address, target, headers: { 'x-request-id': requestId } })
}

/** As soon as all its hops are there. */
function kept(id: string, hops: number): Promise<RequestView> {
  return eventually(async () => {
    const view = await ask<RequestView>(`requests/${id}`)
    assert.equal(view.hops, hops)
    assert.equal(requestAnswer.safeParse(view).error, undefined)
    return view
  }, keptWithinMs)
}

function drawn({ waterfall }: RequestView): string[] {
  return waterfall.map(({ depth, record: { reporter, proxy } }) => `${'  '.repeat(depth)}${proxy} ${reporter}`)
}

const wholePath = [
  'default/client source',
  '  default/web destination',
  '    default/web source',
  '      default/store destination',
]

describe('a request that failed', () => {
  it('is found with all its hops, in their order, and the one to blame', async () => {
    assert.equal((await call('/broken?token=s3cret&page=2', 'broken-1')).status, 503)
    const view = await kept('broken-1', 4)
    assert.deepEqual(drawn(view), wholePath)
    assert.deepEqual(view.fault, { proxy: 'default/store', reason: 'the application answered with status 503' })
    assert.equal(view.path, '/broken?token=***&page=2')
    assert.ok(!JSON.stringify(view).includes('s3cret'))
    assert.ok(view.waterfall.every(({ record }) => record.reporter === 'source' || record.mtls))
    const { requests } = await ask<RequestList>('requests?service=default/store&status=503')
    assert.equal(requestsAnswer.safeParse({ requests }).error, undefined)
    assert.deepEqual(
      requests.map(({ id }) => id),
      ['broken-1'],
    )
  })

  it('shows what the proxy did, and where the route is written', async () => {
    assert.equal((await call('/gone', 'gone-1')).status, 503)
    const view = await kept('gone-1', 4)
    assert.deepEqual(view.waterfall.at(-1)?.record.response.flags, ['UC'])
    assert.deepEqual([view.fault?.proxy, view.fault?.reason.slice(0, 4)], ['default/gone', 'UC: '])
    const line = (await readFile(file, 'utf8')).split('\n').findIndex((text) => text.includes('- backendRefs')) + 1
    const { waterfall } = await kept('broken-1', 4)
    const { routeSource } = waterfall[2]?.record ?? {}
    assert.deepEqual([routeSource?.file, routeSource?.line], [file, line])
  })

  it('names the rule that refused it', async () => {
    assert.equal((await call('/private', 'private-1')).status, 403)
    const view = await kept('private-1', 4)
    assert.deepEqual(drawn(view), wholePath)
    const { fault } = view
    assert.equal(fault?.proxy, 'default/store')
    assert.match(fault?.reason ?? '', /AuthorizationPolicy\/default\/store/)
    assert.match(fault?.source ?? '', /mesh\.yaml:\d+$/)
  })

  it('is kept whole, with what went well beside it', async () => {
    assert.equal((await call('/both', 'both-1')).status, 503)
    assert.deepEqual(drawn(await kept('both-1', 6)), [
      'default/client source',
      '  default/web destination',
      '    default/web source',
      '      default/store destination',
      '    default/web source',
      '      default/gone destination',
    ])
  })

  it('is kept with those that are slow', async () => {
    assert.equal((await call('/slow', 'slow-1')).status, 200)
    const { durationMs, fault, status } = await kept('slow-1', 4)
    assert.ok(durationMs >= 1_100)
    assert.deepEqual([status, fault], [200, undefined])
  })

  it('is kept with those that another attempt has saved: both attempts, and those who saw nothing of it', async () => {
    assert.equal((await call('/flaky', 'flaky-1')).status, 200)
    const view = await kept('flaky-1', 5)
    assert.deepEqual(drawn(view), [
      'default/client source',
      '  default/web destination',
      '    default/web source',
      '      default/flaky destination',
      '      default/flaky destination',
    ])
    assert.deepEqual(
      view.waterfall.map(({ record }) => record.response.status),
      [200, 200, 200, 503, 200],
    )
    assert.deepEqual(
      view.waterfall.map(({ attempt }) => attempt),
      [undefined, 0, undefined, 0, 1],
    )
    assert.equal(view.status, 200)
  })

  it('is no request that went well', async () => {
    assert.equal((await call('/fine', 'fine-1')).status, 200)
    assert.equal((await call('/broken', 'broken-2')).status, 503)
    await kept('broken-2', 4)
    const { requests } = await ask<RequestList>('requests')
    assert.ok(requests.every(({ id }) => id !== 'fine-1'))
  })
})

describe('heddle trace', () => {
  it('lists requests, newest first, as its filters say', async () => {
    const { stdout, exitCode } = await heddle('trace')
    assert.equal(exitCode, 0)
    assert.match(stdout, /^ *AGO +FROM +REQUEST +STATUS +TOOK +HOPS +WHAT WENT WRONG +ID\n/)
    assert.match(
      stdout,
      /default\/client +GET \S+\/broken +503 .* 4 +default\/store . the application answered .* broken-2/,
    )
    assert.ok(stdout.indexOf('broken-2') < stdout.indexOf('broken-1'))
    const slow = await heddle('trace', '--min-duration', '1s', '--since', '10m', '--service', 'store', '-o', 'json')
    const { requests } = JSON.parse(slow.stdout) as RequestList
    assert.deepEqual(
      requests.map(({ id }) => id),
      ['slow-1'],
    )
    const none = await heddle('trace', '--flag', 'RLSE')
    assert.match(none.stdout, /^no request /)
  })

  it('shows the waterfall of one, with where the route is written', async () => {
    const { stdout, exitCode } = await heddle('trace', 'broken-1')
    assert.equal(exitCode, 0)
    const lines = stdout.split('\n')
    assert.match(lines[0] ?? '', /^GET \S+\/broken\?token=\*\*\*&page=2 {2}503 {2}in [\d.]+ms, 4 hops, /)
    assert.match(stdout, /default\/store . the application answered with status 503/)
    assert.match(stdout, /default\/client → default\/web 503\n/)
    assert.match(stdout, / {4}default\/web → default\/store 503\n/)
    assert.match(stdout, / {6}default\/store got it by mTLS 503\n/)
    assert.match(stdout, /route default\/store\/0 \(\S*mesh\.yaml:\d+\)/)
    assert.ok(lines.every((line) => !line.includes('s3cret')))
    const json = await heddle('trace', 'broken-1', '-o', 'json')
    assert.deepEqual(drawn(JSON.parse(json.stdout) as RequestView), wholePath)
  })

  it('finds one by how its id begins, as a narrow list shows it', async () => {
    for (const beginning of ['broken-1', 'brok…', 'flak', 'gone-']) {
      const { stdout, exitCode, stderr } = await heddle('trace', beginning)
      if (beginning === 'brok…') assert.match(stderr, /several requests begin with "brok"/)
      else assert.equal(exitCode, 0, stderr)
      if (beginning === 'flak') assert.match(stdout, /request flaky-1\n/)
    }
  })

  it('goes on with --watch, as check and proxy-status do', async () => {
    for (const verb of ['trace', 'check', 'proxy-status']) {
      const watching = spawn(launcher, [verb, '--watch', '-o', 'json', '--state-dir', mesh.stateDir])
      let heard = ''
      watching.stdout.on('data', (bytes: Buffer) => (heard += bytes.toString()))
      const ended = new Promise((resolve) => watching.once('exit', resolve))
      try {
        await eventually(() => assert.ok(heard.split('\n').length > 2, verb), keptWithinMs)
      } finally {
        watching.kill('SIGINT')
      }
      assert.equal(await ended, 0, verb)
      for (const line of heard.split('\n').slice(0, 2)) assert.equal(typeof JSON.parse(line), 'object')
    }
  })

  it('says so when it knows no such request', async () => {
    const { stderr, exitCode } = await heddle('trace', 'nobody-1')
    assert.equal(exitCode, 1)
    assert.match(stderr, /no request "nobody-1" is known/)
  })
})

describe('while the control plane is away', () => {
  it('records wait, and come when it is back', async () => {
    const pid = await controlPlanePid()
    process.kill(pid, 'SIGKILL')
    assert.equal((await call('/broken', 'away-1')).status, 503)
    await eventually(async () => {
      await ask('requests')
      assert.notEqual(await controlPlanePid(), pid)
    }, 20_000)
    assert.deepEqual(drawn(await kept('away-1', 4)), wholePath)
  })
})

async function controlPlanePid(): Promise<number> {
  const found = (await processTree(mesh.pid)).find(({ command }) => command.includes('control-plane'))
  assert.ok(found, 'no control plane')
  return found.pid
}
