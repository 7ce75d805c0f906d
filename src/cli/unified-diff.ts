// Unified diff of two texts by lines. Pure.
import { type Hunk, lineDifference } from '../core/line-difference.ts'

interface Names {
  readonly before: string
  readonly after: string
}

/** Empty when the texts are the same. */
export function unifiedDiff(before: string, after: string, names: Names): string {
  return formatHunks(lineDifference(before, after), names)
}

/** Empty when there are none. */
export function formatHunks(hunks: readonly Hunk[], names: Names): string {
  if (hunks.length === 0) return ''
  const texts = hunks.map(({ beforeStart, beforeCount, afterStart, afterCount, lines }) => {
    const body = lines.map(({ mark, text }) => `${mark}${text}\n`).join('')
    return `@@ -${beforeStart},${beforeCount} +${afterStart},${afterCount} @@\n${body}`
  })
  return `--- ${names.before}\n+++ ${names.after}\n${texts.join('')}`
}
