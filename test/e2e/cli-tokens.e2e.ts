// Tokens and the audit log on a real mesh: what each role may do, what is written down, and who may read it.
import assert from 'node:assert/strict'
import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { HttpClient, type HttpAnswer } from '../../src/cli/mesh/http-client.ts'
import type { ProxyBootstrap } from '../../src/contracts/bootstrap.ts'
import type { JoinToken } from '../../src/contracts/control-api.ts'
import { systemClock } from '../../src/core/clock.ts'
import { createCertificateClient } from '../../src/proxy/identity/certificate-client.ts'
import { createCertificateRequest } from '../../src/proxy/identity/certificate-request.ts'
import { runCommand, type CommandResult } from '../kit/run-command.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

let mesh: RunningMesh
let meshDocument = ''
const http = new HttpClient()
const launcher = new URL('../../heddle', import.meta.url).pathname

before(async () => {
  meshDocument = await meshFile('apiVersion: heddle.dev/v1alpha1\nkind: Workload\nmetadata: { name: a }\nspec: {}\n')
  mesh = await startMesh({
    files: [meshDocument],
    args: ['--workers', '2'],
  })
})

after(async () => {
  http.close()
  if (mesh !== undefined) assert.equal(await mesh.stop(), 0)
})

function heddle(...args: string[]): Promise<CommandResult> {
  return runCommand('./heddle', [...args, '--state-dir', mesh.stateDir])
}

function apply(token: string, name: string): Promise<HttpAnswer> {
  return put(token, `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ports: [{ port: 80 }] }\n`)
}

function put(token: string, text: string): Promise<HttpAnswer> {
  return http.ask(`${mesh.state.adminUrl}/v1/documents`, {
    method: 'PUT',
    token,
    body: { contentType: 'application/yaml', text },
  })
}

async function audit(): Promise<Record<string, unknown>[]> {
  const lines = (await readFile(join(mesh.stateDir, 'audit.jsonl'), 'utf8')).trimEnd().split('\n')
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}

test('a token does what its role may do, until it is taken back; all of it is written down', async () => {
  const made = await Promise.all(['viewer', 'operator'].map((role) => heddle('token', 'create', role, '--role', role)))
  assert.deepEqual(
    made.map(({ exitCode }) => exitCode),
    [0, 0],
  )
  const [viewer = '', operator = ''] = made.map(({ stdout }) => stdout.trim())
  assert.equal((await apply(viewer, 'one')).status, 403)
  assert.equal((await apply(operator, 'one')).status, 200)
  assert.equal((await http.ask(`${mesh.state.adminUrl}/v1/documents`, { token: viewer })).status, 200)
  assert.doesNotMatch((await http.ask(`${mesh.state.adminUrl}/v1/mesh`, { token: operator })).text, adminToken())

  const runs = 'apiVersion: heddle.dev/v1alpha1\nkind: Workload\nmetadata: { name: b }\nspec: { command: [id] }\n'
  const refused = await put(operator, runs)
  assert.equal(refused.status, 422)
  assert.match(refused.text, /needs the role admin/)

  const listed = JSON.parse((await heddle('token', 'list', '-o', 'json')).stdout) as { name: string; role: string }[]
  assert.deepEqual(
    new Map(listed.map(({ name, role }) => [name, role])),
    new Map([
      ['viewer', 'viewer'],
      ['operator', 'operator'],
    ]),
  )
  assert.equal((await heddle('token', 'create', 'viewer', '--role', 'admin')).exitCode, 2)
  assert.equal((await heddle('token', 'create', 'other', '--role', 'root')).exitCode, 2)
  assert.equal((await heddle('token', 'delete', 'operator')).exitCode, 0)
  assert.equal((await heddle('token', 'delete', 'operator')).exitCode, 1)
  assert.equal((await apply(operator, 'two')).status, 401)

  const entries = (await audit()).filter(({ request }) => request !== 'POST /v1/join-tokens')
  const applied = entries.filter(({ request, status }) => request === 'PUT /v1/documents' && status !== 422)
  assert.deepEqual(
    applied.map(({ token, role, from, status, changes }) => ({ token, role, from, status, changes })),
    [
      { token: 'viewer', role: 'viewer', from: '127.0.0.1', status: 403, changes: [] },
      {
        token: 'operator',
        role: 'operator',
        from: '127.0.0.1',
        status: 200,
        changes: [{ object: 'Service/default/one', action: 'created' }],
      },
    ],
  )
  const { revisionBefore, revisionAfter } = applied[1] ?? {}
  assert.equal(Number(revisionAfter), Number(revisionBefore) + 1)
  assert.deepEqual(
    entries.filter(({ status }) => status === 204).map(({ changes }) => changes),
    [[{ object: 'token/operator', action: 'deleted' }]],
  )
})

