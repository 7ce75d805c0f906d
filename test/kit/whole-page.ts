// A picture of all of a page, also of what lies below the window: kept as an artefact, to be looked at.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import type { Page } from 'playwright-core'

const folder = join(import.meta.dirname, '../../build/screenshots')
const width = 1440
const height = 900
const mostHeight = 4_000

export async function takePicture(page: Page, name: string): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const wanted = await page.evaluate<number>(
    `(({ scrollHeight, clientHeight }) => innerHeight + scrollHeight - clientHeight)(document.querySelector('main'))`,
  )
  await page.setViewportSize({ width, height: Math.min(mostHeight, Math.max(height, wanted)) })
  await page.screenshot({ path: join(folder, `${name}.png`) })
  await page.setViewportSize({ width, height })
}
