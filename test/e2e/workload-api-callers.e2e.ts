// Who gets an identity at the Workload API of a real mesh: processes of several users and executables ask, as the kernel knows them.
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { chmod, readFile, realpath, rename, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { status } from '@grpc/grpc-js'

import { SpiffeWorkloadAPI } from '../../src/contracts/xds/gen/spiffe/workload_pb.ts'
import { isRunning, processTree } from '../kit/process-tree.ts'
import { runCommand } from '../kit/run-command.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import type { CallerAnswer } from '../kit/workload-api-caller.ts'
import { WorkloadApiClient } from '../kit/workload-api-client.ts'

const caller = new URL('../kit/workload-api-caller.ts', import.meta.url).pathname
const [uid, otherUid] = [12_001, 12_002]
const isRoot = process.getuid?.() === 0
const skip = isRoot ? false : 'only root can run processes of several users'
if (!isRoot) console.error('\n!! SKIPPED: not root: nothing is known about callers of other users\n')

function workload(name: string, unix?: object): string {
  const registered = unix === undefined ? '' : `, unix: ${JSON.stringify(unix)}`
  return `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: {name: ${name}}
spec: {serviceAccount: ${name}${registered}}
`
}

/** Asks as a process of that user and group. */
function ask(
  socket: string,
  as: { uid?: number; gid?: number } = {},
  command = [process.execPath],
): Promise<CallerAnswer> {
  const [program = '', ...args] = command
  const child = spawn(program, [...args, caller, socket], { stdio: ['ignore', 'pipe', 'inherit'], ...as })
  let output = ''
  child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () =>
      output === '' ? reject(new Error('no answer')) : resolve(JSON.parse(output) as CallerAnswer),
    )
  })
}

async function assertRefused(asked: Promise<CallerAnswer>, details: RegExp): Promise<void> {
  const answer = await asked
  assert.equal(answer.spiffeId, undefined)
  assert.equal(answer.code, status.PERMISSION_DENIED, answer.details)
  assert.match(answer.details ?? '', details)
}

const idOf = (name: string): string => `spiffe://mesh.local/ns/default/sa/${name}`

