// Secrets stay where they belong. A mesh with secrets of every kind is used, and misused, and then everything that it wrote, answers and shows of
// itself is searched for them. The places that are to hold one are named.
import assert from 'node:assert/strict'
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { request as httpsRequest } from 'node:https'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { after, before, describe, it } from 'node:test'

import { SignJWT } from 'jose'

import { HttpClient } from '../../src/cli/mesh/http-client.ts'
import { freePorts } from '../kit/free-ports.ts'
import { send } from '../kit/http-client.ts'
import { issuer, publicJwk, rsa } from '../kit/json-web-tokens.ts'
import { processTree } from '../kit/process-tree.ts'
import { runCommand, type CommandResult } from '../kit/run-command.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { webCertificate } from '../kit/web-certificates.ts'

const launcher = new URL('../../heddle', import.meta.url).pathname
const fromFile = webCertificate('shop.example')
const applied = webCertificate('applied.example')
const broken = webCertificate('broken.example')
const jwks = JSON.stringify({ keys: [await publicJwk(rsa.publicKey, { kid: 'rsa' })] })

interface Secret {
  readonly name: string
  readonly value: string
  /** Files of the state directory that hold it. */
  readonly mayBeIn: RegExp
}

const nowhere = /^$/
const secrets: Secret[] = []
/** What the mesh has written, answered or shown, by where. */
const seen = new Map<string, string>()
let mesh: RunningMesh
let file = ''
let folder = ''
let gatewayPort = 0
const http = new HttpClient()

function indented(pem: string): string {
  return pem.trim().split('\n').join('\n    ')
}

function secret(name: string, { certificateChainPem, privateKeyPem }: typeof fromFile): string {
  return `
---
apiVersion: v1
kind: Secret
metadata: { name: ${name} }
type: kubernetes.io/tls
stringData:
  tls.crt: |
    ${indented(certificateChainPem)}
  tls.key: |
    ${indented(privateKeyPem)}
`
}

/** A line of it, which no certificate shares. */
function keyLine({ privateKeyPem }: typeof fromFile): string {
  return privateKeyPem.split('\n')[1] ?? assert.fail('no key')
}

function documents(echoPort: number): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: echo }
spec: { selector: { app: echo }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: echo, labels: { app: echo } }
spec:
  serviceAccount: echo
  ports: [{ name: http, port: ${echoPort} }]
  command: [node, ${JSON.stringify(join(import.meta.dirname, '../kit/echo-server.ts'))}]
  env: { ECHO_PORTS: '${echoPort}', POD_NAME: echo, POD_NAMESPACE: default }
