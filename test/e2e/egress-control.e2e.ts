// Who may leave the mesh for where: policies of ExternalServices at the caller's own proxy, on every way out; and that refusals are seen.
import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Server } from 'node:net'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { connect as connectTls } from 'node:tls'

import type { AuthorizationRecord, DecisionRecord } from '../../src/contracts/decision-record.ts'
import { freePorts } from '../kit/free-ports.ts'
import { greetingServer, listenOn } from '../kit/greeting-server.ts'
import { send, sendThroughProxy, type WireResponse } from '../kit/http-client.ts'
import { rawClient, type RawClient } from '../kit/raw-client.ts'
import { runCommand, type CommandResult } from '../kit/run-command.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { webCertificate } from '../kit/web-certificates.ts'

const launcher = new URL('../../heddle', import.meta.url).pathname
const patienceMs = 10_000
const certificate = webCertificate('sealed.example')
const servers: Server[] = []
let mesh: RunningMesh
let file = ''
let gatewayPort = 0
let unlistedPort = 0

before(async () => {
  const [api = 0, mail = 0, sealed = 0, unlisted = 0, gateway = 0] = await freePorts(5)
  unlistedPort = unlisted
  gatewayPort = gateway
  const credentials = { cert: certificate.certificateChainPem, key: certificate.privateKeyPem }
  for (const [port, server] of [
    [api, createHttpServer((request, response) => response.end(`api ${request.method} ${request.url}`))],
    [mail, greetingServer('mail')],
    [sealed, createHttpsServer(credentials, (_, response) => response.end('sealed'))],
    [unlisted, createHttpServer((_, response) => response.end('not to be reached'))],
  ] as const)
    servers.push(await listenOn(port, server))
  file = await meshFile(documents(api, mail, sealed))
  mesh = await startMesh({ files: [file] })
})

after(async () => {
  if (mesh !== undefined) assert.equal(await mesh.stop(), 0)
  for (const server of servers) server.close()
  await rm(dirname(file), { recursive: true, force: true })
})

describe('requests to an ExternalService', () => {
  it('leave in absolute form for whom a rule allows, and nobody else', async () => {
    const allowed = await get('web', 'http://api.example/v1/x')
    assert.deepEqual([allowed.status, allowed.body], [200, 'api GET /v1/x'])
    const refused = await get('other', 'http://api.example/v1/x')
    assert.deepEqual([refused.status, refused.body], [403, 'RBAC: access denied\n'])
  })

  it('leave by their path and method, and a refusal of the root namespace comes first', async () => {
    assert.equal((await get('web', 'http://api.example/v2/x')).status, 403)
    assert.equal((await get('web', 'http://api.example/v1/x', 'DELETE')).status, 403)
    assert.equal((await get('web', 'http://api.example/v1/x', 'POST')).status, 200)
  })

  it('are asked about by the listener of the service too', async () => {
    assert.equal((await dialled('web')).status, 200)
    assert.equal((await dialled('other')).status, 403)
  })

  it('are asked about inside CONNECT', async () => {
    assert.match(await insideConnect('web', '/v1/x'), /api GET \/v1\/x$/)
    assert.match(await insideConnect('web', '/v2/x'), /^HTTP\/1\.1 403 /)
    assert.match(await insideConnect('other', '/v1/x'), /^HTTP\/1\.1 403 /)
  })

  it('are asked about where a route of a Service leads there', async () => {
    assert.equal((await get('web', 'http://front/v1/x')).status, 200)
    assert.equal((await get('web', 'http://front/v2/x')).status, 403)
    assert.equal((await get('other', 'http://front/v1/x')).status, 403)
  })

  it('of a gateway leave by its own name', async () => {
    assert.equal((await send({ address: `127.0.0.1:${gatewayPort}`, target: '/v1/x' })).status, 403)
    await edited('serviceAccounts: [web]', 'serviceAccounts: [web, gateway_edge]', async () => {
      await eventually(async () => {
        assert.equal((await send({ address: `127.0.0.1:${gatewayPort}`, target: '/v1/x' })).status, 200)
      }, patienceMs)
      assert.equal((await send({ address: `127.0.0.1:${gatewayPort}`, target: '/v2/x' })).status, 403)
    })
  })
})

