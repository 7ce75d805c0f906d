// The dashboard of a big mesh: 1,000 services in 20 namespaces, 5,000 busy edges.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import { chromium, type Browser, type Page } from 'playwright-core'

import { namespaces, services, startBigMeshPage, type BigMeshPage } from '../kit/big-mesh-page.ts'
import { executablePath, withoutChromium } from '../kit/chromium.ts'
import { goodLoad, loadPage, type PageLoad } from '../kit/page-load.ts'
import { takePicture } from '../kit/whole-page.ts'

const skip = withoutChromium
/** Others may be at work on the same processors: only what is slow each time is the page's own. */
const mostTries = 4
const longestFrameMs = 200

let mesh: BigMeshPage | undefined
let browser: Browser | undefined

before(async () => {
  if (skip !== false) return
  mesh = await startBigMeshPage()
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
})

after(async () => {
  await browser?.close()
  await mesh?.stop()
})

interface Frames {
  readonly perSecond: number
  readonly longestMs: number
}

/** While at least two updates come. */
function watchFrames(page: Page): Promise<Frames> {
  return page.evaluate<Frames>(`new Promise((done) => {
    const start = performance.now()
    let frames = 0
    let before = start
    let longestMs = 0
    const next = () => {
      const now = performance.now()
      frames++
      longestMs = Math.max(longestMs, now - before)
      before = now
      if (now - start > 6_000) done({ perSecond: (frames * 1_000) / (now - start), longestMs })
      else requestAnimationFrame(next)
    }
    requestAnimationFrame(next)
  })`)
}

async function untilGood<T>(measure: () => Promise<T>, isGood: (measured: T) => boolean): Promise<T> {
  let measured = await measure()
  for (let tries = 1; tries < mostTries && !isGood(measured); tries++) measured = await measure()
  return measured
}

describe('the dashboard of a big mesh', { skip }, () => {
  it('shows namespaces, opens one, finds a service, and does not stall', async () => {
    const page = await (browser as Browser).newPage({ viewport: { width: 1440, height: 900 } })
    await page.goto(mesh?.url ?? '')
    await page.locator('.card').first().waitFor()
    assert.equal(await page.locator('.card').count(), namespaces)
    const { perSecond } = await watchFrames(page)
    assert.ok(perSecond > 30, `${perSecond} frames a second`)
    await takePicture(page, 'big-mesh')
    await page.locator('.react-flow__node[aria-label^="namespace ns-7,"]').click()
    await page.getByRole('link', { name: 'Open ns-7' }).click()
    await page.locator('.react-flow__node[aria-label^="service s-7 in ns-7"]').waitFor({ state: 'attached' })
    await page.keyboard.press('/')
    await page.keyboard.type('s-777')
    await page.getByRole('option', { selected: true, name: /ns-17\/s-777/ }).waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 's-777' }).waitFor()
  })

  it('is interactive within a second of a cold load', async () => {
    const limits = { interactiveMs: 1_000, answeredMs: 1_000, blockingMs: 200, layoutShift: 0.1, bytes: 300_000 }
    const url = mesh?.url ?? ''
    const good = await goodLoad(() => loadPage(browser as Browser, url, '.react-flow__node', '.side .figures'), limits)
    for (const [figure, limit] of Object.entries(limits))
      assert.ok(good[figure as keyof PageLoad] < limit, JSON.stringify(good))
    assert.ok(good.bytes > 20_000)
  })

  it('moves on with all services opened while every edge changes', async () => {
    const page = await (browser as Browser).newPage({ viewport: { width: 1440, height: 900 } })
    await page.goto(mesh?.url ?? '')
    await page.getByRole('button', { name: 'All services' }).click()
    await page.locator('.react-flow__node[aria-label^="service s-777 in ns-17"]').waitFor({ state: 'attached' })
    assert.equal(await page.locator('.react-flow__node').count(), services)
    const firstSummary = await page.locator('.summary').textContent()
    const watched = await untilGood(
      () => watchFrames(page),
      ({ perSecond, longestMs }) => perSecond > 30 && longestMs < longestFrameMs,
    )
    await page
      .locator('.summary')
      .filter({ hasNotText: firstSummary ?? '' })
      .waitFor()
    assert.ok(watched.perSecond > 30, JSON.stringify(watched))
    assert.ok(watched.longestMs < longestFrameMs, JSON.stringify(watched))
    await takePicture(page, 'big-mesh-all')
    // what is painted can be chosen by its nodes
    await page.locator('.react-flow__node[aria-label^="service s-500 in ns-0"]').focus()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 2, name: 's-500' }).waitFor()
    await page.locator('.react-flow__edge[aria-label^="s-500 calls s-"]').first().waitFor({ state: 'attached' })
  })

  it('shows the worst edges of a table, and more on demand', async () => {
    const page = await (browser as Browser).newPage({ viewport: { width: 1440, height: 900 } })
    await page.goto(mesh?.url ?? '')
    await page.getByRole('button', { name: 'Table' }).click()
    const rows = page.locator('tbody tr')
    await rows.nth(199).waitFor()
    assert.equal(await rows.count(), 200)
    assert.match(await rows.first().innerText(), /503/)
    const watched = await untilGood(
      () => watchFrames(page),
      ({ perSecond, longestMs }) => perSecond > 30 && longestMs < longestFrameMs,
    )
    assert.ok(watched.perSecond > 30 && watched.longestMs < longestFrameMs, JSON.stringify(watched))
    await page.getByRole('button', { name: 'Show more' }).click()
    await rows.nth(399).waitFor()
  })
})
