// The verbs that ask and change a running mesh, as a user types them.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import type { MeshState } from '../../src/contracts/mesh-state.ts'
import { startEchoMesh, type EchoMesh } from '../kit/echo-mesh.ts'
import { send } from '../kit/http-client.ts'
import { runCommand, type CommandResult } from '../kit/run-command.ts'
import { eventually } from '../kit/running-mesh.ts'

const launcher = new URL('../../heddle', import.meta.url).pathname
let echo: EchoMesh
let folder = ''

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heddle-verbs-'))
  echo = await startEchoMesh()
})
after(async () => {
  await echo.stop()
  await rm(folder, { recursive: true, force: true })
})

function heddle(...args: readonly string[]): Promise<CommandResult> {
  return runCommand(launcher, [...args, '--state-dir', echo.mesh.stateDir])
}

async function json<T>(...args: readonly string[]): Promise<T> {
  const { stdout, stderr } = await heddle(...args, '-o', 'json')
  try {
    return JSON.parse(stdout) as T
  } catch {
    throw new Error(`no JSON: ${stdout}${stderr}`)
  }
}

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}

const route = (path: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: teapot, namespace: default }
spec:
  parentRefs: [{ group: '', kind: Service, name: echo, port: 80 }]
  rules:
    - matches: [{ path: { type: PathPrefix, value: ${path} } }]
      filters: [{ type: RequestRedirect, requestRedirect: { hostname: tea.example, statusCode: 302 } }]
    - backendRefs: [{ name: echo, port: 80 }]