describe('bytes to an ExternalService', () => {
  it('leave by CONNECT for whom a rule allows; others hear it at once', async () => {
    for (const caller of ['web', 'far-web']) {
      const client = await connectTo(caller, 'mail.example:25')
      await client.waitFor('220 mail\r\n')
      client.socket.destroy()
    }
    for (const caller of ['other', 'far']) {
      const client = await connectTo(caller, 'mail.example:25')
      assert.match(await client.waitFor('\r\n\r\n'), /^HTTP\/1\.1 403 /)
      client.socket.destroy()
    }
  })

  it('leave by the listener of the service, whoever speaks first', async () => {
    const greeted = await rawClient(portOf('web', 'mail'))
    await greeted.waitFor('220 mail\r\n')
    greeted.socket.destroy()
    assert.match(await cutOff('other', 'mail'), /^$|ECONNRESET/)
  })

  it("are the application's own TLS, by name", async () => {
    assert.equal(await shownName(portOf('web', 'sealed')), 'DNS:sealed.example')
    await assert.rejects(shownName(portOf('other', 'sealed')))
    const tunnel = await connectTo('web', 'sealed.example:443')
    await tunnel.waitFor('\r\n\r\n')
    assert.equal(await shownNameOver(tunnel), 'DNS:sealed.example')
    const cut = await connectTo('other', 'sealed.example:443')
    await cut.waitFor('\r\n\r\n')
    await assert.rejects(shownNameOver(cut))
  })

  it('are refused where an ALLOW rule asks for something of requests', async () => {
    const client = await connectTo('far', 'sealed.example:443')
    assert.match(await client.waitFor('\r\n\r\n'), /^HTTP\/1\.1 403 /)
    client.socket.destroy()
  })
})

describe('an edited policy', () => {
  it('counts for the next request, on connections that are open too', async () => {
    const open = await rawClient(Number(new URL(mesh.workload('other').outboundProxy).port))
    const next = async (): Promise<string> => {
      const from = open.received().length
      open.write('GET http://api.example/v1/x HTTP/1.1\r\nHost: api.example\r\n\r\n')
      await eventually(async () => assert.ok(open.received().slice(from).includes('\r\n\r\n')), patienceMs)
      return open.received().slice(from)
    }
    assert.match(await next(), /^HTTP\/1\.1 403 /)
    await edited('serviceAccounts: [web]', 'serviceAccounts: [other]', async () => {
      await eventually(async () => assert.equal(await statusOf('other'), 200), patienceMs)
      assert.match(await next(), /^HTTP\/1\.1 200 /)
      assert.equal((await get('web', 'http://api.example/v1/x')).status, 403)
    })
    await eventually(async () => assert.equal(await statusOf('other'), 403), patienceMs)
    assert.match(await next(), /^HTTP\/1\.1 403 /)
    open.socket.destroy()
  })

  it('is only reported as a dry run', async () => {
    await edited('action: ALLOW', 'dryRun: true', async () => {
      await eventually(
        async () => assert.equal((await get('other', 'http://api.example/v1/x')).status, 200),
        patienceMs,
      )
      assert.match(
        await metricsOf('other'),
        /heddle_authorization_total\{verdict="refused",mode="dry_run",policy="-"\} [1-9]/,
      )
    })
    await eventually(async () => assert.equal((await get('other', 'http://api.example/v1/x')).status, 403), patienceMs)
  })
})

