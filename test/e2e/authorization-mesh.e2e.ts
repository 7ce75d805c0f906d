// Authorization policies in a running mesh: who may come comes, nobody else does, edits count at once, and `authz check` foretells it.
import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { Server as NetServer } from 'node:net'
import { dirname } from 'node:path'
import { after, before, describe, it } from 'node:test'

import type { Server as GrpcServer } from '@grpc/grpc-js'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'

import type { DecisionRecord } from '../../src/contracts/decision-record.ts'
import { freePorts } from '../kit/free-ports.ts'
import { greetingServer, listenOn } from '../kit/greeting-server.ts'
import { grpcAuthorizationServer, type CheckCall, type CheckReply } from '../kit/grpc-authorization-server.ts'
import { send, type WireResponse } from '../kit/http-client.ts'
import { rawClient, type RawClient } from '../kit/raw-client.ts'
import { runCommand, type CommandResult } from '../kit/run-command.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

const launcher = new URL('../../heddle', import.meta.url).pathname
const patienceMs = 10_000
const issuer = 'https://issuer.test'
const { privateKey, publicKey } = await generateKeyPair('ES256')

let mesh: RunningMesh
let file = ''
let page: Server
let greeter: NetServer
let guarded: Server
let httpAuthority: Server
let grpcAuthority: GrpcServer
let gatewayPort = 0

before(async () => {
  page = createServer((request, response) => {
    if (request.url === '/stream') response.writeHead(200).write('begun')
    else response.end(`${request.url} ${String(request.headers['x-group'] ?? '-')}`)
  })
  greeter = greetingServer('ready')
  guarded = createServer((request, response) => response.end(`${request.url} ${String(request.headers['x-user'])}`))
  httpAuthority = createServer((request, response) =>
    response.writeHead(request.headers.authorization === 'good' ? 200 : 403).end(),
  )
  const [pagePort = 0, greeterPort = 0, port = 0, guardedPort = 0, httpPort = 0] = await freePorts(5)
  await listenOn(guardedPort, guarded)
  await listenOn(httpPort, httpAuthority)
  const { server, port: grpcPort } = await grpcAuthorizationServer(answerCheck)
  grpcAuthority = server
  gatewayPort = port
  await listenOn(pagePort, page)
  await listenOn(greeterPort, greeter)
  const asking = askingDocuments(guardedPort, httpPort, grpcPort)
  file = await meshFile((await documents(pagePort, greeterPort)) + asking)
  mesh = await startMesh({ files: [file] })
})

after(async () => {
  if (mesh !== undefined) assert.equal(await mesh.stop(), 0)
  page.close()
  greeter.close()
  guarded.close()
  httpAuthority.close()
  grpcAuthority.forceShutdown()
  await rm(dirname(file), { recursive: true, force: true })
})

const from = (caller: string, path: string, headers: Record<string, string> = {}): Promise<WireResponse> =>
  send({ address: serviceOf(caller, 'page'), target: path, headers: { host: 'page', ...headers } })

function serviceOf(caller: string, name: string): string {
  return mesh.workload(caller).services.find((service) => service.name === name)?.address ?? ''
}

function check(...args: readonly string[]): Promise<CommandResult> {
  return runCommand(launcher, ['authz', 'check', '--state-dir', mesh.stateDir, ...args])
}

