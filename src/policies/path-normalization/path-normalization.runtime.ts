// Brings the path of a request into its one spelling, so that what routes decide about is what the application will read.
import type { PathNormalizationSpec } from './path-normalization.spec.ts'

/** Where a configuration says nothing. */
export const defaultPaths: PathNormalizationSpec = { normalize: true, mergeSlashes: false, escapedSlashes: 'keep' }

export const pathRefusal = 'the path of the request can be read in more than one way'

const SLASH = 47
const PERCENT = 37
const BACKSLASH = 92

/** What a path must hold to need anything; the query may hold it as well. A compiled expression looks at it in half the time of a loop. */
const suspicious = /[%\\]|\/[./]/

/**
 * Takes and returns a path with its query, which stays as it is. Undefined: refuse the request, for `pathRefusal`. Most paths need nothing
 * and are returned after one look. What does not start with "/" is no path ("*", or the target of CONNECT).
 */
export function normalizePath(path: string, spec: PathNormalizationSpec): string | undefined {
  return suspicious.test(path) && path.charCodeAt(0) === SLASH ? rebuild(path, spec) : path
}

function rebuild(path: string, spec: PathNormalizationSpec): string | undefined {
  const mark = path.indexOf('?')
  const received = mark === -1 ? path : path.slice(0, mark)
  let clean = decode(received, spec)
  if (clean !== undefined && spec.normalize) clean = removeDotSegments(clean)
  if (clean === undefined) return undefined
  if (spec.mergeSlashes && clean.includes('//')) clean = clean.replace(/\/{2,}/g, '/')
  if (clean === received) return path
  return mark === -1 ? clean : clean + path.slice(mark)
}

/** Each escape once: "%252e" is the text "%2e", and no dot. */
function decode(path: string, { normalize, escapedSlashes }: PathNormalizationSpec): string | undefined {
  let out = ''
  let copied = 0
  for (let at = 0; at < path.length; at++) {
    const code = path.charCodeAt(at)
    let instead: string
    let end = at + 1
    if (code === BACKSLASH && normalize) {
      instead = '/'
    } else if (code === PERCENT) {
      end = at + 3
      const escape = path.slice(at, end)
      const byte = /^%[0-9a-f]{2}$/i.test(escape) ? Number.parseInt(escape.slice(1), 16) : -1
      const slash = byte === SLASH || byte === BACKSLASH
      if (slash && escapedSlashes === 'reject') return undefined
      if (slash && escapedSlashes === 'decode') instead = byte === SLASH || normalize ? '/' : '\\'
      else if (!normalize) continue
      else if (byte <= 0) return undefined
      else instead = isUnreserved(byte) ? String.fromCharCode(byte) : escape.toUpperCase()
    } else continue
    out += path.slice(copied, at) + instead
    copied = end
    at = end - 1
  }
  return copied === 0 ? path : out + path.slice(copied)
}

function isUnreserved(byte: number): boolean {
  return /[\w.~-]/.test(String.fromCharCode(byte))
}

/** Servers that decode slashes before they climb, as nginx does, read another path than those that do not. */
const escapedClimb = /(?:\/|%2F|%5C)\.\.?(?:%2F|%5C)|(?:%2F|%5C)\.\.?(?:\/|$)/

/** RFC 3986 section 5.2.4; nothing climbs above the root. */
function removeDotSegments(path: string): string | undefined {
  if (path.includes('%') && escapedClimb.test(path)) return undefined
  if (!path.includes('/.')) return path
  const segments = path.split('/')
  const kept: string[] = []
  for (let at = 1; at < segments.length; at++) {
    const segment = segments[at] as string
    const last = at === segments.length - 1
    if (segment === '.' || segment === '..') {
      if (segment === '..') kept.pop()
      if (last) kept.push('')
      continue
    }
    // Servlet containers take the parameter off first, and climb then.
    if (/^\.\.?(?:;|%3B)/.test(segment)) return undefined
    kept.push(segment)
  }
  return `/${kept.join('/')}`
}
