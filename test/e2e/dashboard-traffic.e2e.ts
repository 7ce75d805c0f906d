// A fault that somebody put into one service is found: by the page, from the topology to a request and the event that caused it; and by the terminal.
// Screenshots go to build/screenshots.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { Server } from 'node:net'
import { dirname } from 'node:path'
import { after, before, describe, it } from 'node:test'

import { chromium, type Browser, type Page } from 'playwright-core'

import type { RequestList } from '../../src/contracts/read-api.ts'
import { executablePath, withoutChromium } from '../kit/chromium.ts'
import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { send, sendThroughProxy } from '../kit/http-client.ts'
import { runCommand } from '../kit/run-command.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { takePicture } from '../kit/whole-page.ts'

const launcher = new URL('../../heddle', import.meta.url).pathname
const axe = readFileSync(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8')
const skip = withoutChromium
const fault = '  faults: { abort: { percent: 100, httpStatus: 503 } }\n'

let mesh: RunningMesh | undefined
let file = ''
let browser: Browser | undefined
const calling = new AbortController()
let calls = Promise.resolve()
const applications: Server[] = []

function service(name: string, port: number): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name}-1, labels: { app: ${name} } }
spec: { serviceAccount: ${name}, address: 127.0.0.1, ports: [{ name: http, port: ${port} }] }
---`
}

function documents(web: number, store: number): string {
  return `${service('web', web)}${service('store', store)}
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: client }
spec: { serviceAccount: client }
---
apiVersion: heddle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: store }
spec:
  targetRefs: [{ kind: Service, name: store }]
`
}

before(async () => {
  if (skip !== false) return
  const [web = 0, store = 0] = await freePorts(2)
  let outboundProxy = ''
  applications.push(
    await listenOn(
      store,
      createServer((_, response) => response.end('stored')),
    ),
    await listenOn(
      web,
      createServer(({ headers }, response) => void answerAs(outboundProxy, headers['x-request-id'], response)),
    ),
  )
  file = await meshFile(documents(web, store))
  mesh = await startMesh({ files: [file], dashboard: true })
  outboundProxy = mesh.workload('web-1').outboundProxy
  const address = mesh.workload('client').services.find(({ name }) => name === 'web')?.address
  calls = callOn(address ?? 'missing.invalid')
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
})

after(async () => {
  if (skip !== false) return
  calling.abort()
  await calls
  await browser?.close()
  await mesh?.stop()
  for (const application of applications) application.close()
  await rm(dirname(file), { recursive: true, force: true })
})

/** Whatever it answers, some 20 requests a second. */
async function callOn(address: string): Promise<void> {
  while (!calling.signal.aborted) {
    await send({ address, target: '/cart?token=s3cret' }).catch(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** `web` answers as `store` does, and tells it for which request it asks. */
async function answerAs(proxy: string, id: string | string[] | undefined, response: ServerResponse): Promise<void> {
  const headers = { 'x-request-id': String(id) }
  const { status } = await sendThroughProxy(proxy, 'http://store/cart', { headers }).catch(() => ({ status: 502 }))
  response.statusCode = status
  response.end('page')
}

describe('traffic as it happens', { skip }, () => {
  it('is shown while somebody looks, filtered and paused; one request opens as a waterfall of its hops', async () => {
    const context = await (browser as Browser).newContext({
      viewport: { width: 1440, height: 900 },
      reducedMotion: 'reduce',
    })
    const page = await context.newPage()
    await page.goto(mesh?.state.dashboardUrl ?? '')
    await page.getByRole('link', { name: 'Traffic' }).click()
    await page.getByRole('button', { name: 'Live' }).click()
    const rows = page.locator('table.requests tbody tr')
    await rows.filter({ hasText: 'default/client' }).filter({ hasText: 'GET /cart?token=***' }).first().waitFor()
    await page.getByText('3 proxies tell.').waitFor()
    assert.ok(!(await page.content()).includes('s3cret'))

    await page.getByLabel('Service').selectOption('default/store')
    const where = page.getByLabel('Where')
    await where.fill('reporter == "source" && response.status == 200.0')
    await where.press('Enter')
    await eventually(async () => {
      const texts = await rows.allInnerTexts()
      assert.ok(texts.length > 5)
      for (const text of texts)
        assert.match(text, /default\/web-1\s+default\/store-1[\s\S]*200[\s\S]*default\/web-1 source/)
    }, 15_000)
    await takePicture(page, 'traffic-live')
    assert.deepEqual(await violations(page), [])

    const left = page.waitForEvent('requestfailed', (request) => request.url().includes('/v1/tap'))
    await page.getByRole('button', { name: 'Pause' }).click()
    await left
    const texts = await rows.allInnerTexts()
    await page.getByText('Paused.').waitFor()
    assert.deepEqual(await rows.allInnerTexts(), texts)
    await where.fill('response.stauts == 200')
    await where.press('Enter')
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.getByText('"response.stauts" is not known').waitFor()

    // without a filter all hops of a request come, and nothing went wrong at any
    await page.goto(`${new URL('/', page.url()).href}#/traffic?live=yes`)
    await eventually(async () => {
      await rows.filter({ hasText: 'default/client' }).last().getByRole('link').click({ timeout: 1_000 })
      await page.getByRole('list', { name: 'Hops' }).getByRole('listitem').nth(3).waitFor({ timeout: 1_000 })
    }, 15_000).catch(async (error: unknown) => {
      throw new Error(await page.locator('main').innerText(), { cause: error })
    })
    await context.close()
  })
})

