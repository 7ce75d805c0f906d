// Promise: when five times as much comes as an application can do, adaptive concurrency has it do as much as it can, not less. And the simulator
// says the same of it beforehand.
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { formatProblem } from '../../src/contracts/problem.ts'
import { readSimulation } from '../../src/insight/simulate/simulation-files.ts'
import { reportRun } from '../../src/insight/simulate/simulation-report.ts'
import { simulate } from '../../src/insight/simulate/simulation.ts'
import { freePorts } from '../kit/free-ports.ts'
import { OpenLoad } from '../kit/open-load.ts'
import { startMesh, type RunningMesh } from '../kit/running-mesh.ts'

const application = new URL('../kit/bounded-application.ts', import.meta.url).pathname
const workers = 4
const serviceMs = 40
const patienceMs = 500

let folder: string
let mesh: RunningMesh
let ports: number[]

/** Two of the same: one is guarded. */
function document(name: string, port: number): string {
  return `---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ name: http, port: 80 }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name}, labels: { app: ${name} } }
spec:
  ports: [{ name: http, port: ${port} }]
  command: [node, ${application}]
  env: { PORT: '${port}', WORKERS: '${workers}', SERVICE_MS: '${serviceMs}' }
`
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heddle-overload-'))
  ports = await freePorts(2)
  const file = join(folder, 'mesh.yaml')
  await writeFile(
    file,
    `apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: client }
---
apiVersion: heddle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: guarded }
spec:
  targetRefs: [{ kind: Service, name: guarded }]
  adaptiveConcurrency: {}
${document('guarded', ports[0] as number)}${document('unguarded', ports[1] as number)}`,
  )
  mesh = await startMesh({ files: [file] })
})

after(async () => {
  await mesh.stop()
  await rm(folder, { recursive: true })
})

function addressOf(service: string): string {
  const address = mesh.workload('client').services.find(({ name }) => name === service)?.address
  assert.ok(address !== undefined)
  return `http://${address}/`
}

/** Answers a second, when nobody waits in vain: callers that ask one after the other, enough to leave no worker idle. */
async function capacity(port: number, forMs: number): Promise<number> {
  const startMs = performance.now()
  let answered = 0
  const call = async (): Promise<void> => {
    while (performance.now() - startMs < forMs) {
      await (await fetch(`http://127.0.0.1:${port}/`)).text()
      answered++
    }
  }
  await Promise.all(Array.from({ length: 2 * workers }, call))
  return answered / ((performance.now() - startMs) / 1_000)
}

/** By status, a second. 0: no answer in time. */
async function overload(
  service: string,
  perSecond: number,
  warmMs: number,
  forMs: number,
): Promise<Map<number, number>> {
  await using load = new OpenLoad({ url: addressOf(service), perSecond, patienceMs })
  await new Promise((resolve) => setTimeout(resolve, warmMs))
  load.take()
  const startMs = performance.now()
  await new Promise((resolve) => setTimeout(resolve, forMs))
  const tookMs = performance.now() - startMs
  return new Map([...load.take()].map(([status, count]) => [status, (count * 1_000) / tookMs]))
}

/** Of the same documents, for the same time: its part of what the application can do. */
async function simulatedGoodput(): Promise<number> {
  const most = (workers * 1_000) / serviceMs
  const text = `apiVersion: heddle.dev/v1alpha1
kind: Scenario
metadata: { name: overload }
spec:
  warmUp: 6s
  duration: 18s
  applications:
    - workload: guarded
      concurrency: ${workers}
      queue: 1000000
      serviceTime: { distribution: Constant, mean: ${serviceMs}ms }
  clients: [{ workload: client, service: guarded, rate: ${5 * most}, timeout: ${patienceMs}ms }]
`
  const { snapshot, scenarios, problems } = readSimulation(
    [{ path: 'mesh.yaml', text: await readFile(join(folder, 'mesh.yaml'), 'utf8') }],
    [{ path: 'scenario.yaml', text }],
  )
  assert.deepEqual(problems.map(formatProblem), [])
  const [scenario] = scenarios
  assert.ok(scenario !== undefined)
  const { succeeded } = reportRun('simulated', await simulate({ scenario, snapshot, seed: 1 }), {})
  return succeeded / 12 / most
}

function shown(outcomes: ReadonlyMap<number, number>): string {
  return [...outcomes].map(([status, perSecond]) => `${status}: ${perSecond.toFixed(0)}/s`).join(', ')
}

test('an application that is asked five times what it can do answers as much as it can', async () => {
  const most = await capacity(ports[0] as number, 3_000)
  const guarded = await overload('guarded', 5 * most, 6_000, 12_000)
  const again = await capacity(ports[0] as number, 2_000)
  const unguarded = await overload('unguarded', 5 * most, 4_000, 4_000)
  const figures = `capacity ${most.toFixed(0)}/s and ${again.toFixed(0)}/s; guarded ${shown(guarded)}; unguarded ${shown(unguarded)}`
  process.stdout.write(`# ${figures}\n`)
  assert.ok((guarded.get(200) ?? 0) >= 0.9 * Math.min(most, again), figures)
  assert.ok((unguarded.get(200) ?? 0) < (guarded.get(200) ?? 0), figures)
  // of what the application can do: timers of this machine make it a little less than 4 in 40 ms
  const [simulated, real] = [await simulatedGoodput(), (guarded.get(200) ?? 0) / Math.max(most, again)]
  const compared = `goodput: ${simulated.toFixed(3)} of the capacity simulated, ${real.toFixed(3)} real`
  process.stdout.write(`# ${compared}\n`)
  assert.ok(Math.abs(simulated - real) <= 0.15 * real, compared)

  const text = await (await fetch(mesh.workload('guarded').metricsUrl)).text()
  assert.match(text, /heddle_upstream_overflows_total\{[^}]*limit="adaptive_concurrency"[^}]*\} \d+/)
  const limit = Number(/heddle_adaptive_concurrency_limit\{[^}]*\} (\d+)/.exec(text)?.[1])
  assert.ok(limit >= 3 && limit < 50, `limit ${limit}`)
  // what the application could not do was never held against its endpoint
  const client = await (await fetch(mesh.workload('client').metricsUrl)).text()
  assert.doesNotMatch(client, /heddle_outlier_ejections_total\{[^}]*cluster="guarded/)
})
