// The dashboard in a real browser: from a red edge to the service, the workload and the change that caused it; by keyboard alone; dark and light.
// Screenshots go to build/screenshots.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { Server } from 'node:net'
import { dirname } from 'node:path'
import { after, before, describe, it } from 'node:test'

import { chromium, type Browser, type Page } from 'playwright-core'

import { executablePath, withoutChromium } from '../kit/chromium.ts'
import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { send, sendThroughProxy } from '../kit/http-client.ts'
import { goodLoad, loadPage, type PageLoad } from '../kit/page-load.ts'
import { processTree } from '../kit/process-tree.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { takePicture } from '../kit/whole-page.ts'

const axe = readFileSync(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8')
const skip = withoutChromium

/** Each, and what is there when it has its answers. */
const pagesToSee = [
  ['topology', '.card'],
  ['topology?view=table', 'table'],
  ['services', 'table'],
  ['service/back/store', '.chart canvas'],
  ['workloads', 'table'],
  ['workload/back/store-1', '.chart canvas'],
  ['events', '.events'],
  ['configuration', 'table'],
  ['security', 'table'],
] as const

let mesh: RunningMesh | undefined
let file = ''
let browser: Browser | undefined
const calling = new AbortController()
let calls = Promise.resolve()
const applications: Server[] = []
/** Of `store`: what the test makes it answer. */
let status = 200

function documents(webPort: number, storePort: number): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: web, labels: { app: web } }
spec: { serviceAccount: web, address: 127.0.0.1, ports: [{ name: http, port: ${webPort} }] }
---
apiVersion: v1
kind: Service
metadata: { name: store, namespace: back }
spec: { selector: { app: store }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: store-1, namespace: back, labels: { app: store } }
spec: { serviceAccount: store, address: 127.0.0.1, ports: [{ name: http, port: ${storePort} }] }
---
apiVersion: heddle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: store, namespace: back }
spec:
  targetRefs: [{ kind: Service, name: store }]
  connectTimeout: 2s
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: client }
spec: { serviceAccount: client }
`
}

before(async () => {
  if (skip !== false) return
  const [webPort = 0, storePort = 0] = await freePorts(2)
  applications.push(
    await listenOn(
      storePort,
      createServer((_, response) => {
        response.statusCode = status
        response.end('stored')
      }),
    ),
  )
  let storeAddress = ''
  applications.push(
    await listenOn(
      webPort,
      createServer((_, response) => void answerAs(storeAddress, response)),
    ),
  )
  file = await meshFile(documents(webPort, storePort))
  mesh = await startMesh({ files: [file], dashboard: true })
  storeAddress = mesh.workload('web').outboundProxy
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

/** Whatever it answers, some 40 requests a second. */
async function callOn(address: string): Promise<void> {
  while (!calling.signal.aborted) {
    await send({ address, target: '/' }).catch(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

/** `web` answers as `store` does, which it asks through its sidecar. */
async function answerAs(outboundProxy: string, response: ServerResponse): Promise<void> {
  try {
    response.statusCode = (await sendThroughProxy(outboundProxy, 'http://store.back/')).status
  } catch {
    response.statusCode = 502
  }
  response.end('page')
}

interface Opened extends AsyncDisposable {
  readonly page: Page
  /** What the browser complained of: errors, refusals by the policy, failed requests. */
  readonly complaints: string[]
}

async function open(where = '', colorScheme: 'dark' | 'light' = 'dark'): Promise<Opened> {
  const context = await (browser as Browser).newContext({
    viewport: { width: 1440, height: 900 },
    colorScheme,
    reducedMotion: 'reduce',
  })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  const url = mesh?.state.dashboardUrl ?? ''
  page.on('request', (request) => {
    if (!request.url().startsWith(new URL(url).origin)) complaints.push(`asks ${request.url()}`)
  })
  await page.goto(url)
  if (where !== '') await goTo(page, where)
  return {
    page,
    complaints,
    async [Symbol.asyncDispose]() {
      await context.close()
    },
  }
}

/** Where the fragment says. */
async function goTo(page: Page, hash: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(hash)}`)
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

