// Promise: when five times as much comes as an application can do, adaptive concurrency has it do as much as it can, not less.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

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

/** Answers a second, when nobody waits in vain: as many callers as workers, one after the other. */
async function capacity(port: number, forMs: number): Promise<number> {
  const startMs = performance.now()
  let answered = 0
  const call = async (): Promise<void> => {
    while (performance.now() - startMs < forMs) {
      await (await fetch(`http://127.0.0.1:${port}/`)).text()
      answered++
    }
  }
  await Promise.all(Array.from({ length: workers }, call))
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

  const text = await (await fetch(mesh.workload('guarded').metricsUrl)).text()
  assert.match(text, /heddle_upstream_overflows_total\{[^}]*limit="adaptive_concurrency"[^}]*\} \d+/)
  const limit = Number(/heddle_adaptive_concurrency_limit\{[^}]*\} (\d+)/.exec(text)?.[1])
  assert.ok(limit >= 3 && limit < 50, `limit ${limit}`)
  // what the application could not do was never held against its endpoint
  const client = await (await fetch(mesh.workload('client').metricsUrl)).text()
  assert.doesNotMatch(client, /heddle_outlier_ejections_total\{[^}]*cluster="guarded/)
})
