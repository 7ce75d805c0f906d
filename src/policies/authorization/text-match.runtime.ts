// Comparison of one text, compiled.
import { compileFullMatch } from '../route-match/full-match.runtime.ts'
import type { TextMatch } from './authorization.spec.ts'

export type TextTest = (text: string) => boolean

/** Throws an Error that names what is no regular expression. */
export function compileText(match: TextMatch): TextTest {
  if (match.kind === 'present') return (text) => text !== ''
  if (match.kind === 'regex') return compileFullMatch(match.value)
  if (!match.ignoreCase) return comparison(match.kind, match.value)
  const test = comparison(match.kind, match.value.toLowerCase())
  return (text) => test(text.toLowerCase())
}

function comparison(kind: 'exact' | 'prefix' | 'suffix' | 'contains', value: string): TextTest {
  switch (kind) {
    case 'exact':
      return (text) => text === value
    case 'prefix':
      return (text) => text.startsWith(value)
    case 'suffix':
      return (text) => text.endsWith(value)
    case 'contains':
    default:
      return (text) => text.includes(value)
  }
}

/** Of a path: `*` stands for one segment that is not empty, a `**` for any number of characters. */
export function compileTemplate(template: string): TextTest {
  const [before = '', after] = template.split('**')
  const head = before.split('/')
  if (after === undefined) return (path) => segmentsEnd(path, head) === path.length
  return (path) => {
    const end = segmentsEnd(path, head)
    return end !== -1 && path.length >= end + after.length && path.endsWith(after)
  }
}

/** Where the segments end in the path; -1 when it does not begin with them. */
function segmentsEnd(path: string, segments: readonly string[]): number {
  let at = 0
  for (let i = 0; i < segments.length; i++) {
    const wanted = segments[i] as string
    if (i > 0 && path[at++] !== '/') return -1
    if (wanted !== '*') {
      if (!path.startsWith(wanted, at)) return -1
      at += wanted.length
      continue
    }
    const slash = path.indexOf('/', at)
    const end = slash === -1 ? path.length : slash
    if (end === at) return -1
    at = end
  }
  return at
}
