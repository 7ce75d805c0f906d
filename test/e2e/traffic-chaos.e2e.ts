// ChaosExperiments in a running mesh: one that callers bear, those that end by themselves, and nothing of them is left afterwards.
import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { Server } from 'node:net'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'

import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { processTree } from '../kit/process-tree.ts'
import { runCommand, type CommandResult } from '../kit/run-command.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { SteadyLoad } from '../kit/steady-load.ts'

const root = new URL('../..', import.meta.url).pathname
const connections = 4

interface Status {
  readonly phase: string
  readonly startTime?: string
  readonly endTime?: string
  readonly before?: { readonly requests: number; readonly successRate?: number; readonly p99?: number }
  readonly during?: { readonly requests: number; readonly successRate?: number; readonly p99?: number }
  readonly conditions: readonly { readonly type: string; readonly reason: string; readonly message: string }[]
}

let mesh: RunningMesh
let file = ''
let application: Server
/** Responses that wait for the test. */
const open: ServerResponse[] = []

function serviceDocument(name: string): string {
  return `apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: application }, ports: [{ name: http, port: 80, targetPort: http }] }
---
`
}

function callerDocument(name: string): string {
  return `apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name} }
spec: { serviceAccount: ${name} }
---
`
}

before(async () => {
  const [port = 0] = await freePorts(1)
  application = await listenOn(
    port,
    createServer((request, response) => {
      request.resume()
      if (request.url !== '/long') response.end('ok')
      else {
        response.write('begun ')
        open.push(response)
      }
    }),
  )
  file = await meshFile(
    `${serviceDocument('reviews')}${serviceDocument('quiet')}${callerDocument('client')}${callerDocument('spared')}apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: application, labels: { app: application } }
spec: { address: 127.0.0.1, ports: [{ name: http, port: ${port} }] }
`,
  )
  mesh = await startMesh({ files: [file] })
})

after(async () => {
  await mesh.stop()
  for (const response of open) response.end()
  application.close()
  await rm(dirname(file), { recursive: true, force: true })
})

function heddle(...args: string[]): Promise<CommandResult> {
  return runCommand(join(root, 'heddle'), [...args, '--state-dir', mesh.stateDir], { cwd: root })
}

async function apply(name: string, spec: string): Promise<CommandResult> {
  const path = join(dirname(file), `${name}.applied`)
  await writeFile(
    path,
    `apiVersion: heddle.dev/v1alpha1\nkind: ChaosExperiment\nmetadata: { name: ${name} }\nspec:\n${spec}`,
  )
  return heddle('apply', '-f', path)
}

async function started(name: string, spec: string): Promise<void> {
  const { exitCode, stderr } = await apply(name, spec)
  assert.equal(exitCode, 0, stderr)
}

async function statusOf(name: string): Promise<Status> {
  const { adminUrl, adminToken } = mesh.state
  const response = await fetch(`${adminUrl}/v1/documents/ChaosExperiment/default/${name}`, {
    headers: { authorization: `Bearer ${adminToken}` },
  })
  const { document } = (await response.json()) as { document: { status: Status } }
  return document.status
}

/** Once it is in that phase. */
function phase(name: string, wanted: string, withinMs: number): Promise<Status> {
  return eventually(async () => {
    const status = await statusOf(name)
    assert.equal(status.phase, wanted, JSON.stringify(status))
    return status
  }, withinMs)
}

function endOf({ conditions }: Status): string | undefined {
  return conditions.find(({ type }) => type === 'Succeeded')?.reason
}

function addressOf(caller: string, service = 'reviews'): string {
  const address = mesh.workload(caller).services.find(({ name }) => name === service)?.address
  assert.ok(address !== undefined)
  return `http://${address}/`
}

function load(caller = 'client'): SteadyLoad {
  return new SteadyLoad({ url: addressOf(caller), connections, pauseMs: 20 })
}

/** Requests of that caller that have suffered so far. */
async function suffered(caller: string): Promise<number> {
  const text = await (await fetch(mesh.workload(caller).metricsUrl)).text()
  const counts = [...text.matchAll(/^heddle_requests_total\{[^}]*flags="[^"]*(?:DI|FI)[^"]*"[^}]*\} (\d+)/gm)]
  return counts.reduce((sum, [, count]) => sum + Number(count), 0)
}

/** Nobody suffers any more. */
async function spared(): Promise<void> {
  await eventually(async () => {
    const now = await suffered('client')
    for (let i = 0; i < 20; i++) assert.equal((await fetch(addressOf('client'))).status, 200)
    assert.equal(await suffered('client'), now)
  }, 5_000)
}

/** Half of the requests of one caller fail. */
const failing = `  targetRefs: [{ kind: Service, name: reviews }]
  faults: { callers: [{ namespace: default, serviceAccount: client }], abort: { httpStatus: 503, percent: 50 } }
`