for (const args of [[], ['--workers', '2']]) {
  describe(`registered callers of a mesh with ${args.join(' ') || 'one process'}`, () => {
    let mesh: RunningMesh
    let file: string
    let env = ''
    const socketOf = (name: string): string => join(mesh.stateDir, 'workload-api', `default.${name}.sock`)
    const proxyLog = (): Promise<string> => readFile(join(mesh.stateDir, 'logs', 'proxy.log'), 'utf8')
    /** Callers that were refused because they had ended, and one. */
    const ended = async (): Promise<number> => (await proxyLog()).split('the calling process has ended').length
    const documents = (own: object): string =>
      [
        workload('by-uid', own),
        workload('by-gid', { gid: uid }),
        workload('by-path', { path: process.execPath }),
        workload('by-both', { uid, path: process.execPath }),
        workload('by-other-path', { path: env }),
        workload('plain'),
      ].join('---')
    before(async () => {
      env = await realpath('/usr/bin/env')
      file = await meshFile(documents({ uid }))
      mesh = await startMesh({ files: [file], args })
      // what a user does who lets others in
      await chmod(mesh.stateDir, 0o711)
    })
    after(async () => {
      assert.equal(await mesh.stop(), 0)
    })

    test('only the registered user gets the identity, others hear which field differs', { skip }, async () => {
      assert.deepEqual(await ask(socketOf('by-uid'), { uid, gid: otherUid }), { spiffeId: idOf('by-uid') })
      await assertRefused(
        ask(socketOf('by-uid'), { uid: otherUid, gid: uid }),
        /^uid 12002 is not registered for this workload$/,
      )
      await assertRefused(ask(socketOf('by-uid')), /^uid 0 is not registered/)
      assert.deepEqual(await ask(socketOf('by-gid'), { uid: otherUid, gid: uid }), { spiffeId: idOf('by-gid') })
      await assertRefused(ask(socketOf('by-gid'), { uid, gid: otherUid }), /^gid 12002 is not registered/)
    })

    test('a process that runs the registered file gets the identity, one that runs another does not', async () => {
      assert.deepEqual(await ask(socketOf('by-path')), { spiffeId: idOf('by-path') })
      await assertRefused(ask(socketOf('by-other-path')), /^executable .*node.* is not registered/)
      // an interpreter is the executable, not the script; and a program that starts another has become that
      await assertRefused(
        ask(socketOf('by-other-path'), {}, [env, process.execPath]),
        /^executable .*node.* is not registered/,
      )
    })

    test('every registered field must match', { skip }, async () => {
      assert.deepEqual(await ask(socketOf('by-both'), { uid, gid: uid }), { spiffeId: idOf('by-both') })
      await assertRefused(ask(socketOf('by-both'), { uid: otherUid, gid: uid }), /^uid 12002/)
      await assertRefused(ask(socketOf('by-both')), /^uid 0/)
    })

    test('a file that only goes by the registered name does not help', { skip }, async () => {
      const script = `mount --bind ${process.execPath} ${env} && exec ${env} "$@"`
      const probe = await runCommand('unshare', ['--mount', 'true'])
      if (probe.exitCode !== 0) {
        console.error('\n!! SKIPPED: no mount namespaces here; nothing is known about files mounted over others\n')
        return
      }
      const refused = ask(socketOf('by-other-path'), {}, ['unshare', '--mount', 'sh', '-c', script, 'sh'])
      await assertRefused(refused, new RegExp(`^executable ${env} is not registered`))
    })

    test('a caller that has ended is not taken for the process that has its number now', { skip }, async () => {
      const python = await runCommand('python3', ['-c', 'import socket, os'])
      if (python.exitCode !== 0) {
        console.error('\n!! SKIPPED: python3 is not installed here; nothing is known about callers that have ended\n')
        return
      }
      const proxies = (await processTree(mesh.pid))
        .filter(({ command }) => command.includes('proxy'))
        .map(({ pid }) => pid)
      assert.ok(proxies.length > 0)
      const known = await ended()
      // a proxy that is held up sees the connection only once the process that made it is gone
      for (const pid of proxies) process.kill(pid, 'SIGSTOP')
      let successor: ChildProcess | undefined
      try {
        const leave = `
import os, socket, time
s = socket.socket(socket.AF_UNIX); s.connect(${JSON.stringify(socketOf('by-path'))})
print(os.getpid(), flush=True)
if os.fork() == 0:
    for fd in (0, 1, 2): os.close(fd)
    time.sleep(5)
`
        const pid = Number((await runCommand('python3', ['-c', leave])).stdout)
        assert.ok(pid > 0)
        successor = await registeredProcess(pid)
      } finally {
        for (const pid of proxies) process.kill(pid, 'SIGCONT')
      }
      try {
        await eventually(async () => assert.ok((await ended()) > known), 5_000)
      } finally {
        successor?.kill('SIGKILL')
      }
    })

    test('each refusal is logged and counted, and only sockets that are checked are open', async () => {
      await assertRefused(ask(socketOf('by-other-path')), /not registered/)
      const lines = (await proxyLog())
        .split('\n')
        .filter((line) => line.includes('a caller of the Workload API was refused'))
      const last = JSON.parse(lines.findLast((line) => line.includes('by-other-path')) ?? '{}') as Record<
        string,
        unknown
      >
      assert.equal(last['reason'], 'path')
      assert.equal((last['caller'] as { uid: number }).uid, process.getuid?.())
      const metrics = await (await fetch(mesh.workload('by-other-path').metricsUrl)).text()
      assert.match(metrics, /^heddle_workload_api_refused_total\{reason="path"\} [1-9]/m)
      const modes = await Promise.all(['by-uid', 'by-path', 'plain'].map((name) => stat(socketOf(name))))
      assert.deepEqual(
        modes.map(({ mode }) => mode & 0o777),
        [0o666, 0o666, 0o600],
      )
      assert.equal((await stat(join(mesh.stateDir, 'workload-api'))).mode & 0o777, 0o711)
    })

    test('callers that send garbage or leave at once harm nobody, let in or not', async () => {
      const { pid } = (await processTree(mesh.pid)).find(({ command }) => command.includes('proxy')) ?? {}
      for (const name of ['by-path', 'by-other-path']) {
        for (const bytes of ['', 'GET / HTTP/1.1\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff']) {
          for (let round = 0; round < 20; round++) await send(socketOf(name), bytes)
        }
      }
      assert.deepEqual(await ask(socketOf('by-path')), { spiffeId: idOf('by-path') })
      await assertRefused(ask(socketOf('by-other-path')), /is not registered/)
      assert.ok(pid !== undefined && (await isRunning(pid)), 'the proxy is the one it was')
    })

    test('a workload that registers nothing is for the user of the mesh', { skip }, async () => {
      assert.deepEqual(await ask(socketOf('plain')), { spiffeId: idOf('plain') })
      const answer = await ask(socketOf('plain'), { uid, gid: uid })
      assert.equal(answer.code, status.UNAVAILABLE)
      assert.match(answer.details ?? '', /EACCES/)
    })

    test('a changed registration ends the streams of those who are not in it any more', { skip }, async () => {
      await edit(file, documents({ uid: 0 }))
      await eventually(
        async () => assert.deepEqual(await ask(socketOf('by-uid')), { spiffeId: idOf('by-uid') }),
        10_000,
      )
      const client = new WorkloadApiClient(socketOf('by-uid'))
      const stream = client.follow(SpiffeWorkloadAPI.method.fetchX509SVID, {})
      await eventually(() => assert.equal(stream.messages.length, 1), 5_000)
      await edit(file, documents({ uid }))
      await eventually(() => assert.ok(stream.error !== undefined), 10_000)
      client.close()
      await assertRefused(ask(socketOf('by-uid')), /^uid 0/)
      assert.deepEqual(await ask(socketOf('by-uid'), { uid, gid: uid }), { spiffeId: idOf('by-uid') })
    })
  })
}

