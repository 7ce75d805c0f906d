// Unified diff of two texts by lines. Pure.
import { lineDifference } from '../core/line-difference.ts'

/** Empty when the texts are the same. */
export function unifiedDiff(
  before: string,
  after: string,
  names: { readonly before: string; readonly after: string },
): string {
  const hunks = lineDifference(before, after)
  if (hunks.length === 0) return ''
  const texts = hunks.map(({ beforeStart, beforeCount, afterStart, afterCount, lines }) => {
    const body = lines.map(({ mark, text }) => `${mark}${text}\n`).join('')
    return `@@ -${beforeStart},${beforeCount} +${afterStart},${afterCount} @@\n${body}`
  })
  return `--- ${names.before}\n+++ ${names.after}\n${texts.join('')}`
}
