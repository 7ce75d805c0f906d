// The process tree of `heddle up`, with stand-ins for control plane, proxy and applications.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import { lockStateDir, runningSupervisor } from '../../src/cli/up/state-lock.ts'
import { freePorts } from '../kit/free-ports.ts'
import { runCommand } from '../kit/run-command.ts'
import {
  applicationPid,
  isAlive,
  startSupervised,
  workload,
  type SupervisedMesh,
} from '../kit/supervisor/supervised-mesh.ts'
import { until } from '../kit/until.ts'

const patienceMs = 20_000

async function isReady(mesh: SupervisedMesh, revision = '1'): Promise<void> {
  await until(
    `revision ${revision} ready: ${mesh.output()}`,
    () => {
      const state = mesh.mesh()
      return state?.revision === revision && state.workloads.every(({ ready }) => ready)
    },
    patienceMs,
  )
}

test('has in the log what an application has written last, though it has ended', async (t) => {
  const [port = 0] = await freePorts(1)
  const mesh = startSupervised({ revision: '1', sidecars: [workload('a', port, { BEHAVIOUR: 'last-words' })] })
  t.after(() => mesh.clean())
  await isReady(mesh)
  mesh.kill('SIGTERM')
  assert.equal(await mesh.exited, 0)
  assert.match(mesh.log('default.a'), /draining\nlast words/)
})

test('starts proxies before applications, tells when all is ready, and drains in the opposite order', async (t) => {
  const [a = 0, b = 0] = await freePorts(2)
  const mesh = startSupervised({ revision: '1', sidecars: [workload('a', a), workload('b', b)] })
  t.after(() => mesh.clean())
  await isReady(mesh)
  assert.equal(statSync(join(mesh.stateDir, 'mesh.json')).mode & 0o777, 0o600)
  assert.equal(statSync(join(mesh.stateDir, 'tokens', 'default.a')).mode & 0o777, 0o600)
  await until('the table', () => /default\/a\s+yes/.test(mesh.output()), patienceMs)
  const pids = ['a', 'b'].map((name) => applicationPid(mesh, name))
  assert.ok(pids.every(isAlive))
  mesh.kill('SIGTERM')
  assert.equal(await mesh.exited, 0)
  assert.ok(pids.every((pid) => !isAlive(pid)))
  assert.match(mesh.log('default.a'), /draining/)
  assert.match(mesh.log('proxy'), /drained/)
  assert.equal(mesh.mesh(), undefined)
  assert.equal(runningSupervisor(mesh.stateDir), undefined)
})

test('--isolate gives every workload a proxy of its own', async (t) => {
  const [a = 0, b = 0] = await freePorts(2)
  const mesh = startSupervised({ revision: '1', sidecars: [workload('a', a), workload('b', b)] }, { isolate: true })
  t.after(() => mesh.clean())
  await isReady(mesh)
  assert.match(mesh.log('proxy.sidecar~default~a'), /^ready sidecar~default~a\n$/)
  assert.match(mesh.log('proxy.sidecar~default~b'), /^ready sidecar~default~b\n$/)
})

test('a crashing and a deaf application are said to fail, with their last words, and the others go on', async (t) => {
  const [good = 0, deaf = 0, crash = 0, taken = 0] = await freePorts(4)
  const squatter = createServer().listen(taken, '127.0.0.1')
  const mesh = startSupervised({
    revision: '1',
    sidecars: [
      workload('good', good),
      workload('deaf', deaf, { BEHAVIOUR: 'deaf' }),
      workload('crash', crash, { BEHAVIOUR: 'crash' }),
      workload('taken', taken),
    ],
  })
  t.after(async () => {
    squatter.close()
    await mesh.clean()
  })
  await until('settled', () => mesh.mesh() !== undefined && mesh.output().includes('HDL014'), patienceMs)
  const ready = new Map(mesh.mesh()?.workloads.map((one) => [one.name, one.ready]))
  assert.deepEqual(Object.fromEntries(ready), { good: true, deaf: false, crash: false, taken: false })
  await until('all three said', () => mesh.output().includes('HDL011'), patienceMs)
  assert.match(mesh.output(), /Workload\/default\/crash: error HDL014: exited with status 3; next try in/)
  assert.match(mesh.output(), /\| cannot go on: no database/)
  assert.match(mesh.output(), new RegExp(`deaf: error HDL014: runs but does not listen on 127.0.0.1:${deaf} after 10s`))
  assert.match(mesh.output(), new RegExp(`taken: error HDL011: cannot start: 127.0.0.1:${taken} is taken`))
})

