// Turns a RouteMatchSpec into one closure over prebuilt parts; the route step calls it for each candidate route of a request.
import type { RequestHead } from '../../contracts/http-message.ts'
import { compileFullMatch } from './full-match.runtime.ts'
import type { PathMatchSpec, RouteMatchSpec, ValueMatchSpec } from './route-match.spec.ts'

/** What matchers look at: the request with its target taken apart once. */
export interface MatchInput {
  readonly request: RequestHead
  /** Path without the query. */
  readonly path: string
  /** Text after the first "?", undecoded; empty when there is none. */
  readonly query: string
}

export type RouteMatcher = (input: MatchInput) => boolean

export function createMatchInput(request: RequestHead): MatchInput {
  const mark = request.path.indexOf('?')
  if (mark === -1) return { request, path: request.path, query: '' }
  return { request, path: request.path.slice(0, mark), query: request.path.slice(mark + 1) }
}

/** Throws an Error that names the expression when a regular expression of the spec is not one. */
export function compileRouteMatch(spec: RouteMatchSpec): RouteMatcher {
  const matchers = [
    ...compilePath(spec.path),
    ...compileMethod(spec.method),
    ...spec.headers.map(compileHeader),
    ...spec.queryParams.map(compileQueryParam),
  ]
  const [first, second] = matchers
  if (first === undefined) return () => true
  if (second === undefined) return first
  return (input) => {
    for (const matches of matchers) if (!matches(input)) return false
    return true
  }
}

/** What of a path a prefix covers, when another takes its place. Empty for "/". */
export function withoutTrailingSlash(prefix: string): string {
  return prefix.endsWith('/') ? prefix.slice(0, -1) : prefix
}

function compilePath({ kind, value }: PathMatchSpec): RouteMatcher[] {
  if (kind === 'exact') return [({ path }) => path === value]
  if (kind === 'regex') {
    const matches = compileFullMatch(value)
    return [({ path }) => matches(path)]
  }
  if (value === '/') return []
  if (value.endsWith('/')) return [({ path }) => path.startsWith(value)]
  const withSlash = `${value}/`
  return [({ path }) => path === value || path.startsWith(withSlash)]
}

function compileMethod(method: string | undefined): RouteMatcher[] {
  return method === undefined ? [] : [({ request }) => request.method === method]
}

function compileHeader(spec: ValueMatchSpec): RouteMatcher {
  const matches = compileValue(spec)
  const { name } = spec
  if (name === 'host' || name === ':authority') return ({ request }) => matches(request.authority)
  return ({ request }) => {
    // joined without a blank, as xDS data planes compare them (RFC 9110 section 5.2 leaves the blank open)
    const value = request.headers.get(name, ',')
    return value !== undefined && matches(value)
  }
}

function compileQueryParam(spec: ValueMatchSpec): RouteMatcher {
  const matches = compileValue(spec)
  return ({ query }) => {
    const value = query === '' ? undefined : queryParam(query, spec.name)
    return value !== undefined && matches(value)
  }
}

function compileValue(spec: ValueMatchSpec): (value: string) => boolean {
  if (spec.kind === 'regex') return compileFullMatch(spec.value)
  return (value) => value === spec.value
}

/** The first value of that parameter (Gateway API leaves repeats undefined and recommends the first). */
function queryParam(query: string, name: string): string | undefined {
  for (let start = 0; start <= query.length;) {
    const ampersand = query.indexOf('&', start)
    const end = ampersand === -1 ? query.length : ampersand
    const equals = query.indexOf('=', start)
    const nameEnd = equals === -1 || equals > end ? end : equals
    if (nameEnd > start && decode(query.slice(start, nameEnd)) === name) return decode(query.slice(nameEnd + 1, end))
    start = end + 1
  }
  return undefined
}

/** As browsers and HTTP libraries write forms: "+" is a space. A broken escape leaves the text as it is. */
function decode(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text
  if (!spaced.includes('%')) return spaced
  try {
    return decodeURIComponent(spaced)
  } catch {
    return text
  }
}
