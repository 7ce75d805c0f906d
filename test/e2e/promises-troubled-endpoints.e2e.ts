// Promise: with nothing configured, callers do not notice that of five instances one hangs, one answers 503, and others are killed again and again.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import { freePorts } from '../kit/free-ports.ts'
import { processTree } from '../kit/process-tree.ts'
import { startMesh } from '../kit/running-mesh.ts'
import { percentile, SteadyLoad } from '../kit/steady-load.ts'

/** HEDDLE_LONG=1 runs for two minutes at 500 requests a second. */
const runMs = process.env['HEDDLE_LONG'] === '1' ? 120_000 : 16_000
const killEveryMs = 5_000
const connections = 25
const pauseMs = 45

const application = new URL('../kit/troubled-application.ts', import.meta.url).pathname
const conditions = ['well', 'well', 'well', 'hung', 'failing'] as const

async function meshFile(folder: string): Promise<string> {
  const ports = await freePorts(conditions.length)
  const workloads = conditions.map(
    (condition, index) => `---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: app-${index}, labels: { app: app } }
spec:
  ports: [{ name: http, port: ${ports[index]} }]
  command: [node, ${application}]
  env: { PORT: '${ports[index]}', CONDITION: ${condition} }
`,
  )
  const file = join(folder, 'mesh.yaml')
  await writeFile(
    file,
    `apiVersion: v1
kind: Service
metadata: { name: app }
spec: { selector: { app: app }, ports: [{ name: http, port: 80 }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: client }
${workloads.join('')}`,
  )
  return file
}

test('99.99 % of idempotent requests succeed, with at most a fifth more attempts than requests', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'heddle-troubled-'))
  const mesh = await startMesh({ files: [await meshFile(folder)] })
  try {
    const client = mesh.workload('client')
    const address = client.services.find((service) => service.name === 'app')?.address
    assert.ok(address !== undefined)
    await using load = new SteadyLoad({ url: `http://${address}/`, connections, pauseMs })
    const startMs = performance.now()
    let killed = 0
    while (performance.now() - startMs < runMs) {
      await new Promise((resolve) => setTimeout(resolve, killEveryMs))
      const running = await applicationPids(mesh.pid)
      const victim = running[killed % running.length]
      if (victim === undefined) continue
      process.kill(victim, 'SIGKILL')
      killed++
    }
    const { ok, failures, latenciesMs } = await load.stop()
    const retries = await counted(client.metricsUrl, 'heddle_upstream_retries_total')
    const requests = ok + failures.length
    const figures = `${requests} requests, ${failures.length} failed, ${retries} retries, p99 ${percentile(latenciesMs, 0.99).toFixed(0)} ms`
    process.stdout.write(
      `# ${figures}, ${Math.round(requests / ((performance.now() - startMs) / 1000))}/s, ${killed} killed\n`,
    )
    assert.ok(killed >= 3, `${killed} were killed`)
    assert.ok(failures.length <= requests / 10_000, `${figures}\n${failures.slice(0, 10).join('\n')}`)
    assert.ok(retries <= 0.2 * requests, figures)
  } finally {
    await mesh.stop()
    await rm(folder, { recursive: true })
  }
})

/** Of those that are well: the first three. */
async function applicationPids(root: number): Promise<number[]> {
  const tree = await processTree(root)
  return tree
    .filter(({ command }) => command.includes(application))
    .map(({ pid }) => pid)
    .slice(0, 3)
}

async function counted(metricsUrl: string, name: string): Promise<number> {
  const text = await (await fetch(metricsUrl)).text()
  const values = text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`))
    .map((line) => Number(line.split(' ').at(-1)))
  return values.reduce((sum, value) => sum + value, 0)
}
