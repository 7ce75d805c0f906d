// One load of the page with nothing cached: when it can be used, as Lighthouse says it, and when it first answered.
import type { Browser } from 'playwright-core'

import { eventually } from './running-mesh.ts'

export interface PageLoad {
  /**
   * Time to interactive: the end of the last long task (50 ms and more) before five seconds without one, from the start of the navigation; at the
   * least when something was painted. https://web.dev/articles/tti
   */
  readonly interactiveMs: number
  /** Total blocking time: what long tasks took beyond 50 ms between the first paint and then. */
  readonly blockingMs: number
  /** When the first input had been handled and its effect was painted: a click on what was awaited, made as soon as it was there. */
  readonly answeredMs: number
  /** Cumulative layout shift: how much of what was shown moved by itself, https://web.dev/articles/cls. */
  readonly layoutShift: number
  /** Compressed, of scripts and styles. */
  readonly bytes: number
}

interface Observed {
  readonly tasks: readonly (readonly [startMs: number, durationMs: number])[]
  readonly paintMs: number
  readonly answeredMs: number
  readonly layoutShift: number
  readonly bytes: number
}

const quietMs = 5_000
const longTaskMs = 50
const mostLoads = 6

/** Clicks on the first element that `awaited` finds, and waits for `effect`. */
export async function loadPage(browser: Browser, url: string, awaited: string, effect: string): Promise<PageLoad> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } })
  try {
    const page = await context.newPage()
    await page.addInitScript(observe(awaited, effect))
    await page.goto(url)
    const observed = await eventually(async () => {
      const found = await page.evaluate<Observed | false>(collect)
      if (found === false) throw new Error('the page has not come to rest')
      return found
    }, 30_000)
    return judge(observed)
  } finally {
    await context.close()
  }
}

/**
 * Others may be at work on the same processors, which makes loads slower, never faster: the first load that is below all `limits`, of so many; else
 * the last.
 */
export async function goodLoad(load: () => Promise<PageLoad>, limits: Partial<PageLoad>): Promise<PageLoad> {
  const isGood = (one: PageLoad): boolean =>
    Object.entries(limits).every(([figure, limit]) => one[figure as keyof PageLoad] < limit)
  let last = await load()
  for (let loads = 1; loads < mostLoads && !isGood(last); loads++) last = await load()
  return last
}

function judge({ tasks, paintMs, ...others }: Observed): PageLoad {
  const long = tasks.filter(([startMs, durationMs]) => durationMs > longTaskMs && startMs + durationMs > paintMs)
  let interactiveMs = paintMs
  let blockingMs = 0
  for (const [startMs, durationMs] of long) {
    if (startMs - interactiveMs >= quietMs) break
    interactiveMs = Math.max(interactiveMs, startMs + durationMs)
    blockingMs += durationMs - longTaskMs
  }
  return { interactiveMs, blockingMs, ...others }
}

/** Runs in the page, before anything of its own. */
function observe(awaited: string, effect: string): string {
  return `{
    const seen = { tasks: [], answeredMs: 0, layoutShift: 0 }
    globalThis.observedLoad = seen
    new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) seen.tasks.push([startTime, duration])
    }).observe({ type: 'longtask', buffered: true })
    new PerformanceObserver((list) => {
      for (const { value, hadRecentInput } of list.getEntries()) if (!hadRecentInput) seen.layoutShift += value
    }).observe({ type: 'layout-shift', buffered: true })
    let clicked = false
    const look = () => {
      const found = document.querySelector(${JSON.stringify(awaited)})
      if (found !== null && !clicked) { clicked = true; found.click() }
      if (clicked && document.querySelector(${JSON.stringify(effect)}) !== null) seen.answeredMs = performance.now()
      else requestAnimationFrame(look)
    }
    requestAnimationFrame(look)
  }`
}

/** What was observed, once everything was quiet for so long. */
const collect = `(() => {
  const { tasks, answeredMs, layoutShift } = globalThis.observedLoad
  const [paint] = performance.getEntriesByName('first-contentful-paint')
  if (paint === undefined || answeredMs === 0) return false
  const [startMs, durationMs] = tasks.at(-1) ?? [0, 0]
  const now = performance.now()
  if (now - Math.max(startMs + durationMs, answeredMs) < ${quietMs} && now < 20_000) return false
  const files = performance.getEntriesByType('resource').filter(({ name }) => /\\.(js|css)$/.test(name))
  const bytes = files.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)
  return { tasks, answeredMs, layoutShift, bytes, paintMs: paint.startTime }
})()`