test('who is registered and cannot get at the socket is told when the mesh starts', { skip }, async () => {
  const mesh = await startMesh({ files: [await meshFile(workload('by-uid', { uid }))] })
  try {
    const hint = `default/by-uid: user ${uid} cannot reach its Workload API through ${mesh.stateDir}: chmod o+x ${mesh.stateDir}`
    await eventually(() => assert.ok(mesh.output().includes(hint), mesh.output()), 5_000)
  } finally {
    assert.equal(await mesh.stop(), 0)
  }
})

test('without koffi a workload that registers somebody refuses everybody, loudly, and others work as ever', async () => {
  const hook = `import { registerHooks } from 'node:module'
registerHooks({ resolve: (name, context, next) => { if (name === 'koffi') throw new Error('no such package'); return next(name, context) } })`
  const mesh = await startMesh({
    files: [await meshFile([workload('by-uid', { uid: process.getuid?.() ?? 0 }), workload('plain')].join('---'))],
    env: { NODE_OPTIONS: `--import=data:text/javascript;base64,${Buffer.from(hook).toString('base64')}` },
  })
  try {
    const socket = (name: string): string => join(mesh.stateDir, 'workload-api', `default.${name}.sock`)
    await assertRefused(ask(socket('by-uid')), /cannot be checked on this machine: every one is refused/)
    assert.equal((await stat(socket('by-uid'))).mode & 0o777, 0o600)
    assert.equal((await stat(join(mesh.stateDir, 'workload-api'))).mode & 0o777, 0o700)
    assert.deepEqual(await ask(socket('plain')), { spiffeId: idOf('plain') })
    const said =
      /default\/by-uid: its Workload API refuses every caller: .*koffi, which cannot be loaded: no such package/
    await eventually(() => assert.match(mesh.output(), said), 5_000)
  } finally {
    assert.equal(await mesh.stop(), 0)
  }
})

/** A process that runs the registered file and has that number; undefined, said loudly, where the kernel gives no number that is asked for. */
async function registeredProcess(pid: number): Promise<ChildProcess | undefined> {
  for (let attempt = 0; attempt < 50; attempt++) {
    try {
      await writeFile('/proc/sys/kernel/ns_last_pid', String(pid - 1))
    } catch {
      break
    }
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 30_000)'], { stdio: 'ignore' })
    if (child.pid === pid) return child
    child.kill('SIGKILL')
  }
  console.error(
    '\n!! SKIPPED: no process got the number of the caller; nothing is known about numbers that are used again\n',
  )
  return undefined
}

/** Resolves once the connection is gone, which this end sees to. */
function send(socketFile: string, bytes: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(socketFile, () => socket.end(Buffer.from(bytes, 'latin1'), () => socket.destroy()))
    socket.on('error', () => undefined)
    socket.once('close', () => resolve())
  })
}

async function edit(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text)
  await rename(`${file}.new`, file)
}
