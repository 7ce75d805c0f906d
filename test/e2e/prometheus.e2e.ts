// Debian's prometheus scrapes a running mesh, under Heddle's names and under Istio's, and counts what was sent.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { Server } from 'node:net'
import { dirname, join } from 'node:path'
import { after, before, it } from 'node:test'

import { chromium, type Browser, type Page } from 'playwright-core'

import { executablePath, withoutChromium } from '../kit/chromium.ts'
import { clientAndApp } from '../kit/client-and-app.ts'
import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { send } from '../kit/http-client.ts'
import { processTree } from '../kit/process-tree.ts'
import { Prometheus, withoutPrometheus } from '../kit/prometheus.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

let mesh: RunningMesh
let file = ''
let prometheus: Prometheus | undefined
let api = ''
let server: Server | undefined
const sent = { ok: 230, missing: 17 }

before(async () => {
  if (withoutPrometheus !== false) return
  const [app, port] = (await freePorts(2)) as [number, number]
  server = await listenOn(
    app,
    createServer((request, response) => {
      response.statusCode = request.url === '/missing' ? 404 : 200
      response.end('x'.repeat(10))
    }),
  )
  file = await meshFile(`${clientAndApp(app)}
apiVersion: heddle.dev/v1alpha1
kind: ExternalService
metadata: { name: otel }
spec: { hosts: [otel.example], ports: [{ port: 4317, protocol: grpc }], resolution: static, endpoints: [{ address: 127.0.0.1 }] }
---
apiVersion: heddle.dev/v1alpha1
kind: MeshConfig
metadata: { name: mesh }
spec:
  extensionProviders: [{ name: otlp, opentelemetry: { service: otel.example, port: 4317 } }]
  tracing: { provider: { name: otlp }, randomSamplingPercentage: 100 }
`)
  api = `127.0.0.1:${port}`
  mesh = await startMesh({ files: [file], args: ['--prometheus', `http://${api}`], dashboard: true })
  const targets = ['client', 'app'].map((name) => new URL(mesh.workload(name).metricsUrl).host)
  const paths = ['/metrics', '/stats/prometheus']
  prometheus = await Prometheus.start({ port, targets, paths, feature: 'exemplar-storage' })
  const { address } = mesh.workload('client').services.find((one) => one.name === 'app') ?? { address: '' }
  for (let i = 0; i < sent.ok; i++) await send({ address, target: '/' })
  for (let i = 0; i < sent.missing; i++) await send({ address, target: '/missing' })
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

function untilCounted(expression: string, expected: number): Promise<void> {
  return eventually(async () => assert.equal(await query(expression), expected, expression), 15_000)
}

it('counts every request once for each side', { skip: withoutPrometheus }, async () => {
  for (const reporter of ['source', 'destination']) {
    await untilCounted(`sum(heddle_requests_total{reporter="${reporter}",code="200"})`, sent.ok)
    await untilCounted(`sum(heddle_requests_total{reporter="${reporter}",code="404"})`, sent.missing)
    await untilCounted(`sum(heddle_request_duration_seconds_count{reporter="${reporter}"})`, sent.ok + sent.missing)
  }
  assert.ok((await query('histogram_quantile(0.99, sum by (le) (heddle_request_duration_seconds_bucket))')) < 10)
})

it("answers the queries of Istio's dashboards", { skip: withoutPrometheus }, async () => {
  const service = 'destination_service="app.default.svc.cluster.local"'
  await untilCounted(`sum(istio_requests_total{reporter="source",${service},response_code!~"5.*"})`, 247)
  await untilCounted(
    'sum(istio_requests_total{reporter="destination",connection_security_policy="mutual_tls",source_workload="client"})',
    247,
  )
  await untilCounted('sum(istio_response_bytes_sum{reporter="source"})', 2_470)
  assert.ok(
    (await query(
      `histogram_quantile(0.5, sum by (le) (istio_request_duration_milliseconds_bucket{reporter="source",${service}}))`,
    )) > 0,
  )
})

interface Series {
  readonly history?: { readonly problem?: string }
  readonly knownSinceMs: number
  readonly points: readonly { readonly requests: number; readonly durationMs?: { readonly p50: number } }[]
}

async function series(): Promise<Series> {
  const stepMs = 60_000
  const toMs = Math.ceil(Date.now() / stepMs) * stepMs
  const { host } = new URL(mesh.state.adminUrl)
  const headers = { authorization: `Bearer ${mesh.state.adminToken}` }
  const target = `/v1/series?service=default/app&fromMs=${toMs - 15 * stepMs}&toMs=${toMs}&stepMs=${stepMs}`
  return JSON.parse((await send({ address: host, target, headers })).body) as Series
}

it(
  'remembers for a control plane that starts anew what that knew before',
  { skip: withoutPrometheus, timeout: 150_000 },
  async () => {
    const more = 120
    const { address } = mesh.workload('client').services.find((one) => one.name === 'app') ?? { address: '' }
    for (let i = 0; i < more; i++) await send({ address, target: '/' })
    await untilCounted('sum(heddle_requests_total{reporter="source"})', sent.ok + sent.missing + more)
    const killedMs = Date.now()
    const controlPlane = (await processTree(mesh.pid)).find(({ command }) => command.includes('control-plane'))
    assert.ok(controlPlane !== undefined)
    process.kill(controlPlane.pid, 'SIGKILL')
    // rates are of whole minutes: the one that is under way has to end
    await eventually(async () => {
      const { history, knownSinceMs, points } = await series()
      assert.deepEqual(history, { source: 'prometheus' })
      assert.ok(knownSinceMs < killedMs)
      const requests = points.reduce((sum, point) => sum + point.requests, 0)
      // a rate does not see what was there at the first scrape, and what it sees it stretches a little
      assert.ok(requests > more * 0.8 && requests < (sent.ok + sent.missing + more) * 1.2, `${requests} requests`)
      assert.ok(points.some(({ durationMs }) => durationMs !== undefined && durationMs.p50 > 0))
    }, 120_000)
  },
)

/** In a browser, where there is one. */
class ServicePage {
  readonly #browser: Browser | undefined
  readonly #page: Page | undefined

  constructor(browser?: Browser, page?: Page) {
    this.#browser = browser
    this.#page = page
  }

  static async open({ state }: RunningMesh, service: string): Promise<ServicePage> {
    if (withoutChromium !== false) return new ServicePage()
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
    const page = await browser.newPage()
    await page.goto(state.dashboardUrl ?? '')
    await page.goto(new URL(`#/service/${service}`, state.dashboardUrl).href)
    return new ServicePage(browser, page)
  }

  async lookBack(time: string): Promise<void> {
    await this.#page?.getByLabel('Charts of').selectOption(time)
  }

  /** Of the history; empty: it is there. */
  async says(): Promise<string> {
    return (await this.#page?.getByRole('status').filter({ hasText: 'nothing is known' }).allInnerTexts())?.join() ?? ''
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser?.close()
  }
}

it('has exemplars that name traces', { skip: withoutPrometheus }, async () => {
  await eventually(async () => {
    const now = Date.now() / 1_000
    const target = `/api/v1/query_exemplars?query=heddle_request_duration_seconds_bucket&start=${now - 600}&end=${now + 60}`
    const { body } = await send({ address: api, target })
    assert.match(body, /"trace_id":"[0-9a-f]{32}"/)
  }, 15_000)
})

it('has alerts that fire when they should', { skip: withoutPrometheus }, () => {
  const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', 'alerts.test.yaml'], {
    cwd: join(import.meta.dirname, '../../docs/observability'),
    encoding: 'utf8',
  })
  assert.equal(status, 0, stdout + stderr)
})

async function complaints(target: string): Promise<string[]> {
  const { body } = await send({ address: new URL(mesh.workload('client').metricsUrl).host, target })
  const { stderr } = spawnSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' })
  return stderr.split('\n').filter((line) => line !== '')
}

it(
  'serves what promtool has nothing against, but for the unit that Istio has chosen',
  { skip: withoutPrometheus },
  async () => {
    assert.deepEqual(await complaints('/metrics'), [])
    assert.deepEqual(await complaints('/stats/prometheus'), [
      'istio_request_duration_milliseconds use base unit "seconds" instead of "milliseconds"',
    ])
  },
)

it('is missed with a word, not with a page that hangs', { skip: withoutPrometheus }, async () => {
  assert.equal((await series()).history?.problem, undefined)
  await using page = await ServicePage.open(mesh, 'default/app')
  await page.lookBack('7 days')
  assert.equal(await page.says(), '')
  prometheus?.process.kill('SIGSTOP')
  const begin = performance.now()
  const silent = await series()
  assert.ok(performance.now() - begin < 6_000)
  assert.equal(silent.history?.problem, 'Prometheus cannot be asked: no answer within 3 s')
  assert.equal(silent.points.length, 15)
  prometheus?.process.kill('SIGKILL')
  await eventually(async () => {
    assert.match((await series()).history?.problem ?? '', /^Prometheus cannot be asked: connect ECONNREFUSED/)
  }, 10_000)
  if (withoutChromium !== false) return
  await page.lookBack('1 day')
  await eventually(async () => assert.match(await page.says(), /nothing is known\. Prometheus cannot be asked/), 10_000)
})
