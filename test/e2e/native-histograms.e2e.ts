// Debian's prometheus takes native histograms where the mesh counts them, and agrees with what was sent.
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { Server } from 'node:net'
import { dirname } from 'node:path'
import { after, before, it } from 'node:test'

import { clientAndApp } from '../kit/client-and-app.ts'
import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { send } from '../kit/http-client.ts'
import { Prometheus, withoutPrometheus } from '../kit/prometheus.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

let mesh: RunningMesh
let file = ''
let prometheus: Prometheus | undefined
let server: Server | undefined
const requests = 120

before(async () => {
  if (withoutPrometheus !== false) return
  const [app, port] = (await freePorts(2)) as [number, number]
  server = await listenOn(
    app,
    createServer((_, response) => response.end('x')),
  )
  file = await meshFile(`${clientAndApp(app)}
apiVersion: heddle.dev/v1alpha1
kind: MeshConfig
metadata: { name: mesh }
spec: { metrics: { histograms: exponential } }
`)
  mesh = await startMesh({ files: [file] })
  const targets = ['client', 'app'].map((name) => new URL(mesh.workload(name).metricsUrl).host)
  prometheus = await Prometheus.start({ port, targets, paths: ['/metrics'], feature: 'native-histograms' })
  const { address } = mesh.workload('client').services.find((one) => one.name === 'app') ?? { address: '' }
  for (let i = 0; i < requests; i++) await send({ address, target: '/' })
})

after(async () => {
  await prometheus?.stop()
  await mesh?.stop()
  server?.close()
  if (file !== '') await rm(dirname(file), { recursive: true, force: true })
})

function query(expression: string): Promise<number> {
  return prometheus?.query(expression) ?? assert.fail('there is no prometheus')
}

it('counts and sums what the metrics in text do', { skip: withoutPrometheus }, async () => {
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

it('has quantiles as exact as its buckets are narrow', { skip: withoutPrometheus }, async () => {
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