test('control plane and proxy may be killed: they come back on the same state, and no application notices', async (t) => {
  const [a = 0] = await freePorts(1)
  const mesh = startSupervised({ revision: '1', sidecars: [workload('a', a)] })
  t.after(() => mesh.clean())
  await isReady(mesh)
  const pid = applicationPid(mesh, 'a')
  const tokenFile = join(mesh.stateDir, 'tokens', 'default.a')
  const token = readFileSync(tokenFile, 'utf8')
  process.kill(Number(token.split('-')[0]), 'SIGKILL')
  await until('a new token', () => readFileSync(tokenFile, 'utf8') !== token, patienceMs)
  mesh.want({ revision: '2', sidecars: [workload('a', a)] })
  await isReady(mesh, '2')

  const proxyPid = childrenOf(mesh.pid).find((child) => commandOf(child).includes('stand-in-proxy'))
  process.kill(proxyPid ?? 0, 'SIGKILL')
  await until('ready again', () => mesh.log('proxy').split('ready ').length === 3, patienceMs)
  assert.equal(applicationPid(mesh, 'a'), pid)
  assert.ok(isAlive(pid))
})

test('follows the desired state: a workload goes, another comes, and only one that changed is started anew', async (t) => {
  const [a = 0, b = 0, c = 0] = await freePorts(3)
  const mesh = startSupervised({ revision: '1', sidecars: [workload('a', a), workload('b', b), workload('c', c)] })
  t.after(() => mesh.clean())
  await isReady(mesh)
  const [pidA, pidB, pidC] = ['a', 'b', 'c'].map((name) => applicationPid(mesh, name))
  const wanted = workload('a', a)
  const sameButForServices = {
    ...wanted,
    application: { ...wanted.application!, env: { ...wanted.application?.env, NEW_SERVICE_HOST: '127.0.0.1' } },
  }
  mesh.want({ revision: '2', sidecars: [sameButForServices, workload('b', b, { VERSION: 'v2' })] })
  await isReady(mesh, '2')
  await until('b is another process', () => applicationPid(mesh, 'b') !== pidB, patienceMs)
  await until(
    'c is gone',
    () => !isAlive(pidC ?? 0) && mesh.log('proxy').includes('stopped sidecar~default~c'),
    patienceMs,
  )
  assert.equal(applicationPid(mesh, 'a'), pidA)
  mesh.want({ revision: '3', sidecars: [sameButForServices, workload('b', b, { VERSION: 'v2' }), workload('c', c)] })
  await isReady(mesh, '3')
  assert.notEqual(applicationPid(mesh, 'c'), pidC)
})

test('nothing is left of a mesh whose supervisor was killed', async (t) => {
  const [a = 0] = await freePorts(1)
  const mesh = startSupervised({ revision: '1', sidecars: [workload('a', a)] })
  t.after(() => mesh.clean())
  await isReady(mesh)
  const children = childrenOf(mesh.pid)
  assert.ok(children.length >= 4, 'control plane, proxy, application, reaper')
  mesh.kill('SIGKILL')
  await mesh.exited
  await until('no child is left', () => children.every((pid) => !isAlive(pid)), patienceMs)
  assert.equal(runningSupervisor(mesh.stateDir), undefined)
  assert.equal(mesh.mesh(), undefined)
})

test('a second mesh on the same state directory is refused', async (t) => {
  const [a = 0] = await freePorts(1)
  const mesh = startSupervised({ revision: '1', sidecars: [workload('a', a)] })
  t.after(() => mesh.clean())
  await isReady(mesh)
  assert.throws(() => lockStateDir(mesh.stateDir, process.pid), new RegExp(`already \\(process ${mesh.pid}\\)`))
})

test('a control plane that cannot start is an error with its words, and nothing stays behind', async (t) => {
  const mesh = startSupervised(undefined)
  t.after(() => mesh.clean())
  assert.equal(await mesh.exited, 2)
  assert.match(mesh.output(), /the control plane exited with status 2:\nHDL001: cannot read/)
})

test('a control plane that cannot use what it keeps says which file, and the way out, and ends', async (t) => {
  const stateDir = mkdtempSync(join(tmpdir(), 'heddle-damaged-'))
  t.after(() => rmSync(stateDir, { recursive: true }))
  const heddle = new URL('../../heddle', import.meta.url).pathname
  const [portBase = 0] = await freePorts(1)
  const mesh = join(stateDir, 'mesh.yaml')
  writeFileSync(mesh, 'apiVersion: v1\nkind: Namespace\nmetadata: { name: default }\n')
  mkdirSync(join(stateDir, 'ca'), { mode: 0o700 })
  for (const name of ['issued.json', 'revocations.json', 'rotation.json', 'jwt-keys.json']) {
    const file = join(stateDir, 'ca', name)
    writeFileSync(file, '{ damaged', { mode: 0o600 })
    const options = ['--state-dir', stateDir, '--port-base', String(portBase), '--file', mesh]
    const { exitCode, stderr } = await runCommand(heddle, ['control-plane', ...options])
    assert.equal(exitCode, 1, stderr)
    assert.ok(stderr.includes(file), stderr)
    assert.match(stderr, /; (restore|remove)/)
    rmSync(file)
  }
})

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return text === '' ? [] : text.split(' ').map(Number)
}

function commandOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
}