`

test('ps prints mesh.json', async () => {
  assert.deepEqual(await json<MeshState>('ps'), echo.mesh.state)
  const { stdout } = await heddle('ps')
  assert.match(stdout, /^WORKLOAD\s+READY\s+IDENTITY/)
  assert.match(stdout, /gateway default\/public \(http\): http:\/\/127\.0\.0\.1:\d+/)
})

test('diff, apply, get and delete work on the running mesh, and traffic follows', async () => {
  const path = await file('route.yaml', route('/tea'))
  const different = await heddle('diff', '-f', path)
  assert.equal(different.exitCode, 1)
  assert.match(different.stdout, /^\+kind: HTTPRoute$/m)
  const applied = await heddle('apply', '-f', path)
  assert.deepEqual([applied.exitCode, applied.stderr], [0, ''])
  assert.match(applied.stdout, /HTTPRoute\/default\/teapot\s+created/)
  assert.equal((await heddle('diff', '-f', path)).exitCode, 0)
  const document = await json<{ spec: { rules: unknown[] }; status: { parents: unknown[] } }>(
    'get',
    'httproutes',
    'teapot',
  )
  assert.equal(document.spec.rules.length, 2)
  assert.equal(document.status.parents.length, 1)
  assert.equal((await send({ address: echo.listener, target: '/tea' })).status, 302)
  const { revision } = await json<{ revision: string }>('ps')
  // a revision is kept a moment after it came into force
  await eventually(async () => {
    const { exitCode, stdout } = await heddle('diff', '--from', String(Number(revision) - 1), '--to', revision)
    assert.equal(exitCode, 1)
    assert.match(stdout, /^\+\+\+ HTTPRoute\/default\/teapot \(revision \d+\)$[\s\S]*^\+kind: HTTPRoute$/m)
  }, 5_000)
  assert.equal((await heddle('diff', '--from', revision)).exitCode, 0)
  assert.equal((await heddle('diff', '--to', revision)).exitCode, 2)
  const gone = await heddle('delete', 'httproute', 'teapot')
  assert.equal(gone.exitCode, 0, gone.stderr)
  assert.equal((await heddle('get', 'httproute', 'teapot')).exitCode, 1)
})

test('bad documents change nothing, and all is said at once', async () => {
  const path = await file('bad.yaml', route('/tea').replace('hostname', 'hostnam').replace('value:', 'valu:'))
  const { exitCode, stderr } = await heddle('apply', '-f', path)
  assert.equal(exitCode, 2)
  assert.match(stderr, /HDL004: unknown field "hostnam".*hostname/)
  assert.match(stderr, /HDL004: unknown field "valu".*value/)
  assert.equal((await heddle('get', 'httproute', 'teapot')).exitCode, 1)
  const analyzed = await heddle('analyze', '-f', path)
  assert.equal(analyzed.exitCode, 1)
  assert.match(analyzed.stdout, /bad\.yaml:\d+:\d+: error HDL004/)
})

test('a document from a file stays, and the error says where to change it', async () => {
  const { exitCode, stderr } = await heddle('delete', 'service', 'echo')
  assert.equal(exitCode, 2)
  assert.match(stderr, /mesh\.yaml:\d+/)
})

test('check, proxy-status, proxy-config and certs tell of a healthy mesh', async () => {
  const { ok, findings } = await json<{ ok: boolean; findings: { check: string; ok: boolean }[] }>('check')
  assert.ok(ok, JSON.stringify(findings))
  const { revision, proxies } = await json<{ revision: string; proxies: { id: string; ackedRevision: string }[] }>(
    'proxy-status',
  )
  assert.deepEqual(
    new Map(proxies.map(({ id, ackedRevision }) => [id, ackedRevision])),
    new Map(['gateway~default~public', 'sidecar~default~caller', 'sidecar~default~echo'].map((id) => [id, revision])),
  )
  const listeners = await json<{ name: string }[]>('proxy-config', 'caller', 'listeners')
  assert.ok(listeners.some(({ name }) => name === 'outbound'))
  const certificates = await json<{ spiffeId: string; notAfterMs: number }[]>('certs')
  assert.ok(certificates.every(({ notAfterMs }) => notAfterMs > Date.now()))
  assert.equal(certificates.length, 3)
  assert.match((await heddle('proxy-config', 'nobody')).stderr, /no proxy is called nobody[\s\S]*default\/echo/)
})

test('stat counts edges and tap shows requests while they happen', async () => {
  const stop = new AbortController()
  const traffic = (async () => {
    while (!stop.signal.aborted) {
      await send({ address: echo.listener, target: '/stat' })
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })()
  try {
    // proxies report once a second
    await eventually(async () => {
      const { edges } = await json<{ edges: { source: string; workload: string; success: number }[] }>(
        'stat',
        '--window',
        '1',
      )
      const edge = edges.find(({ source }) => source === 'default/caller')
      assert.equal(edge?.workload, 'default/echo')
      assert.equal(edge?.success, 1)
    }, 10_000)
    const { stdout } = await heddle('tap', 'caller', '--path', '/stat', '--status', '200', '--count', '2', '-o', 'json')
    const records = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { reporter: string; request: { path: string } })
    assert.deepEqual(
      records.map(({ reporter, request }) => [reporter, request.path]),
      [
        ['source', '/stat'],
        ['source', '/stat'],
      ],
    )
  } finally {
    stop.abort()
    await traffic
  }
})

test('says what to do where no mesh runs, and what is wrong with arguments', async () => {
  const nowhere = await runCommand(launcher, ['ps', '--state-dir', folder])
  assert.equal(nowhere.exitCode, 2)
  assert.match(nowhere.stderr, /no mesh is running here[\s\S]*heddle up -f/)
  for (const args of [
    ['nothing'],
    ['up'],
    ['up', '-f', 'x', '--port-base', '0'],
    ['ps', '-o', 'xml'],
    ['up', '-f', 'x', '--transparent'],
  ]) {
    assert.equal((await runCommand(launcher, args, { cwd: folder })).exitCode, 2, args.join(' '))
  }
  assert.match((await heddle('up', '-f', 'x')).stderr, /HDL001: there is no file or folder x/)
  assert.match((await heddle('up', '-f', folder)).stderr, /a mesh is running on .* already/)
})

test('completes verbs in bash', async () => {
  const { stdout } = await runCommand(launcher, ['completion', 'bash'])
  const script = await file(
    'completion.bash',
    `${stdout}
COMP_WORDS=(heddle proxy-c); COMP_CWORD=1; _heddle; echo "\${COMPREPLY[@]}"
COMP_WORDS=(heddle proxy-config web lis); COMP_CWORD=3; _heddle; echo "\${COMPREPLY[@]}"
COMP_WORDS=(heddle top --sort ''); COMP_CWORD=3; _heddle; echo "\${COMPREPLY[@]}"
COMP_WORDS=(heddle edges -o y); COMP_CWORD=3; _heddle; echo "\${COMPREPLY[@]}"
`,
  )
  assert.equal((await runCommand('bash', [script])).stdout, 'proxy-config\nlisteners\nrate errors p99\nyaml\n')
})