describe('the dashboard', { skip }, () => {
  it('shows who calls whom, live, and asks nobody but its own server', async () => {
    await using opened = await open()
    const { page, complaints } = opened
    await page.getByRole('status').getByText('live', { exact: true }).waitFor()
    assert.equal(new URL(page.url()).hash, '#/topology', 'the token is gone from the address')
    await page
      .locator('.react-flow__edge[aria-label^="client calls web, healthy"][aria-label$="mutual TLS: all"]')
      .waitFor({ state: 'attached' })
    await page.locator('.react-flow__edge[aria-label^="web calls store"]').waitFor({ state: 'attached' })
    await takePicture(page, 'topology-dark')
    assert.deepEqual(complaints, [])
  })

  it('leads from a red edge to the service, and to what was changed', async () => {
    await using opened = await open()
    const { page, complaints } = opened
    const text = await readFile(file, 'utf8')
    await writeFile(file, text.replace('connectTimeout: 2s', 'connectTimeout: 3s'))
    status = 500
    const edge = page.locator('.react-flow__edge[aria-label^="web calls store, failing"]')
    await edge.waitFor({ state: 'attached', timeout: 20_000 })
    // by keyboard: to the edge, and choose it
    await edge.focus()
    await page.keyboard.press('Enter')
    const details = page.getByRole('complementary', { name: 'Details' })
    await details.getByRole('heading', { name: 'web → store' }).waitFor()
    assert.match(await details.innerText(), /failing[\s\S]*500/)
    await takePicture(page, 'topology-failing')
    await details.getByRole('link', { name: 'Open store' }).press('Enter')
    await page.getByRole('heading', { level: 1, name: 'store' }).waitFor()
    await page.getByText('store-1').first().waitFor()
    await page.locator('.chart canvas').nth(2).waitFor()
    await page.getByText(/revision \d+ changes TrafficPolicy\/back\/store/).waitFor()
    await page.getByRole('link', { name: 'TrafficPolicy/back/store', exact: true }).waitFor()
    await page.getByText('As default/web sees them now.').waitFor()
    // the same event, under the curve that it may have bent
    await page
      .getByRole('figure', { name: /^Success/ })
      .getByRole('link', { name: /revision \d+ changes TrafficPolicy\/back\/store/ })
      .waitFor()
    await takePicture(page, 'service')
    status = 200
    assert.deepEqual(complaints, [])
  })

  it('says what is wrong with a document, and when that came', async () => {
    await using opened = await open('#/configuration')
    const { page } = opened
    const text = await readFile(file, 'utf8')
    await writeFile(file, text.replace('connectTimeout:', 'connectTimeot:'))
    await page.getByText('unknown field "connectTimeot"').waitFor({ timeout: 10_000 })
    await takePicture(page, 'configuration')
    await goTo(page, '#/events?kind=problem')
    await page.locator('.events li.error').first().waitFor()
    await takePicture(page, 'events')
    await writeFile(file, text)
    await page
      .getByText(/^solved: /)
      .first()
      .waitFor({ timeout: 10_000 })
  })

  it('shows what a revision changed, line by line', async () => {
    await using opened = await open('#/configuration')
    const { page, complaints } = opened
    const text = await readFile(file, 'utf8')
    await writeFile(file, text.replace(/connectTimeout: \d+s/, 'connectTimeout: 7s'))
    const revision = page.locator('.revisions li').filter({ hasText: 'TrafficPolicy/back/store' }).first()
    await eventually(async () => {
      await page.goto(`${new URL('/', page.url()).href}#/configuration`)
      await revision.getByRole('link').click({ timeout: 1_000 })
      await page.getByRole('heading', { name: 'TrafficPolicy/back/store changed' }).waitFor({ timeout: 1_000 })
      assert.deepEqual(await page.locator('.difference ins').allInnerTexts(), ['+   connectTimeout: 7s'])
    }, 15_000)
    assert.match((await page.locator('.difference del').allInnerTexts()).join(), /^- {3}connectTimeout: [23]s$/)
    assert.match(page.url(), /#\/configuration\/\d+\/\d+$/)
    await takePicture(page, 'difference')
    assert.deepEqual(await violations(page), [])
    // the other way round
    const [from = '', to = ''] = page.url().split('/').slice(-2)
    await goTo(page, `#/configuration/${to}/${from}`)
    await page.locator('.difference del').getByText('connectTimeout: 7s').waitFor()
    await writeFile(file, text)
    assert.deepEqual(complaints, [])
  })

  it('shows what is hostile as text', async () => {
    await using opened = await open('#/configuration')
    const { page, complaints } = opened
    const text = await readFile(file, 'utf8')
    const hostile = '<img src=x onerror=document.title=1>'
    await writeFile(file, text.replace('connectTimeout:', `"${hostile}":`))
    await page.getByText(hostile).first().waitFor({ timeout: 10_000 })
    await goTo(page, '#/events')
    await page.getByText(hostile).first().waitFor()
    assert.equal(await page.locator('img[src="x"]').count(), 0)
    assert.equal(await page.title(), 'Events · Heddle')
    assert.deepEqual(complaints, [])
    await writeFile(file, text)
  })

  it('is searched and walked without a mouse', async () => {
    await using opened = await open('#/services')
    const { page } = opened
    await page.getByRole('heading', { level: 1, name: 'Services' }).waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('store service')
    await page.getByRole('option', { selected: true, name: /back\/store/ }).waitFor()
    await takePicture(page, 'search')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'store' }).waitFor()
    assert.match(page.url(), /#\/service\/back\/store$/)
    await page.keyboard.press('/')
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await goTo(page, '#/topology')
    const node = page.locator('.react-flow__node[aria-label^="service store in back"]')
    await node.waitFor()
    await node.focus()
    await page.keyboard.press('Enter')
    await page.getByRole('complementary', { name: 'Details' }).getByRole('heading', { name: 'store' }).waitFor()
    assert.match(page.url(), /node=service%2Fback%2Fstore/)
    await page.keyboard.press('Escape')
    await page.getByRole('heading', { name: 'What changed' }).waitFor()
  })

  for (const colours of ['dark', 'light'] as const) {
    it(`has no accessibility violation that axe finds, ${colours}`, async () => {
      await using opened = await open('', colours)
      const { page } = opened
      for (const [where, ready] of pagesToSee) {
        await goTo(page, `#/${where}`)
        await page.locator(ready).first().waitFor()
        await takePicture(page, `${where.replaceAll(/[^a-z]+/g, '-')}-${colours}`)
        assert.deepEqual(await violations(page), [], where)
      }
    })
  }

  it('goes on when the control plane comes back, and wants a token from strangers', async () => {
    await using opened = await open()
    const { page } = opened
    await page.locator('.card').first().waitFor()
    const controlPlane = (await processTree(mesh?.pid ?? 0)).find(({ command }) => command.includes('control-plane'))
    process.kill(controlPlane?.pid ?? 0, 'SIGKILL')
    await page.getByRole('status').getByText('trying again').waitFor({ timeout: 10_000 })
    // the same address and the same token
    await page.getByRole('status').getByText('live', { exact: true }).waitFor({ timeout: 20_000 })
    await page.evaluate(() => sessionStorage.clear())
    await page.reload()
    await page.getByRole('heading', { name: 'This page needs a token' }).waitFor()
  })

  it('is interactive within a second of a cold load', async () => {
    const limits = { interactiveMs: 1_000, answeredMs: 1_000, layoutShift: 0.1 }
    const url = mesh?.state.dashboardUrl ?? ''
    const good = await goodLoad(() => loadPage(browser as Browser, url, '.react-flow__node', '.side .figures'), limits)
    for (const [figure, limit] of Object.entries(limits))
      assert.ok(good[figure as keyof PageLoad] < limit, JSON.stringify(good))
  })

  it('does not jump when its answers come', async () => {
    await using opened = await open()
    const { page } = opened
    await page.evaluate(`{
      globalThis.shifted = 0
      new PerformanceObserver((list) => {
        for (const { value } of list.getEntries()) globalThis.shifted += value
      }).observe({ type: 'layout-shift' })
    }`)
    for (const [where, ready] of pagesToSee) {
      await goTo(page, `#/${where}`)
      await page.locator(ready).first().waitFor()
      const shifted = await page.evaluate<number>(`new Promise((done) =>
        requestAnimationFrame(() => requestAnimationFrame(() => done(globalThis.shifted))))`)
      assert.ok(shifted < 0.1, `${where}: ${shifted}`)
    }
  })

  it('is small to load', async () => {
    await using opened = await open('#/services')
    const { page } = opened
    await page.getByRole('heading', { level: 1, name: 'Services' }).waitFor()
    await eventually(async () => {
      const sizes = await page.evaluate<number[]>(`performance.getEntriesByType('resource')
        .filter(({ name }) => /\\.(js|css)$/.test(name) && !name.includes('topology-page'))
        .map(({ encodedBodySize }) => encodedBodySize)`)
      assert.ok(sizes.length >= 2)
      const bytes = sizes.reduce((sum, size) => sum + size, 0)
      assert.ok(bytes > 20_000 && bytes < 300_000, `${bytes} bytes`)
    }, 5_000)
  })
})