describe('authorization policies', () => {
  it('let in whom a rule allows, and nobody else', async () => {
    assert.equal((await from('web', '/open')).status, 200)
    const refused = await from('other', '/open')
    assert.deepEqual([refused.status, refused.body], [403, 'RBAC: access denied\n'])
    assert.equal((await from('web', '/secret')).status, 403)
  })

  it('are foretold by authz check, with the rule and where it is written', async () => {
    const allowed = await check('--from', 'web', '--to', 'page', '--path', '/open')
    assert.equal(allowed.exitCode, 0, allowed.stderr)
    assert.match(allowed.stdout, /allowed +AuthorizationPolicy\/default\/page-callers\/0 +\S*mesh\.yaml:\d+/)
    const refused = await check('--from', 'web', '--to', 'page', '--path', '/secret', '-o', 'json')
    assert.equal(refused.exitCode, 1, refused.stderr)
    const [verdict] = JSON.parse(refused.stdout) as { policy: string; source: { line: number } }[]
    assert.equal(verdict?.policy, 'AuthorizationPolicy/default/no-secrets/0')
    const lines = (await readFile(file, 'utf8')).split('\n')
    assert.match(lines[(verdict?.source.line ?? 0) - 1] ?? '', /- to:/)
    const offline = await check('--from', 'other', '--to', 'page', '-f', file)
    assert.equal(offline.exitCode, 1, offline.stderr)
  })

  it('may have conditions in CEL, which are foretold too', async () => {
    assert.equal((await from('web', '/open', { 'x-mood': 'good' })).status, 200)
    assert.equal((await from('web', '/open', { 'x-mood': 'bad day' })).status, 403)
    const { exitCode, stdout } = await check(
      '--from',
      'web',
      '--to',
      'page',
      '--path',
      '/open',
      '--header',
      'x-mood=bad',
    )
    assert.equal(exitCode, 1)
    assert.match(stdout, /refused +AuthorizationPolicy\/default\/no-secrets\/1 +\S*mesh\.yaml:\d+/)
  })

  it('show in the decision record and in the metrics', async () => {
    const tap = runCommand(launcher, ['tap', 'page', '--state-dir', mesh.stateDir, '-o', 'json', '--count', '1'])
    const record = await Promise.race([
      tap.then(({ stdout }) => JSON.parse(stdout) as DecisionRecord),
      eventually(async () => {
        await from('other', '/open')
        throw new Error('no record yet')
      }, patienceMs),
    ])
    assert.deepEqual(record.response.flags, ['UAEX'])
    assert.equal(record.authorization?.allowed, false)
    const metrics = await send({ address: new URL(mesh.workload('page').metricsUrl).host, target: '/metrics' })
    assert.match(
      metrics.body,
      /heddle_authorization_total\{verdict="refused",mode="enforced",policy="AuthorizationPolicy\/default\/no-secrets\/0"\} [1-9]/,
    )
  })

  it('hold for connections of opaque bytes, also of servers that speak first', async () => {
    const greeted = await rawClient(Number(serviceOf('web', 'greeter').split(':')[1]))
    await greeted.waitFor('220 ready\r\n')
    greeted.socket.destroy()
    // the reset may come before the connection is known to be there
    const said = await rawClient(Number(serviceOf('other', 'greeter').split(':')[1])).then(
      (client) => client.closed(),
      (error: Error) => error.message,
    )
    assert.match(said, /^$|ECONNRESET/)
  })

  it('count from the moment they are edited, for connections that are open too', async () => {
    await edit((text) => text.replace('sa/web', 'sa/other'))
    await eventually(async () => assert.equal((await from('other', '/open')).status, 200), patienceMs)
    assert.equal((await from('web', '/open')).status, 403)
    await edit((text) => text.replace('sa/other', 'sa/web'))
    await eventually(async () => assert.equal((await from('web', '/open')).status, 200), patienceMs)
  })

  it('end what is open and no longer allowed, where they demand it', async () => {
    const ports = ['page', 'greeter'].map((name) => Number(serviceOf('web', name).split(':')[1]))
    const [stream, greeted] = (await Promise.all(ports.map(rawClient))) as [RawClient, RawClient]
    stream.write('GET /stream HTTP/1.1\r\nHost: page\r\n\r\n')
    await stream.waitFor('begun')
    await greeted.waitFor('220 ready\r\n')
    const text = await readFile(file, 'utf8')
    await edit((now) =>
      now
        .replace('sa/web', 'sa/other')
        .replace('serviceAccounts: [web]', 'serviceAccounts: [other]')
        .replaceAll('# reauthorize', 'reauthorize'),
    )
    await Promise.all([stream.closed(), greeted.closed()])
    await writeFile(file, text)
    await eventually(async () => assert.equal((await from('web', '/open')).status, 200), patienceMs)
  })

  it('are only reported as a dry run', async () => {
    await edit((text) => text.replace('dryRun: false', 'dryRun: true'))
    await eventually(async () => assert.equal((await from('web', '/secret')).status, 200), patienceMs)
    const { stdout } = await check('--from', 'web', '--to', 'page', '--path', '/secret')
    assert.match(stdout, /allowed .*dry run would refuse it by AuthorizationPolicy\/default\/no-secrets\/0/)
    await edit((text) => text.replace('dryRun: true', 'dryRun: false'))
    await eventually(async () => assert.equal((await from('web', '/secret')).status, 403), patienceMs)
  })
})

