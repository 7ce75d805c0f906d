// Rewrites authority and path of the head that goes upstream (Gateway API HTTPURLRewriteFilter).
import type { RequestHead } from '../../contracts/http-message.ts'
import { withoutTrailingSlash } from '../route-match/route-match.runtime.ts'
import type { PathMatchSpec } from '../route-match/route-match.spec.ts'
import type { PathModifierSpec, RewriteSpec } from './rewrite.spec.ts'

export type RequestRewriter = (request: RequestHead) => void
/** Takes and returns a path with its query. */
export type PathModifier = (path: string) => string

/** `match` is the path match of the rule: what a prefix rewrite replaces. Throws an Error when the host cannot be sent. */
export function compileRewrite(spec: RewriteSpec, match: PathMatchSpec): RequestRewriter {
  const { hostname } = spec
  if (hostname !== undefined && !/^[\x21-\x7e]+$/.test(hostname)) {
    throw new Error(`not a host to rewrite to: ${JSON.stringify(hostname)}`)
  }
  const modifyPath = compilePathModifier(spec.path, match)
  return (request) => {
    if (hostname !== undefined) request.authority = hostname
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
  const replacement = withoutTrailingSlash(spec.value)
  const covered = match.kind === 'prefix' ? withoutTrailingSlash(match.value).length : undefined
  return (path) => {
    const query = queryOf(path)
    const rest = covered === undefined ? '' : path.slice(covered, path.length - query.length)
    return ensureSlash(replacement + rest) + query
  }
}

function queryOf(path: string): string {
  const mark = path.indexOf('?')
  return mark === -1 ? '' : path.slice(mark)
}

function ensureSlash(path: string): string {
  return path.startsWith('/') ? path : `/${path}`
}