describe('authz check', () => {
  it('foretells requests out of the mesh, with the rule and where it is written', async () => {
    const allowed = await foretell('--from', 'web', '--to', 'api', '--path', '/v1/x')
    assert.equal(allowed.exitCode, 0, allowed.stderr)
    assert.match(
      allowed.stdout,
      /api\.example:80 +allowed +AuthorizationPolicy\/default\/api-callers\/0 +\S*mesh\.yaml:\d+/,
    )
    const [denied] = await foretoldRefusals(
      '--from',
      'web',
      '--to',
      'api.example:80',
      '--path',
      '/v1/x',
      '--method',
      'DELETE',
    )
    assert.equal(denied?.policy, 'AuthorizationPolicy/heddle-system/no-deletes/0')
    assert.match(await lineAt(denied?.source?.line), /methods: \[DELETE\]/)
    const [other] = await foretoldRefusals('--from', 'other', '--to', 'api', '--path', '/v1/x')
    assert.match(
      other?.reason ?? '',
      /^no ALLOW policy matched: AuthorizationPolicy\/default\/api-callers \(\S*mesh\.yaml:\d+\)$/,
    )
  })

  it('foretells connections of bytes', async () => {
    for (const to of ['mail', 'sealed.example:443']) {
      assert.equal((await foretell('--from', 'far-web', '--to', to)).exitCode, 0)
      assert.equal((await foretoldRefusals('--from', 'far', '--to', to)).length, 1)
    }
  })

  it('foretells what is done with hosts that nobody declared', async () => {
    for (const to of ['nowhere.invalid', 'api.example:8443']) {
      const [verdict] = await foretoldRefusals('--from', 'web', '--to', to)
      assert.equal(verdict?.policy, 'MeshConfig/mesh')
      assert.match(verdict?.reason ?? '', /registryOnly/)
      assert.match(await lineAt(verdict?.source?.line), /mode: registryOnly/)
    }
  })

  it('asks files alike, and wants to know who leaves', async () => {
    const args = ['authz', 'check', '-f', file, '--to', 'api', '--path', '/v1/x']
    assert.equal((await runCommand(launcher, [...args, '--from', 'web'])).exitCode, 0)
    assert.equal((await runCommand(launcher, [...args, '--from', 'other'])).exitCode, 1)
    const anonymous = await runCommand(launcher, args)
    assert.match(anonymous.stderr, /--from must be one of its workloads/)
  })
})

