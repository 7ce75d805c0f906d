// The dashboard of a big mesh: 1,000 services in 20 namespaces, 5,000 busy edges.
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'

import { chromium, type Browser } from 'playwright-core'

import { WorkloadStatuses } from '../../src/control/api/workload-statuses.ts'
import { KeptRequests } from '../../src/control/telemetry/kept-requests.ts'
import { MeshEvents } from '../../src/control/telemetry/mesh-events.ts'
import { ObservedTraffic } from '../../src/control/telemetry/observed-traffic.ts'
import { PassedOverEndpoints } from '../../src/control/telemetry/passed-over.ts'
import { ProxyCertificates } from '../../src/control/telemetry/proxy-certificates.ts'
import { systemClock as clock, type Timer } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { readPageAssets } from '../../src/dashboard-api/page-assets.ts'
import { startPageServer, type PageServer } from '../../src/dashboard-api/page-server.ts'
import { apiAccess } from '../kit/api-access.ts'
import { executablePath, withoutChromium } from '../kit/chromium.ts'
import { runCommand } from '../kit/run-command.ts'
import { sampleService, sampleSnapshot, sampleWorkload } from '../kit/sample-snapshot.ts'

const root = join(import.meta.dirname, '../..')
const skip = withoutChromium
const services = 1_000
const namespaces = 20
const edges = 5_000

let server: PageServer | undefined
let browser: Browser | undefined
let timer: Timer | undefined

before(async () => {
  if (skip !== false) return
  await runCommand(join(root, 'tools/build-dashboard'), [])
  const assets = readPageAssets(join(root, 'build/dashboard'))
  assert.ok(assets, 'the page is built')
  const traffic = new ObservedTraffic({ clock })
  const count = (): void => {
    for (let edge = 0; edge < edges; edge++) traffic.observed(seriesOf(edge), [0, 0, 5, 3, 1])
    timer = clock.setTimer(1_000, count)
  }
  count()
  const statuses = new WorkloadStatuses()
  const all = Array.from({ length: services }, (_, index) => index)
  statuses.replace(all.map((index) => ({ kind: 'sidecar', ...workloadOf(index), state: 'ready', restarts: 0 })))
  const [port] = sampleService('any').ports
  const snapshot = sampleSnapshot(
    all.map((index) => sampleWorkload(workloadOf(index).name, { namespace: workloadOf(index).namespace })),
    all.map((index) => {
      const { namespace, name } = workloadOf(index)
      const endpoint = { kind: 'workload', workload: `${namespace}/${name}`, port: 80, weight: 1 } as const
      return sampleService(`s-${index}`, {
        namespace,
        ports: port === undefined ? [] : [{ ...port, endpoints: [endpoint] }],
      })
    }),
  )
  const readApi = {
    clock,
    snapshot: () => snapshot,
    traffic,
    events: new MeshEvents(clock),
    statuses,
    proxies: () => [],
    proxyCertificates: new ProxyCertificates(),
    passedOver: new PassedOverEndpoints(),
    requests: new KeptRequests(),
    authorityCertificates: () => [],
    problems: () => [],
    documents: () => [],
    revisions: () => Promise.resolve([]),
  }
  const deps = { assets, readApi, token: 'of-the-page', ...apiAccess({}), logger: silentLogger }
  server = await startPageServer(deps, '127.0.0.1', 0)
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
})

after(async () => {
  timer?.cancel()
  await browser?.close()
  await server?.stop()
})

function workloadOf(index: number): { readonly namespace: string; readonly name: string } {
  return { namespace: `ns-${index % namespaces}`, name: `w-${index}` }
}

/** Each calls some of the sixty that follow. */
function seriesOf(edge: number) {
  const from = Math.floor((edge * services) / edges)
  const to = Math.min(services - 1, from + 1 + ((edge * 37) % 60))
  const [source, target] = [workloadOf(from), workloadOf(to)]
  return {
    reporter: 'source',
    source: `${source.namespace}/${source.name}`,
    sourcePrincipal: `spiffe://mesh.local/ns/${source.namespace}/sa/${source.name}`,
    service: `s-${to}.${target.namespace}.svc.cluster.local`,
    workload: `${target.namespace}/${target.name}`,
    route: 'any',
    protocol: 'http',
    mtls: true,
    code: edge % 97 === 0 ? '503' : '200',
    grpcStatus: '',
  } as const
}

describe('the dashboard of a big mesh', { skip }, () => {
  it('shows namespaces, opens one, finds a service, and does not stall', async () => {
    const page = await (browser as Browser).newPage({ viewport: { width: 1440, height: 900 } })
    await page.goto(`${server?.url}/#token=of-the-page`)
    await page.locator('.card').first().waitFor()
    assert.equal(await page.locator('.card').count(), namespaces)
    const framesPerSecond = await page.evaluate<number>(`new Promise((done) => {
      const start = performance.now()
      let frames = 0
      const next = (now) => (now - start > 6000 ? done((frames * 1000) / (now - start)) : (frames++, requestAnimationFrame(next)))
      requestAnimationFrame(next)
    })`)
    assert.ok(framesPerSecond > 30, `${framesPerSecond} frames a second`)
    mkdirSync(join(root, 'build/screenshots'), { recursive: true })
    await page.screenshot({ path: join(root, 'build/screenshots/big-mesh.png') })
    await page.locator('.react-flow__node[aria-label^="namespace ns-7,"]').click()
    await page.getByRole('link', { name: 'Open ns-7' }).click()
    await page.locator('.react-flow__node[aria-label^="service s-7 in ns-7"]').waitFor({ state: 'attached' })
    await page.keyboard.press('/')
    await page.keyboard.type('s-777')
    await page.getByRole('option', { selected: true, name: /ns-17\/s-777/ }).waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 's-777' }).waitFor()
  })
})