describe('a chaos experiment', () => {
  it('runs its time when callers bear it, tells what they saw, and drops no connection', async () => {
    await using callers = load()
    const long = await fetch(`${addressOf('client')}long`)
    await started(
      'slow',
      `  targetRefs: [{ kind: Service, name: reviews }]
  faults:
    callers: [{ namespace: default, serviceAccount: client }]
    delay: { fixedDelay: 80ms, percent: 40 }
  hypothesis: { successRate: 99.9, p99: 5s, window: 2s, minRequests: 10 }
  steadyState: 3s
  duration: 4s
`,
    )
    assert.equal(await suffered('client'), 0)
    await phase('slow', 'SteadyState', 5_000)
    await phase('slow', 'Running', 10_000)
    await eventually(async () => assert.ok((await suffered('client')) > 0), 5_000)
    assert.equal((await fetch(addressOf('spared'))).status, 200)
    const status = await phase('slow', 'Completed', 15_000)
    assert.equal(endOf(status), 'HypothesisHeld')
    const { startTime = '', endTime = '' } = status
    const tookMs = Date.parse(endTime) - Date.parse(startTime)
    assert.ok(tookMs >= 4_000 && tookMs < 8_000, `${startTime} to ${endTime}`)
    assert.ok((status.before?.requests ?? 0) >= 10, JSON.stringify(status))
    assert.ok((status.during?.requests ?? 0) >= 10, JSON.stringify(status))
    assert.equal(status.during?.successRate, 100)
    assert.ok((status.during?.p99 ?? 0) >= 80 && (status.before?.p99 ?? Infinity) < (status.during?.p99 ?? 0))
    await spared()
    assert.equal(await suffered('spared'), 0)
    const [response] = open.splice(0)
    response?.end('and ended')
    assert.equal(await long.text(), 'begun and ended')
    const { failures, connectionsOpened } = await callers.stop()
    assert.deepEqual(failures, [])
    assert.equal(connectionsOpened, connections)
  })

  it('ends by itself when callers do not bear it', async () => {
    await using callers = load()
    await started(
      'failing',
      `${failing}  hypothesis: { successRate: 95, window: 2s, minRequests: 10 }
  steadyState: 2s
  duration: 1h
`,
    )
    const status = await phase('failing', 'Aborted', 20_000)
    assert.equal(endOf(status), 'SuccessRateTooLow')
    assert.equal(status.before?.successRate, 100)
    assert.ok((status.during?.successRate ?? 100) < 95, JSON.stringify(status))
    assert.ok(Date.parse(status.endTime ?? '') - Date.parse(status.startTime ?? '') < 6_000, JSON.stringify(status))
    await spared()
    const { stdout } = await heddle('get', 'chaosexperiment')
    assert.match(stdout, /ChaosExperiment +default +failing +Aborted: SuccessRateTooLow +applied/)
    assert.match(stdout, /ChaosExperiment +default +slow +Completed +applied/)
    assert.ok(callers.ok > 0)
  })

  it('ends when nobody tells what callers see', async () => {
    await started(
      'unseen',
      `  targetRefs: [{ kind: Service, name: quiet }]
  faults: { delay: { fixedDelay: 1s, percent: 10 } }
  hypothesis: { successRate: 95, window: 1s }
  steadyState: 0s
  duration: 1h
`,
    )
    assert.equal(endOf(await phase('unseen', 'Aborted', 10_000)), 'TelemetryMissing')
  })

  it('never begins where the hypothesis does not hold anyway', async () => {
    await using callers = load()
    await started(
      'hopeless',
      `${failing.replace('abort: { httpStatus: 503, percent: 50 }', 'delay: { fixedDelay: 1s, percent: 50 }')}  hypothesis: { p99: 1ms, window: 1s, minRequests: 10 }
  steadyState: 5s
  duration: 1h
`,
    )
    const status = await phase('hopeless', 'Failed', 10_000)
    assert.equal(endOf(status), 'LatencyTooHigh')
    assert.equal(status.startTime, undefined)
    assert.ok(callers.ok > 0)
  })

  it('ends when its document is deleted', async () => {
    await using callers = load()
    await started('ended', unending('1s'))
    await phase('ended', 'Running', 15_000)
    const { exitCode, stderr } = await heddle('delete', 'chaosexperiment', 'ended')
    assert.equal(exitCode, 0, stderr)
    await spared()
    assert.ok(callers.ok > 0)
  })

  it('does not outlive the control plane that watched it', async () => {
    await using callers = load()
    await started('orphaned', unending('2s'))
    await phase('orphaned', 'Running', 15_000)
    const [plane] = (await processTree(mesh.pid)).filter(({ command }) => command.includes('control-plane'))
    assert.ok(plane !== undefined)
    process.kill(plane.pid, 'SIGKILL')
    const status = await phase('orphaned', 'Aborted', 20_000)
    assert.equal(endOf(status), 'ControlPlaneRestarted')
    await spared()
    assert.ok(callers.ok > 0)
  })

  it('is refused when it asks for what cannot be', async () => {
    const { exitCode, stderr } = await apply(
      'absurd',
      `  targetRefs: [{ kind: Service, name: reviews }]
  faults: { abort: { httpStatus: 503 } }
  hypothesis: { successRate: 99 }
  duration: 5s
`,
    )
    assert.notEqual(exitCode, 0)
    for (const place of ['6:11', '7:30', '8:13']) assert.ok(stderr.includes(`:${place}: error HDL005`), stderr)
  })
})

/** Bears everything, for an hour. */
function unending(window: string): string {
  return `${failing}  hypothesis: { successRate: 1, window: ${window}, minRequests: 1 }
  steadyState: 0s
  duration: 1h
`
}