describe('what was not let out', () => {
  it('is counted, by caller, destination and reason', async () => {
    assert.equal((await get('far', 'http://api.example/v1/x')).status, 403)
    for (const host of [`127.0.0.1:${unlistedPort}`, 'one.invalid', 'two.invalid'])
      assert.equal((await get('far', `http://${host}/`)).status, 502)
    const counted = (await metricsOf('far'))
      .split('\n')
      .filter((line) => line.startsWith('heddle_egress_refused_total{'))
    assert.deepEqual(counted.toSorted(), [
      series('api.default.svc.cluster.local', 'policy', 1),
      series('mail.default.svc.cluster.local', 'policy', 1),
      series('sealed.default.svc.cluster.local', 'policy', 1),
      series('unknown', 'not_registered', 3),
    ])
    const metrics = await metricsOf('far')
    assert.match(
      metrics,
      /heddle_requests_total\{[^\n]*destination_service="api\.default[^\n]*code="403"[^\n]*flags="UAEX"/,
    )
  })

  it('is seen by tap and in the access log, with the rule and where it is written', async () => {
    const record = await tapped('other', () => get('other', 'http://api.example/v1/x'))
    assert.deepEqual([record.response.status, record.response.flags], [403, ['UAEX']])
    assert.equal(record.source.workload, 'default/other')
    assert.equal(record.destination.service, 'api.default.svc.cluster.local')
    assert.match(
      record.authorization?.reason ?? '',
      /^no ALLOW policy matched: AuthorizationPolicy\/default\/api-callers \(\S*mesh\.yaml:\d+\)$/,
    )
    await eventually(async () => {
      const log = await readFile(join(mesh.stateDir, 'logs', 'proxy.log'), 'utf8')
      assert.match(log, /"flags":\["UAEX"\][^\n]*"authorization":"no ALLOW policy matched: [^\n]*default\/other/)
    }, patienceMs)
    const denied = await tapped('web', () => get('web', 'http://api.example/v1/x', 'DELETE'))
    assert.equal(denied.authorization?.policy, 'AuthorizationPolicy/heddle-system/no-deletes/0')
    assert.match(await lineAt(denied.authorization?.source?.line), /methods: \[DELETE\]/)
    const bytes = await tapped('other', () => cutOff('other', 'mail'))
    assert.deepEqual([bytes.request.protocol, bytes.response.flags], ['TCP', ['UAEX']])
    assert.equal(bytes.destination.service, 'mail.default.svc.cluster.local')
    const unknown = await tapped('other', () => get('other', 'http://nowhere.invalid/'))
    assert.deepEqual([unknown.response.status, unknown.response.flags], [502, ['NR']])
    assert.match(unknown.response.detail ?? '', /nowhere\.invalid:80 is no service of the mesh/)
  })
})

function get(caller: string, url: string, method = 'GET'): Promise<WireResponse> {
  return sendThroughProxy(mesh.workload(caller).outboundProxy, url, { method })
}

async function statusOf(caller: string): Promise<number> {
  return (await get(caller, 'http://api.example/v1/x')).status
}

/** By the listener that stands for the service: the name in the request is the caller's word. */
function dialled(caller: string): Promise<WireResponse> {
  return send({ address: addressOf(caller, 'api'), target: '/v1/x', headers: { host: 'whatever.example' } })
}

function series(service: string, reason: string, count: number): string {
  return `heddle_egress_refused_total{source_workload="default/far",destination_service="${service}",reason="${reason}"} ${count}`
}

function addressOf(caller: string, name: string): string {
  return mesh.workload(caller).services.find((service) => service.name === name)?.address ?? ''
}

function portOf(caller: string, name: string): number {
  return Number(addressOf(caller, name).split(':')[1])
}

async function connectTo(caller: string, authority: string): Promise<RawClient> {
  const client = await rawClient(Number(new URL(mesh.workload(caller).outboundProxy).port))
  client.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
  return client
}

/** The answer to a GET over a tunnel. */
async function insideConnect(caller: string, path: string): Promise<string> {
  const client = await connectTo(caller, 'api.example:80')
  const established = await client.waitFor('\r\n\r\n')
  assert.match(established, /^HTTP\/1\.1 200 /)
  client.write(`GET ${path} HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n`)
  return (await client.closed()).slice(established.length)
}

/** What is said before a connection ends; the reset may come before it is known to be there. */
function cutOff(caller: string, name: string): Promise<string> {
  return rawClient(portOf(caller, name)).then(
    (client) => client.closed(),
    (error: Error) => error.message,
  )
}

function shownName(port: number): Promise<string | undefined> {
  return handshake({ host: '127.0.0.1', port })
}

function shownNameOver({ socket }: RawClient): Promise<string | undefined> {
  socket.removeAllListeners('data')
  return handshake({ socket })
}

function handshake(where: object): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ ...where, servername: 'sealed.example', ca: certificate.certificateChainPem }, () => {
      resolve(socket.getPeerX509Certificate()?.subjectAltName)
      socket.destroy()
    })
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed')))
  })
}

function foretell(...args: readonly string[]): Promise<CommandResult> {
  return runCommand(launcher, ['authz', 'check', '--state-dir', mesh.stateDir, ...args])
}

async function foretoldRefusals(...args: readonly string[]): Promise<AuthorizationRecord[]> {
  const { exitCode, stdout, stderr } = await foretell(...args, '-o', 'json')
  assert.equal(exitCode, 1, stderr)
  return JSON.parse(stdout) as AuthorizationRecord[]
}

async function metricsOf(caller: string): Promise<string> {
  return (await send({ address: new URL(mesh.workload(caller).metricsUrl).host, target: '/metrics' })).body
}