describe('a fault that somebody put into one service', { skip }, () => {
  it('is found by the page: from the topology to a request, its hop, and the event that caused it', async () => {
    const context = await (browser as Browser).newContext({
      viewport: { width: 1440, height: 900 },
      reducedMotion: 'reduce',
    })
    const page = await context.newPage()
    const complaints: string[] = []
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.goto(mesh?.state.dashboardUrl ?? '')
    await page.locator('.react-flow__edge[aria-label^="web calls store, healthy"]').waitFor({ state: 'attached' })
    await writeFile(file, `${await readFile(file, 'utf8')}${fault}`)

    const edge = page.locator('.react-flow__edge[aria-label^="web calls store, failing"]')
    await edge.waitFor({ state: 'attached', timeout: 20_000 })
    await edge.focus()
    await page.keyboard.press('Enter')
    await page
      .getByRole('complementary', { name: 'Details' })
      .getByRole('link', { name: 'Failed requests' })
      .press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Traffic' }).waitFor()
    assert.equal(await page.getByLabel('Service').inputValue(), 'default/store')
    const row = page.getByRole('row').filter({ hasText: 'default/client' }).filter({ hasText: 'FI' }).first()
    await row.waitFor({ timeout: 20_000 })
    await takePicture(page, 'traffic')
    assert.deepEqual(await violations(page), [])
    await row.getByRole('link').press('Enter')

    const hops = page.getByRole('list', { name: 'Hops' })
    await hops.waitFor()
    assert.match(
      await hops.innerText(),
      /default\/client → default\/web-1[\s\S]*default\/web-1 got it by mTLS[\s\S]*default\/web-1 → store\.[\s\S]*503[\s\S]*FI/,
    )
    await hops.getByText(/^FI: /).waitFor()
    await page.getByText(/revision \d+ changes TrafficPolicy\/default\/store/).waitFor()
    assert.ok(!(await page.content()).includes('s3cret'))
    await takePicture(page, 'request')
    assert.deepEqual(await violations(page), [])
    assert.deepEqual(complaints, [])
    await context.close()
  })

  it('is found by the terminal', async () => {
    const { requests } = await eventually(async () => {
      const { stdout } = await heddle('trace', '--service', 'store', '--flag', 'FI', '--count', '1', '-o', 'json')
      const list = JSON.parse(stdout) as RequestList
      assert.equal(list.requests[0]?.hops, 3)
      return list
    }, 10_000)
    const { stdout } = await heddle('trace', requests[0]?.id ?? '')
    assert.match(stdout, /default\/web-1 → store\.default\S* 503 FI\n +why: FI: /)
  })
})

function heddle(...args: readonly string[]): ReturnType<typeof runCommand> {
  return runCommand(launcher, [...args, '--state-dir', mesh?.stateDir ?? ''])
}

/** Each violation of WCAG 2.1 AA, in a line. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe)
  return page.evaluate(async () => {
    const { axe: checker } = globalThis as unknown as {
      axe: { run(options: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
    }
    const found = await checker.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] })
    return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`)
  })
}
