// Debian's prometheus takes native histograms where the mesh counts them, and agrees with what was sent.
import assert from 'node:assert/strict'
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { Server } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, it } from 'node:test'

import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { send } from '../kit/http-client.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

const missing = spawnSync('prometheus', ['--version']).status !== 0
const skip = missing ? 'prometheus is not installed (apt-get install prometheus)' : false

let mesh: RunningMesh
let file = ''
let folder = ''
let prometheus: ChildProcess | undefined
let api = ''
let server: Server | undefined
const requests = 120

before(async () => {
  if (missing) return
  const [app, port] = (await freePorts(2)) as [number, number]
  server = await listenOn(
    app,
    createServer((_, response) => response.end('x')),
  )
  file = await meshFile(`
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: client }
spec: { serviceAccount: client }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: app, labels: { app: app } }
spec: { serviceAccount: app, address: 127.0.0.1, ports: [{ name: http, port: ${app} }] }
---
apiVersion: v1
kind: Service
metadata: { name: app }
spec: { selector: { app: app }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: heddle.dev/v1alpha1
kind: MeshConfig
metadata: { name: mesh }
spec: { metrics: { histograms: exponential } }
`)
  mesh = await startMesh({ files: [file] })
  folder = await mkdtemp(join(tmpdir(), 'heddle-native-'))
  const targets = ['client', 'app'].map((name) => new URL(mesh.workload(name).metricsUrl).host)
  await writeFile(
    join(folder, 'prometheus.yml'),
    JSON.stringify({
      global: { scrape_interval: '500ms', scrape_timeout: '500ms' },
      scrape_configs: [{ job_name: 'heddle', static_configs: [{ targets }] }],
    }),
  )
  api = `127.0.0.1:${port}`
  prometheus = spawn(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${api}`,
      '--enable-feature=native-histograms',
      '--log.level=error',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  await eventually(async () => assert.equal((await send({ address: api, target: '/-/ready' })).status, 200), 20_000)
  const { address } = mesh.workload('client').services.find((one) => one.name === 'app') ?? { address: '' }
  for (let i = 0; i < requests; i++) await send({ address, target: '/' })
})

after(async () => {
  prometheus?.kill()
  await mesh?.stop()
  server?.close()
  for (const one of [folder, file === '' ? '' : dirname(file)])
    if (one !== '') await rm(one, { recursive: true, force: true })
})

async function query(expression: string): Promise<number> {
  const { body } = await send({ address: api, target: `/api/v1/query?query=${encodeURIComponent(expression)}` })
  const { data } = JSON.parse(body) as { data: { result: { value: [number, string] }[] } }
  return Number(data.result[0]?.value[1] ?? Number.NaN)
}

it('counts and sums what the metrics in text do', { skip }, async () => {
  const { body } = await send({ address: new URL(mesh.workload('client').metricsUrl).host, target: '/metrics' })
  const told = Number(/^heddle_request_duration_seconds_sum\{.*reporter="source".*\} (.*)$/m.exec(body)?.[1])
  const series = 'heddle_request_duration_seconds{reporter="source"}'
  await eventually(async () => {
    assert.equal(await query(`histogram_count(sum(${series}))`), requests)
    const sum = await query(`histogram_sum(sum(${series}))`)
    assert.ok(Math.abs(sum - told) < 1e-9, `${sum} is not ${told}`)
  }, 20_000)
  assert.equal(await query(`sum(heddle_requests_total{reporter="source"})`), requests)
})

it('has quantiles as exact as its buckets are narrow', { skip }, async () => {
  const { body } = await send({ address: new URL(mesh.workload('client').metricsUrl).host, target: '/metrics' })
  const buckets = [
    ...body.matchAll(/^heddle_request_duration_seconds_bucket\{.*reporter="source".*le="(.*)"\} (\d+)$/gm),
  ]
  const half = buckets.findIndex(([, , upTo]) => Number(upTo) >= requests / 2)
  const median = await query('histogram_quantile(0.5, sum(heddle_request_duration_seconds{reporter="source"}))')
  // the bucket of the fixed bounds that it is in, and 9 % at either end for those of the exponential ones
  const [low, high] = [Number(buckets[half - 1]?.[1] ?? 0), Number(buckets[half]?.[1])]
  assert.ok(median > low / 1.1 && median < high * 1.1, `${median} is between ${low} and ${high}`)
})