/** The first record of the proxy while `cause` is repeated. */
async function tapped(caller: string, cause: () => Promise<unknown>): Promise<DecisionRecord> {
  let record: DecisionRecord | undefined
  void runCommand(launcher, ['tap', caller, '--state-dir', mesh.stateDir, '-o', 'json', '--count', '1']).then(
    ({ stdout }) => (record = JSON.parse(stdout) as DecisionRecord),
  )
  await eventually(async () => {
    if (record !== undefined) return
    await cause()
    throw new Error('no record yet')
  }, patienceMs)
  return record as unknown as DecisionRecord
}

async function lineAt(line: number | undefined): Promise<string> {
  const lines = (await readFile(file, 'utf8')).split('\n')
  return lines[(line ?? 0) - 1] ?? ''
}

/** Afterwards the file is as it was. */
async function edited(from: string, to: string, holds: () => Promise<void>): Promise<void> {
  const text = await readFile(file, 'utf8')
  assert.ok(text.includes(from))
  await writeFile(file, text.replace(from, to))
  try {
    await holds()
  } finally {
    await writeFile(file, text)
  }
}

function workload(name: string, uses: string, serviceAccount = name): string {
  return `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name} }
spec: { serviceAccount: ${serviceAccount}, uses: [${uses}] }
`
}

function external(name: string, port: number, at: number, protocol: string): string {
  return `
apiVersion: heddle.dev/v1alpha1
kind: ExternalService
metadata: { name: ${name} }
spec:
  hosts: [${name}.example]
  ports: [{ name: main, port: ${port}, targetPort: ${at}, protocol: ${protocol} }]
  resolution: static
  endpoints: [{ address: 127.0.0.1 }]
`
}

/** On one line each rule, which the verdicts name. */
function policy(name: string, target: string, rule: string, more = '', namespace = 'default'): string {
  return `
apiVersion: heddle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  targetRefs: [{ group: heddle.dev, kind: ExternalService, name: ${target} }]
  ${more}
  rules:
    - ${rule}
`
}

function documents(api: number, mail: number, sealed: number): string {
  const web = 'from: [{ source: { serviceAccounts: [web] } }]'
  return [
    'apiVersion: heddle.dev/v1alpha1\nkind: MeshConfig\nmetadata: { name: mesh }\nspec: { outboundTrafficPolicy: { mode: registryOnly } }\n',
    workload('web', 'api, mail, sealed'),
    workload('other', 'api, mail, sealed'),
    workload('far', ''),
    workload('far-web', '', 'web'),
    external('api', 80, api, 'http'),
    external('mail', 25, mail, 'tcp'),
    external('sealed', 443, sealed, 'tls'),
    policy('api-callers', 'api', `{ ${web}, to: [{ operation: { paths: [/v1/*] } }] }`, 'action: ALLOW'),
    policy('no-deletes', 'api', 'to: [{ operation: { methods: [DELETE] } }]', 'action: DENY', 'heddle-system'),
    policy('mail-callers', 'mail', web),
    policy('sealed-callers', 'sealed', web),
    policy(
      'sealed-never',
      'sealed',
      '{ from: [{ source: { serviceAccounts: [far] } }], to: [{ operation: { paths: [/] } }] }',
    ),
    `
apiVersion: gateway.networking.k8s.io/v1
kind: TLSRoute
metadata: { name: sealed }
spec:
  parentRefs: [{ group: heddle.dev, kind: ExternalService, name: sealed }]
  hostnames: [sealed.example]
  rules: [{ backendRefs: [{ group: heddle.dev, kind: ExternalService, name: sealed, port: 443 }] }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: heddle
  listeners: [{ name: http, port: ${gatewayPort}, protocol: HTTP }]
---
apiVersion: v1
kind: Service
metadata: { name: front }
spec: { ports: [{ name: http, port: 80 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: front }
spec:
  parentRefs: [{ group: '', kind: Service, name: front, port: 80 }]
  rules: [{ backendRefs: [{ group: heddle.dev, kind: ExternalService, name: api, port: 80 }] }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: edge }
spec:
  parentRefs: [{ name: edge }]
  rules: [{ backendRefs: [{ group: heddle.dev, kind: ExternalService, name: api, port: 80 }] }]
`,
  ].join('---\n')
}