function token(claims: Record<string, unknown> = {}): Promise<string> {
  return new SignJWT({ groups: ['staff'], team: 'blue', ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: 'one' })
    .setIssuer(issuer)
    .setSubject('alice')
    .setExpirationTime('5m')
    .sign(privateKey)
}

function askGateway(headers: Record<string, string> = {}): Promise<WireResponse> {
  return send({ address: `127.0.0.1:${gatewayPort}`, target: '/open', headers })
}

function asked(path: string, headers: Record<string, string> = {}): Promise<WireResponse> {
  return send({ address: serviceOf('web', 'guarded'), target: path, headers: { host: 'guarded', ...headers } })
}

function postToGuarded(body: string): ReturnType<typeof send> {
  return send({
    address: serviceOf('web', 'guarded'),
    target: '/grpc',
    method: 'POST',
    headers: { host: 'guarded' },
    body,
  })
}

describe('a server that is asked', () => {
  it('by gRPC decides, beside the policies, about what the rules match and nothing else', async () => {
    assert.equal((await asked('/free')).status, 200)
    const allowed = await asked('/grpc', { 'x-token': 'good', 'x-user': 'forged' })
    assert.deepEqual([allowed.status, allowed.body], [200, '/grpc alice'])
    const refused = await asked('/grpc')
    assert.deepEqual([refused.status, refused.headers['x-why']], [401, 'no token'])
  })

  it('is shown bodies where the MeshConfig says so, and longer ones are refused', async () => {
    const allowed = await postToGuarded('open sesame')
    assert.equal(allowed.status, 200)
    assert.equal(allowed.body, '/grpc alice')
    assert.equal((await postToGuarded('open wheat')).status, 401)
    assert.equal((await postToGuarded('open sesame, please')).status, 413)
  })

  it('by HTTP is a workload of the mesh, asked with mutual TLS', async () => {
    assert.equal((await asked('/http', { authorization: 'good' })).status, 200)
    assert.equal((await asked('/http', { authorization: 'bad' })).status, 403)
    const metrics = await send({ address: new URL(mesh.workload('asked').metricsUrl).host, target: '/metrics' })
    assert.match(
      metrics.body,
      /reporter="destination",[^\n]*source_principal="spiffe:\/\/mesh\.local\/ns\/default\/sa\/guarded"/,
    )
  })

  it('that is not there refuses', async () => {
    assert.equal((await asked('/nobody')).status, 403)
  })
})

describe('a gateway with tokens', () => {
  it('takes requests with a good token, by its claims, and no others', async () => {
    assert.equal((await askGateway()).status, 403, 'no token')
    const good = await askGateway({ authorization: `Bearer ${await token()}`, 'x-group': 'forged' })
    assert.deepEqual([good.status, good.body], [200, '/open blue'])
    assert.equal((await askGateway({ authorization: `Bearer ${await token({ groups: ['guest'] })}` })).status, 403)
    const bad = await askGateway({ authorization: `Bearer ${(await token()).slice(0, -4)}AAAA` })
    assert.equal(bad.status, 401)
    assert.match(bad.headers['www-authenticate'] ?? '', /^Bearer .*error="invalid_token"/)
  })
})

async function edit(change: (text: string) => string): Promise<void> {
  const text = await readFile(file, 'utf8')
  const changed = change(text)
  assert.notEqual(changed, text)
  await writeFile(file, changed)
}

