// Rewrites authority and path of the head that goes upstream (Gateway API HTTPURLRewriteFilter).
import type { RequestHead } from '../../contracts/http-message.ts'
import { withoutTrailingSlash } from '../route-match/route-match.runtime.ts'
import type { PathMatchSpec } from '../route-match/route-match.spec.ts'
import { compileRegexRewrite } from './regex-rewrite.runtime.ts'
import type { PathModifierSpec, RewriteSpec } from './rewrite.spec.ts'

export type RequestRewriter = (request: RequestHead) => void
/** Takes and returns a path with its query. */
export type PathModifier = (path: string) => string

/** `match` is the path match of the rule: what a prefix rewrite replaces. Throws an Error when the host cannot be sent. */
export function compileRewrite(spec: RewriteSpec, match: PathMatchSpec): RequestRewriter {
  const { hostname } = spec
  const hostOf = spec.hostPattern === undefined ? undefined : compileRegexRewrite(spec.hostPattern)
  if (hostname !== undefined && !/^[\x21-\x7e]+$/.test(hostname)) {
    throw new Error(`not a host to rewrite to: ${JSON.stringify(hostname)}`)
  }
  const modifyPath = compilePathModifier(spec.path, match)
  return (request) => {
    if (hostname !== undefined) request.authority = hostname
    const host = hostOf?.(withoutQuery(request.path))
    if (host !== undefined && hostPattern.test(host)) request.authority = host
    if (modifyPath !== undefined) request.path = writable(modifyPath(request.path))
  }
}

/** What configuration has put into a path may hold what ends the request target, or no Latin-1: percent-encoded (RFC 3986 section 2.5). */
function writable(path: string): string {
  return path.replace(/[^\x21-\x7e]+/g, (text) => {
    return [...Buffer.from(text)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')
  })
}

/**
 * `prefix` exchanges whole path elements: trailing slashes of the prefix and of its replacement do not count, what follows the prefix stays
 * (table at HTTPPathModifier.replacePrefixMatch). Without a prefix match the whole path is what was matched.
 */
export function compilePathModifier(
  spec: PathModifierSpec | undefined,
  match: PathMatchSpec,
): PathModifier | undefined {
  if (spec === undefined) return undefined
  if (spec.kind === 'full') return (path) => ensureSlash(spec.value) + queryOf(path)
  if (spec.kind === 'regex') {
    const rewrite = compileRegexRewrite(spec)
    return (path) => {
      const rewritten = rewrite(withoutQuery(path))
      return rewritten === undefined ? path : ensureSlash(withQuery(rewritten, queryOf(path)))
    }
  }
  const replacement = withoutTrailingSlash(spec.value)
  const covered = match.kind === 'prefix' ? withoutTrailingSlash(match.value).length : undefined
  return (path) => {
    const query = queryOf(path)
    const rest = covered === undefined ? '' : path.slice(covered, path.length - query.length)
    return ensureSlash(replacement + rest) + query
  }
}

/** What a rewrite may make of a path without anybody else's words in it. */
const hostPattern = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?$/

/** A rewritten path may bring a query of its own. */
function withQuery(path: string, query: string): string {
  return query.length > 1 && path.includes('?') ? `${path}&${query.slice(1)}` : path + query
}

function withoutQuery(path: string): string {
  return path.slice(0, path.length - queryOf(path).length)
}

function queryOf(path: string): string {
  const mark = path.indexOf('?')
  return mark === -1 ? '' : path.slice(mark)
}

function ensureSlash(path: string): string {
  return path.startsWith('/') ? path : `/${path}`
}