---
apiVersion: heddle.dev/v1alpha1
kind: MeshConfig
metadata: { name: mesh }
spec: { accessLog: { samplePercent: 100 } }
---
apiVersion: heddle.dev/v1alpha1
kind: RequestAuthentication
metadata: { name: tokens }
spec:
  targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: public }]
  jwtRules:
    - issuer: ${issuer}
      jwks: '${jwks}'
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public }
spec:
  gatewayClassName: heddle
  listeners:
    - name: https
      port: ${gatewayPort}
      protocol: HTTPS
      tls: { certificateRefs: [{ name: shop }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: echo }
spec:
  parentRefs: [{ name: public }]
  rules: [{ backendRefs: [{ name: echo, port: 80 }] }]
${secret('shop', fromFile)}`
}

function heddle(...args: string[]): Promise<CommandResult> {
  return runCommand(launcher, [...args, '--state-dir', mesh.stateDir])
}

async function remembered(where: string, pending: Promise<CommandResult>): Promise<CommandResult> {
  const result = await pending
  seen.set(where, result.stdout + result.stderr)
  return result
}

function ask(path: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: gatewayPort, path, headers, rejectUnauthorized: false, agent: false }
    httpsRequest({ ...options, servername: 'shop.example' }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
    })
      .on('error', reject)
      .end()
  })
}

async function filesBelow(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

before(async () => {
  const [echoPort = 0, port = 0] = await freePorts(2)
  gatewayPort = port
  file = await meshFile(documents(echoPort))
  folder = await mkdtemp(join(tmpdir(), 'heddle-secrets-'))
  mesh = await startMesh({ files: [file], args: ['--workers', '2', '--verbose'] })
  await useAll()
  await lookEverywhere()
})

after(async () => {
  http.close()
  await mesh.stop()
  await rm(folder, { recursive: true, force: true })
  await rm(dirname(file), { recursive: true, force: true })
})

function sign(subject: string): Promise<string> {
  return new SignJWT({ sub: subject })
    .setProtectedHeader({ alg: 'RS256', kid: 'rsa' })
    .setIssuer(issuer)
    .setExpirationTime('1h')
    .sign(rsa.privateKey)
}

function signature(token: string): string {
  return token.split('.')[2]?.slice(0, 40) ?? ''
}

async function useAll(): Promise<void> {
  const [good, inQuery, bad] = [await sign('alice'), await sign('bob'), `${(await sign('eve')).slice(0, -40)}forged`]
  const operator = (await heddle('token', 'create', 'ci', '--role', 'operator')).stdout.trim()
  const wrong = `hdl_api_${'w'.repeat(30)}`
  const authorityFiles = await filesBelow(join(mesh.stateDir, 'ca'))
  const joinTokens = await readdir(join(mesh.stateDir, 'tokens'))

  secrets.push(
    { name: 'the key of a Secret in a file', value: keyLine(fromFile), mayBeIn: nowhere },
    { name: 'the key of an applied Secret', value: keyLine(applied), mayBeIn: nowhere },
    { name: 'the key of a broken document', value: keyLine(broken), mayBeIn: nowhere },
    { name: 'a token in a header', value: signature(good), mayBeIn: nowhere },
    { name: 'a token in the query', value: signature(inQuery), mayBeIn: nowhere },
    { name: 'a forged token', value: signature(bad), mayBeIn: nowhere },
    { name: 'a password', value: Buffer.from('alice:hunter2hunter2').toString('base64'), mayBeIn: nowhere },
    { name: 'a cookie', value: 'session-0123456789abcdef', mayBeIn: nowhere },
    { name: "an operator's token", value: operator, mayBeIn: nowhere },
    { name: 'a token that is none', value: wrong, mayBeIn: nowhere },
    {
      name: "the mesh's token",
      value: mesh.state.adminToken,
      mayBeIn: /^(admin-token|mesh\.json|proxies\/[^/]+\.json)$/,
    },
  )
  for (const name of joinTokens) {
    const value = (await readFile(join(mesh.stateDir, 'tokens', name), 'utf8')).trim()
    secrets.push({ name: `join token ${name}`, value, mayBeIn: /^tokens\// })
  }
  for (const one of authorityFiles) {
    // in a file of its own, or in one of JSON
    const [, value] = /PRIVATE KEY-----(?:\\n|\n)([\w+/=]+)/.exec(await readFile(one, 'utf8')) ?? []
    if (value !== undefined) secrets.push({ name: `the key in ${basename(one)}`, value, mayBeIn: /^ca\// })
  }

  const toApply = join(folder, 'applied.yaml')
  await writeFile(toApply, secret('applied', applied))
  assert.equal((await remembered('apply', heddle('apply', '-f', toApply))).exitCode, 0)
  await remembered('get', heddle('get', '-o', 'yaml'))
  await writeFile(toApply, secret('applied', { ...applied, privateKeyPem: broken.privateKeyPem }))
  assert.equal((await remembered('apply of a key that does not fit', heddle('apply', '-f', toApply))).exitCode, 2)
  await remembered('diff', heddle('diff', '-f', toApply))
  const text = secret('applied', broken)
  for (const [what, wrongText] of Object.entries({
    'is not YAML': text.replace('  tls.key: |', ' tls.key: |'),
    'has its key at the wrong place': text.replace('  tls.key: |\n', '  tls.key:\n'),
    'has a key that is a field': text.replace('  tls.key: |\n    ', '  '),
    'has its key as the type': text.replace('kubernetes.io/tls', keyLine(broken)),
    'is base64 that is none': text.replace('stringData', 'data'),
  })) {
    const body = { contentType: 'application/yaml', text: wrongText }
    const { adminUrl, adminToken } = mesh.state
    const answer = await http.ask(`${adminUrl}/v1/documents`, { method: 'PUT', token: adminToken, body })
    seen.set(`a Secret that ${what}`, answer.text)
  }
  await appendFile(file, text.replace('  tls.key: |', ' tls.key: |'))

  const tapped = remembered('tap', heddle('tap', '-o', 'json', '--count', '5'))
  await eventually(async () => {
    const cookie = 'session=session-0123456789abcdef'
    assert.equal(await ask('/', { authorization: `Bearer ${good}`, cookie }), 200)
    assert.equal(await ask(`/?access_token=${inQuery}`, {}), 200)
    assert.equal(await ask('/', { authorization: `Bearer ${bad}` }), 401)
    assert.equal(await ask(`/?access_token=${bad}`, {}), 401)
    assert.equal(
      await ask('/', { authorization: `Basic ${Buffer.from('alice:hunter2hunter2').toString('base64')}` }),
      200,
    )
  }, 10_000)
  // until it has seen enough
  const more = async (): Promise<unknown> => ask(`/?access_token=${inQuery}`, { authorization: `Bearer ${bad}` })
  while ((await Promise.race([tapped, more()])) === 401);

  const { adminUrl } = mesh.state
  const options = { HEDDLE_TOKEN: wrong, HEDDLE_ADDRESS: adminUrl }
  await remembered('get with a token that is none', runCommand(launcher, ['get'], { env: options, cwd: folder }))
  await remembered('an argument that is a token', runCommand(launcher, ['get', '--token', 'x'], { cwd: folder }))
  await send({ address: new URL(adminUrl).host, target: `/v1/mesh?token=${wrong}` })
}

async function lookEverywhere(): Promise<void> {
  const { adminUrl, adminToken } = mesh.state
  const viewer = (await heddle('token', 'create', 'reader', '--role', 'viewer')).stdout.trim()
  for (const path of ['documents', 'mesh', 'problems', 'proxies', 'requests', 'workload-statuses', 'authority'])
    seen.set(`GET /v1/${path}`, (await http.ask(`${adminUrl}/v1/${path}`, { token: viewer })).text)
  seen.set('GET /v1/desired', (await http.ask(`${adminUrl}/v1/desired`, { token: adminToken })).text)
  seen.set('GET /v1/tokens', (await http.ask(`${adminUrl}/v1/tokens`, { token: adminToken })).text)
  const proxies = [...mesh.state.workloads, ...mesh.state.gateways] as { adminUrl: string; metricsUrl: string }[]
  for (const proxy of proxies) {
    for (const path of ['config_dump', 'certs', 'clusters', 'listeners', 'stats'])
      seen.set(`${proxy.adminUrl}/${path}`, (await http.ask(`${proxy.adminUrl}/${path}`, { token: adminToken })).text)
    seen.set(proxy.metricsUrl, (await http.ask(proxy.metricsUrl)).text)
  }
  await remembered('proxy-config', heddle('proxy-config', 'gateway~default~public', '-o', 'yaml'))
  await remembered('check', heddle('check', '-o', 'yaml'))
  await remembered('certs', heddle('certs', '-o', 'yaml'))
  seen.set('what up prints', mesh.output())
  for (const { pid, command } of await processTree(mesh.pid)) {
    seen.set(`title of process ${pid}`, command.join(' '))
    seen.set(`environment of process ${pid}`, await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => ''))
  }
  for (const one of await filesBelow(mesh.stateDir))
    seen.set(relative(mesh.stateDir, one), await readFile(one, 'latin1'))
}

describe('secrets', () => {
  it('are searched for in what there is', () => {
    for (const { name, value } of secrets) assert.ok(value.length >= 20, name)
    assert.ok(secrets.length >= 16, `${secrets.length} secrets`)
    for (const place of [
      'heddle.db',
      'audit.jsonl',
      'logs/proxy.log',
      'logs/control-plane.log',
      'tap',
      'GET /v1/documents',
    ])
      assert.ok((seen.get(place)?.length ?? 0) > 100, place)
    assert.match(seen.get('logs/proxy.log') ?? '', /"status":401/, 'the access log has the requests')
    assert.ok([...seen.keys()].filter((place) => place.startsWith('title of')).length >= 5)
    assert.ok([...seen.keys()].some((place) => place.endsWith('/config_dump')))
  })

  it('are where they belong, and nowhere else', () => {
    const found = secrets.flatMap(({ name, value, mayBeIn }) =>
      [...seen].flatMap(([place, text]) => (text.includes(value) && !mayBeIn.test(place) ? [`${name}: ${place}`] : [])),
    )
    assert.deepEqual(found, [])
    const kept = secrets.filter(({ mayBeIn }) => mayBeIn !== nowhere)
    for (const { name, value, mayBeIn } of kept)
      assert.ok(
        [...seen].some(([place, text]) => mayBeIn.test(place) && text.includes(value)),
        `${name} is found`,
      )
  })
})