async function auditedFiles(): Promise<Record<string, unknown>[]> {
  return (await audit()).filter(({ source }) => source === 'files')
}

test('a change by files is written down too: which files, which documents, and the revisions', async () => {
  const [first] = await auditedFiles()
  assert.deepEqual(
    { ...first, time: undefined },
    {
      time: undefined,
      source: 'files',
      files: [meshDocument],
      changes: [{ object: 'Workload/default/a', action: 'created' }],
      revisionBefore: '0',
      revisionAfter: '1',
    },
  )
  await appendFile(
    meshDocument,
    '---\napiVersion: v1\nkind: Service\nmetadata: { name: f }\nspec: { ports: [{ port: 80 }] }\n',
  )
  const second = await eventually(async () => (await auditedFiles())[1] ?? assert.fail('not written down'), 10_000)
  assert.deepEqual(second['changes'], [{ object: 'Service/default/f', action: 'created' }])
  assert.deepEqual(second['files'], [meshDocument])
  assert.equal(Number(second['revisionAfter']), Number(second['revisionBefore']) + 1)
})

test('the command line works with a token alone, as far as its role goes', async () => {
  const tokens: Record<string, string> = {}
  for (const role of ['viewer', 'operator', 'admin'])
    tokens[role] = (await heddle('token', 'create', `cli-${role}`, '--role', role)).stdout.trim()
  const { adminUrl } = mesh.state
  const elsewhere = async (role: string, ...args: string[]): Promise<CommandResult> =>
    runCommand(launcher, args, { cwd: tmpdir(), env: { HEDDLE_TOKEN: tokens[role] ?? '', HEDDLE_ADDRESS: adminUrl } })
  const folder = await mkdtemp(join(tmpdir(), 'heddle-token-'))
  const file = join(folder, 'one.yaml')
  await writeFile(file, 'apiVersion: v1\nkind: Service\nmetadata: { name: cli }\nspec: { ports: [{ port: 80 }] }\n')

  assert.equal((await elsewhere('viewer', 'get', 'services')).exitCode, 0)
  assert.match((await elsewhere('viewer', 'ps')).stdout, /default\/a/)
  const refused = await elsewhere('viewer', 'apply', '-f', file)
  assert.equal(refused.exitCode, 2)
  assert.match(refused.stderr, /needs the role operator; the token "cli-viewer" is a viewer's/)
  assert.equal((await elsewhere('operator', 'apply', '-f', file)).exitCode, 0)
  const proxies = await elsewhere('operator', 'proxy-config', 'a')
  assert.equal(proxies.exitCode, 2)
  assert.match(proxies.stderr, /needs the role admin/)
  assert.equal((await elsewhere('admin', 'proxy-config', 'a')).exitCode, 0)
  assert.match((await elsewhere('admin', 'certs')).stdout, /sa\/default/)

  assert.match((await elsewhere('viewer', 'certs', 'bundle', '--format', 'pem')).stdout, /BEGIN CERTIFICATE/)
  const nobody = 'spiffe://mesh.local/ns/default/sa/nobody'
  assert.match((await elsewhere('viewer', 'certs', 'revoke', nobody)).stderr, /needs the role operator/)
  assert.equal((await elsewhere('operator', 'certs', 'revoke', nobody)).exitCode, 0)

  const tokenFile = join(folder, 'token')
  await writeFile(tokenFile, `${tokens['operator']}\n`, { mode: 0o600 })
  const options = ['--address', adminUrl, '--token-file', tokenFile]
  assert.equal((await runCommand(launcher, ['delete', 'service', 'cli', ...options], { cwd: tmpdir() })).exitCode, 0)
  await writeFile(tokenFile, 'stale')
  const stale = await runCommand(launcher, ['get', ...options], { cwd: tmpdir() })
  assert.equal(stale.exitCode, 2)
  assert.match(stale.stderr, /bearer token that it knows/)
  await rm(folder, { recursive: true })
})

test("the mesh's own token goes to no address that somebody gave, and none travels beyond this machine", async () => {
  const noToken = await heddle('get', '--address', 'http://127.0.0.1:1')
  assert.equal(noToken.exitCode, 2)
  assert.match(noToken.stderr, /no token for http:\/\/127\.0\.0\.1:1/)
  for (const address of [
    'http://mesh.example:15014',
    'https://127.0.0.1:15014',
    'http://127.0.0.1:1/x',
    '127.0.0.1:1',
  ]) {
    const far = await runCommand(launcher, ['get', '--address', address], { env: { HEDDLE_TOKEN: 'hdl_api_secret' } })
    assert.equal(far.exitCode, 2, address)
    assert.match(far.stderr, /is not the address of a control plane/)
    assert.doesNotMatch(far.stderr, /hdl_api_secret/)
  }
  const broken = await runCommand(launcher, ['get'], { env: { HEDDLE_TOKEN: 'two words' } })
  assert.match(broken.stderr, /HEDDLE_TOKEN holds no token/)
  assert.doesNotMatch(broken.stderr, /two words/)
})

test('what is written down holds no secret, and is for the owner alone', async () => {
  const file = join(mesh.stateDir, 'audit.jsonl')
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  const text = await readFile(file, 'utf8')
  assert.doesNotMatch(text, /hdl_api_|hdl_join_/)
  assert.doesNotMatch(text, adminToken())
  assert.match(text, /"join-token\/[0-9a-f]{12}","action":"created for sidecar default\/a \(spiffe:/)
  assert.match(text, /"join-token\/[0-9a-f]{12}","action":"used by sidecar~default~a for spiffe:/)
})

test('a join token is made, listed, used and taken back, and what it was used for is written down', async () => {
  const made = await heddle('token', 'join', 'create', 'a', '--uses', '2', '--ttl', '1h', '-o', 'json')
  const { id, token, spiffeId, expiresAtMs } = JSON.parse(made.stdout) as JoinToken
  assert.match(token, /^hdl_join_/)
  assert.ok(expiresAtMs > Date.now() + 3_500_000 && expiresAtMs <= Date.now() + 3_600_000)
  const { controlPlaneAddress: address, trustBundleFile, controlPlaneSpiffeId } = await bootstrap()
  const sign = createCertificateClient({
    address,
    trustBundleFile,
    controlPlaneSpiffeId,
    clock: systemClock,
  })
  const proof = { kind: 'token', token } as const
  assert.equal((await sign(createCertificateRequest(spiffeId).csrDer, proof)).chainDer.length, 2)
  const other = createCertificateRequest('spiffe://mesh.local/ns/default/sa/other')
  await assert.rejects(sign(other.csrDer, proof), /ask for your own identity/)

  const listed = await heddle('token', 'join', 'list')
  assert.match(listed.stdout, new RegExp(`${id} +sidecar~default~a +${spiffeId} +1 of 2 `))
  assert.match(listed.stderr, /refused since the control plane started: denied 1/)
  assert.doesNotMatch(listed.stdout, /hdl_join_/)
  assert.equal((await heddle('token', 'join', 'delete', id)).exitCode, 0)
  assert.equal((await heddle('token', 'join', 'delete', id)).exitCode, 1)
  assert.doesNotMatch((await heddle('token', 'join', 'list')).stdout, new RegExp(id))
  await assert.rejects(sign(createCertificateRequest(spiffeId).csrDer, proof), /the join token was revoked/)

  const own = (await audit()).flatMap(({ token: by, changes }) =>
    (changes as { object: string; action: string }[])
      .filter(({ object }) => object === `join-token/${id}`)
      .map(({ action }) => `${String(by)}: ${action}`),
  )
  assert.deepEqual(own, [
    `admin-token: created for sidecar default/a (${spiffeId}), 2 times`,
    `join-token/${id}: used by sidecar~default~a for ${spiffeId}`,
    'admin-token: revoked',
  ])

  for (const [args, exitCode] of [
    [['a', '--uses', '0'], 2],
    [['a', '--uses', '101'], 2],
    [['a', '--ttl', '25h'], 2],
    [['a', '--gateway'], 1],
    [['nobody'], 1],
  ] as const) {
    assert.equal((await heddle('token', 'join', 'create', ...args)).exitCode, exitCode, args.join(' '))
  }
})

test('a proxy of several workers has the same doors', async () => {
  const { adminUrl, metricsUrl } = mesh.workload('a')
  for (const url of [`${adminUrl}/stats`, metricsUrl]) {
    const args = ['-s', '-o', '/dev/null', '-w', '%{http_code}', '-H', `Authorization: Bearer ${mesh.state.adminToken}`]
    assert.equal((await runCommand('curl', [...args, url])).stdout, '200')
    for (const header of ['Host: rebound.example', 'Origin: http://evil.example'])
      assert.equal((await runCommand('curl', [...args, '-H', header, url])).stdout, '403', header)
  }
})

async function bootstrap(): Promise<ProxyBootstrap> {
  return JSON.parse(await readFile(join(mesh.stateDir, 'proxies', 'shared.json'), 'utf8')) as ProxyBootstrap
}

function adminToken(): RegExp {
  return new RegExp(mesh.state.adminToken.replace(/[^\w]/g, '\\$&'))
}
