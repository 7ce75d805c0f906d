// The process tree of `heddle up` on a real mesh: each part may die alone, follows the documents, and leaves nothing behind.
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import type { WorkloadStatus } from '../../src/contracts/desired-state.ts'
import type { MeshState } from '../../src/contracts/mesh-state.ts'
import { freePorts, isListening } from '../kit/free-ports.ts'
import { send, sendThroughProxy } from '../kit/http-client.ts'
import { markedMesh } from '../kit/marked-mesh.ts'
import { isRunning, processTree } from '../kit/process-tree.ts'
import { runCommand, type CommandResult } from '../kit/run-command.ts'
import { eventually, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { SteadyLoad, type LoadResult } from '../kit/steady-load.ts'

/** No other test's mesh takes these as soon as they are free. */
const ownPorts = '12000'

const launcher = new URL('../../heddle', import.meta.url).pathname
const app = new URL('../kit/echo-server.ts', import.meta.url).pathname
const patienceMs = 20_000

describe('a running mesh', () => {
  let mesh: RunningMesh
  let file = ''
  let good = ''
  let echoAddress = ''

  before(async () => {
    file = await markedMesh()
    good = await readFile(file, 'utf8')
    mesh = await startMesh({ files: [file], args: ['--port-base', ownPorts] })
    echoAddress = mesh.workload('client').services.find(({ name }) => name === 'echo')?.address ?? ''
  })
  after(async () => {
    await mesh.stop()
    await rm(dirname(file), { recursive: true, force: true })
  })

  test('starts a killed proxy again; traffic comes back and no application is touched', async () => {
    const applications = await applicationPids(mesh.state)
    const [proxy] = await rolePids(mesh.pid, 'proxy')
    assert.ok(proxy !== undefined)
    process.kill(proxy, 'SIGKILL')
    await eventually(async () => {
      const now = await rolePids(mesh.pid, 'proxy')
      assert.ok(now.length === 1 && now[0] !== proxy)
      assert.equal((await send({ address: echoAddress, target: '/' })).status, 200)
    }, patienceMs)
    await isHealthy()
    assert.deepEqual(await applicationPids(mesh.state), applications)
    assert.deepEqual(await mesh.reload(), mesh.state)
  })

  test('starts a killed application again, and only it', async () => {
    const applications = await applicationPids(mesh.state)
    const proxies = await rolePids(mesh.pid, 'proxy')
    process.kill(applications.get('echo-2') ?? 0, 'SIGKILL')
    await eventually(async () => {
      const now = await applicationPids(mesh.state)
      assert.notEqual(now.get('echo-2'), applications.get('echo-2'))
      assert.equal(await answerOf('echo-2'), 200)
      assert.deepEqual(without(now, 'echo-2'), without(applications, 'echo-2'))
    }, patienceMs)
    assert.deepEqual(await rolePids(mesh.pid, 'proxy'), proxies)
    await isHealthy()
  })

  test('starts a killed control plane again on the same ports and revision, and no request notices', async () => {
    const applications = await applicationPids(mesh.state)
    const proxies = await rolePids(mesh.pid, 'proxy')
    const [controlPlane] = await rolePids(mesh.pid, 'control-plane')
    const { failures } = await underLoad(async () => {
      process.kill(controlPlane ?? 0, 'SIGKILL')
      await eventually(async () => {
        const now = await rolePids(mesh.pid, 'control-plane')
        assert.ok(now.length === 1 && now[0] !== controlPlane)
        assert.deepEqual(await applicationPids(mesh.state), applications)
      }, patienceMs)
      await isHealthy()
    })
    assert.deepEqual(failures, [])
    assert.deepEqual(await mesh.reload(), mesh.state)
    assert.deepEqual(await rolePids(mesh.pid, 'proxy'), proxies)
  })

  test('starts a workload that is added, drains and stops one that is removed, and no request fails', async () => {
    const applications = await applicationPids(mesh.state)
    const [port = 0] = await freePorts(1)
    const { failures } = await underLoad(async () => {
      await save(`${good}---${echoWorkload('echo-3', port)}`)
      await eventually(async () => assert.equal(await answerOf('echo-3'), 200), patienceMs)
      const pid = (await applicationPids(mesh.state)).get('echo-3') ?? 0
      await eventually(async () => {
        assert.ok((await mesh.reload()).workloads.some(({ name, ready }) => name === 'echo-3' && ready))
      }, patienceMs)
      await save(good)
      await eventually(async () => {
        assert.equal(await isRunning(pid), false)
        assert.equal((await mesh.reload()).workloads.length, mesh.state.workloads.length)
        assert.equal(await isListening(port), false)
      }, patienceMs)
    })
    assert.deepEqual(failures, [])
    await isHealthy()
    assert.deepEqual(await applicationPids(mesh.state), applications)
  })

  test('restarts only the application whose environment is edited, and no request fails while another can answer', async () => {
    const applications = await applicationPids(mesh.state)
    const { failures } = await underLoad(async () => {
      await save(good.replace('POD_NAME: echo-1', 'POD_NAME: echo-one'))
      await eventually(async () => assert.equal(await answerOf('echo-one'), 200), patienceMs)
    })
    assert.deepEqual(failures, [])
    const now = await applicationPids(mesh.state)
    assert.notEqual(now.get('echo-1'), applications.get('echo-1'))
    assert.deepEqual(without(now, 'echo-1'), without(applications, 'echo-1'))
    await isHealthy()
  })

  test('refuses a second mesh on its state directory, and goes on', async () => {
    for (const more of [[], ['--detach']]) {
      const { exitCode, stderr } = await heddle('up', '-f', file, '--no-dashboard', ...more)
      assert.equal(exitCode, 2)
      assert.match(stderr, new RegExp(`a mesh is running on .* already \\(process ${mesh.pid}\\)[\\s\\S]*heddle down`))
    }
    await isHealthy()
  })

  test('leaves nothing behind when its supervisor is killed', async () => {
    const tree = await processTree(mesh.pid)
    assert.ok(tree.length >= 5, 'control plane, proxy, three applications')
    process.kill(mesh.pid, 'SIGKILL')
    await eventually(async () => {
      for (const { pid, command } of tree) assert.equal(await isRunning(pid), false, command.join(' '))
      await allFree(mesh.state)
    }, 5_000)
    const { exitCode, stderr } = await heddle('ps')
    assert.equal(exitCode, 2)
    assert.match(stderr, /no mesh is running here/)
  })

  async function underLoad(body: () => Promise<void>): Promise<LoadResult> {
    await using load = new SteadyLoad({ url: `http://${echoAddress}/`, connections: 4, pauseMs: 5 })
    try {
      await body()
    } finally {
      await load.stop()
    }
    return load.stop()
  }

  /** The status of an answer of the application that calls itself so; throws while only others answer. */
  async function answerOf(pod: string): Promise<number> {
    for (let attempt = 0; attempt < 20; attempt++) {
      const { status, body } = await send({ address: echoAddress, target: '/' })
      if (status === 200 && (JSON.parse(body) as { pod: string }).pod === pod) return status
    }
    throw new Error(`no answer of ${pod}`)
  }

  async function isHealthy(): Promise<void> {
    await eventually(async () => {
      const { exitCode, stdout } = await heddle('check')
      assert.equal(exitCode, 0, stdout)
    }, patienceMs)
  }

  async function save(text: string): Promise<void> {
    await writeFile(`${file}.new`, text)
    await rename(`${file}.new`, file)
  }

  function heddle(...args: readonly string[]): Promise<CommandResult> {
    return runCommand(launcher, [...args, '--state-dir', mesh.stateDir])
  }
})

test('--isolate gives each workload a proxy process of its own; Ctrl-C ends all of it with status 0', async () => {
  const file = await markedMesh()
  const mesh = await startMesh({ files: [file], args: ['--isolate', '--port-base', ownPorts] })
  const tree = await processTree(mesh.pid)
  try {
    assert.equal((await rolePids(mesh.pid, 'proxy')).length, mesh.state.workloads.length)
    const answer = await sendThroughProxy(mesh.workload('client').outboundProxy, 'http://echo/')
    assert.equal(answer.status, 200)
  } finally {
    assert.equal(await mesh.stop(), 0)
    await rm(dirname(file), { recursive: true, force: true })
  }
  for (const { pid, command } of tree) assert.equal(await isRunning(pid), false, command.join(' '))
  await allFree(mesh.state)
})

test('--detach returns when the mesh is ready, and what it prints stops it', async () => {
  const file = await markedMesh()
  const stateDir = await mkdtemp(join(tmpdir(), 'heddle-detached-'))
  // of another mesh
  const env = { HEDDLE_TOKEN: 'elsewhere', HEDDLE_ADDRESS: 'http://127.0.0.1:1' }
  const options = ['--state-dir', stateDir, '--no-dashboard', '--detach', '--port-base', ownPorts]
  const started = await runCommand(launcher, ['up', '-f', file, ...options], { env })
  try {
    assert.equal(started.exitCode, 0, started.stderr)
    const mesh = JSON.parse(await readFile(join(stateDir, 'mesh.json'), 'utf8')) as MeshState
    assert.ok(mesh.workloads.every(({ ready }) => ready))
    const client = mesh.workloads.find(({ name }) => name === 'client')
    assert.equal((await sendThroughProxy(client?.outboundProxy ?? '', 'http://echo/')).status, 200)
    const [, pid = '', command = ''] = /running as process (\d+); stop it with: heddle (.*)/.exec(started.stderr) ?? []
    const tree = await processTree(Number(pid))
    assert.ok(tree.length >= 5)
    for (const one of tree)
      assert.doesNotMatch(await readFile(`/proc/${one.pid}/environ`, 'utf8'), /HEDDLE_TOKEN/, one.command.join(' '))
    const stopped = await runCommand(launcher, command.split(' '))
    assert.equal(stopped.exitCode, 0, stopped.stderr)
    // the one that watches over the supervisor ends after it
    await eventually(async () => {
      for (const one of tree) assert.equal(await isRunning(one.pid), false, one.command.join(' '))
      assert.equal(await isRunning(Number(pid)), false)
    }, 5_000)
    await allFree(mesh)
  } finally {
    await runCommand(launcher, ['down', '--state-dir', stateDir])
    await rm(stateDir, { recursive: true, force: true })
    await rm(dirname(file), { recursive: true, force: true })
  }
})

/** Process ids of the children of a supervisor that play this role. */
async function rolePids(supervisor: number, role: 'control-plane' | 'proxy'): Promise<number[]> {
  const tree = await processTree(supervisor)
  return tree.filter(({ parent, command }) => parent === supervisor && command.includes(role)).map(({ pid }) => pid)
}

/** Process ids of the applications, by workload. */
async function applicationPids(mesh: MeshState): Promise<Map<string, number>> {
  const response = await fetch(`${mesh.adminUrl}/v1/workload-statuses`, {
    headers: { authorization: `Bearer ${mesh.adminToken}` },
  })
  const { workloads } = (await response.json()) as { workloads: WorkloadStatus[] }
  return new Map(workloads.flatMap(({ name, pid }) => (pid === undefined ? [] : [[name, pid] as const])))
}

function without(pids: ReadonlyMap<string, number>, name: string): [string, number][] {
  return [...pids].filter(([one]) => one !== name)
}

/** Rejects while something listens on an address of this mesh. */
async function allFree(mesh: MeshState): Promise<void> {
  const addresses = mesh.workloads.flatMap(({ outboundProxy, adminUrl, metricsUrl, inbound, services }) => [
    ...[outboundProxy, adminUrl, metricsUrl].map((url) => new URL(url).host),
    ...[...inbound, ...services].map(({ address }) => address),
  ])
  for (const address of [new URL(mesh.adminUrl).host, mesh.xdsAddress, ...addresses]) {
    assert.equal(await isListening(Number(address.split(':')[1])), false, address)
  }
}

function echoWorkload(name: string, port: number): string {
  return `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: {name: ${name}, labels: {app: echo}}
spec:
  serviceAccount: echo
  ports: [{name: http, port: ${port}}]
  command: [node, ${app}]
  env: {ECHO_PORTS: '${port}', POD_NAME: ${name}, POD_NAMESPACE: default}
`
}