async function documents(pagePort: number, greeterPort: number): Promise<string> {
  const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }] })
  return `
apiVersion: heddle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: page-callers }
spec:
  selector: { matchLabels: { app: page } }
  action: ALLOW
  # reauthorize: true
  rules:
    - from: [{ source: { principals: [mesh.local/ns/default/sa/web] } }]
    - from: [{ source: { principals: ['*/sa/gateway_public'] } }]
---
apiVersion: heddle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: no-secrets }
spec:
  selector: { matchLabels: { app: page } }
  action: DENY
  dryRun: false
  rules:
    - to: [{ operation: { paths: [/secret*] } }]
    - condition: "'x-mood' in request.headers && request.headers['x-mood'].startsWith('bad')"
---
apiVersion: heddle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: greeter-callers }
spec:
  selector: { matchLabels: { app: greeter } }
  # reauthorize: true
  rules:
    - from: [{ source: { serviceAccounts: [web] } }]
---
apiVersion: heddle.dev/v1alpha1
kind: RequestAuthentication
metadata: { name: tokens }
spec:
  targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: public }]
  jwtRules:
    - issuer: ${issuer}
      jwks: '${jwks}'
      outputClaimToHeaders: [{ header: x-group, claim: team }]
---
apiVersion: heddle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: staff }
spec:
  targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: public }]
  rules:
    - from: [{ source: { requestPrincipals: ['*'] } }]
      when: [{ key: 'request.auth.claims[groups]', values: [staff] }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public }
spec:
  gatewayClassName: heddle
  listeners: [{ name: http, port: ${gatewayPort}, protocol: HTTP }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: page }
spec:
  parentRefs: [{ name: public }]
  rules: [{ backendRefs: [{ name: page, port: 7000 }] }]
${callerDocument('web')}${callerDocument('other')}${served('page', pagePort, 'http')}${served('greeter', greeterPort, 'tcp')}`
}

function askingDocuments(guardedPort: number, httpPort: number, grpcPort: number): string {
  const policies = ['grpc', 'http', 'nobody'].map(
    (provider) => `---
apiVersion: heddle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: ask-${provider} }
spec:
  selector: { matchLabels: { app: guarded } }
  action: CUSTOM
  provider: { name: ${provider} }
  rules: [{ to: [{ operation: { paths: [/${provider}*] } }] }]
`,
  )
  return `${served('guarded', guardedPort, 'http')}${served('asked', httpPort, 'http')}${policies.join('')}---
apiVersion: heddle.dev/v1alpha1
kind: ExternalService
metadata: { name: authz }
spec:
  hosts: [authz.test]
  ports: [{ name: grpc, port: ${grpcPort}, protocol: grpc }]
  endpoints: [{ address: 127.0.0.1 }]
  resolution: static
---
apiVersion: heddle.dev/v1alpha1
kind: MeshConfig
metadata: { name: mesh }
spec:
  extensionProviders:
    - name: grpc
      envoyExtAuthzGrpc:
        service: authz.test
        port: ${grpcPort}
        includeRequestBodyInCheck: { maxRequestBytes: 16 }
    - name: http
      envoyExtAuthzHttp: { service: asked.default.svc.cluster.local, port: 7000 }
`
}

/** Who brings a token, or a word in the body, is alice. */
function answerCheck({ request }: CheckCall, reply: CheckReply): void {
  const http = request.attributes?.request?.http
  if (http?.headers['x-token'] === 'good' || http?.body === 'open sesame') {
    const headers = [{ header: { key: 'x-user', value: 'alice' } }]
    reply(null, { httpResponse: { case: 'okResponse', value: { headers } } })
  } else {
    const headers = [{ header: { key: 'x-why', value: 'no token' } }]
    const value = { status: { code: 401 }, headers } as const
    reply(null, { status: { code: 16 }, httpResponse: { case: 'deniedResponse', value } })
  }
}

function callerDocument(name: string): string {
  return `---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name} }
spec: { serviceAccount: ${name} }
`
}

function served(name: string, port: number, appProtocol: string): string {
  return `---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name}, labels: { app: ${name} } }
spec: { serviceAccount: ${name}, ports: [{ name: main, port: ${port}, appProtocol: ${appProtocol} }] }
---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ name: main, port: 7000, targetPort: main, appProtocol: ${appProtocol} }] }
`
}
