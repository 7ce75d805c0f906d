// Where tokens stand in a request: headers, parameters of the query, cookies. Every one is found, for the application may read another than the first.
import type { RequestHead } from '../../contracts/http-message.ts'
import type { JwtRule, TokenHeader } from './request-authentication.spec.ts'

export interface FoundToken {
  readonly text: string
  /** Those that look for tokens in this place. */
  readonly rules: readonly JwtRule[]
  readonly location: TokenLocation
}

export interface TokenLocation {
  find(head: RequestHead, found: FoundToken[]): void
  /** Takes the token out of the request. */
  remove(head: RequestHead): void
}

const defaultHeaders: readonly TokenHeader[] = [{ name: 'Authorization', prefix: 'Bearer ' }]
const defaultParams = ['access_token']

export function compileTokenLocations(rules: readonly JwtRule[]): readonly TokenLocation[] {
  const headers = new Map<string, Map<string, JwtRule[]>>()
  const params = new Map<string, JwtRule[]>()
  const cookies = new Map<string, JwtRule[]>()
  for (const rule of rules) {
    const anywhere = rule.fromHeaders.length + rule.fromParams.length + rule.fromCookies.length === 0
    for (const { name, prefix } of anywhere ? defaultHeaders : rule.fromHeaders) {
      const key = name.toLowerCase()
      const prefixes = headers.get(key) ?? new Map<string, JwtRule[]>()
      headers.set(key, prefixes)
      append(prefixes, prefix.toLowerCase(), rule)
    }
    for (const name of anywhere ? defaultParams : rule.fromParams) append(params, name, rule)
    for (const name of rule.fromCookies) append(cookies, name, rule)
  }
  return [
    ...[...headers].map(([name, prefixes]) => headerLocation(name, prefixes)),
    ...[...params].map(([name, of]) => paramLocation(name, of)),
    ...[...cookies].map(([name, of]) => cookieLocation(name, of)),
  ]
}

function append(to: Map<string, JwtRule[]>, name: string, rule: JwtRule): void {
  const rules = to.get(name)
  if (rules === undefined) to.set(name, [rule])
  else if (!rules.includes(rule)) rules.push(rule)
}

function headerLocation(name: string, rulesByPrefix: ReadonlyMap<string, readonly JwtRule[]>): TokenLocation {
  // The longest prefix says best what a line is: "" would take any.
  const prefixes = [...rulesByPrefix].toSorted(([a], [b]) => b.length - a.length)
  const location: TokenLocation = {
    find({ headers }, found) {
      if (!headers.has(name)) return
      for (let line = 0; line < headers.size; line++) {
        if (headers.nameAt(line).toLowerCase() !== name) continue
        const value = headers.valueAt(line)
        const match = prefixes.find(([prefix]) => value.slice(0, prefix.length).toLowerCase() === prefix)
        const text = match === undefined ? '' : value.slice(match[0].length).trim()
        if (match !== undefined && text !== '') found.push({ text, rules: match[1], location })
      }
    },
    remove({ headers }) {
      headers.delete(name)
    },
  }
  return location
}

function paramLocation(name: string, rules: readonly JwtRule[]): TokenLocation {
  const location: TokenLocation = {
    find({ path }, found) {
      const start = path.indexOf('?')
      if (start === -1) return
      for (const pair of path.slice(start + 1).split('&')) {
        if (paramName(pair) !== name) continue
        const text = decoded(pair.slice(pair.indexOf('=') + 1))
        if (pair.includes('=') && text !== '') found.push({ text, rules, location })
      }
    },
    remove(head) {
      const start = head.path.indexOf('?')
      const left = head.path
        .slice(start + 1)
        .split('&')
        .filter((pair) => paramName(pair) !== name)
      head.path = head.path.slice(0, start) + (left.length === 0 ? '' : `?${left.join('&')}`)
    },
  }
  return location
}

function paramName(pair: string): string {
  const end = pair.indexOf('=')
  return decoded(end === -1 ? pair : pair.slice(0, end))
}

/** As an application would read it; what cannot be decoded stays as it is. */
function decoded(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return text
  }
}

function cookieLocation(name: string, rules: readonly JwtRule[]): TokenLocation {
  const location: TokenLocation = {
    find({ headers }, found) {
      for (const cookie of cookiesOf(headers)) {
        const text = cookieValue(cookie)
        if (cookieName(cookie) === name && text !== '') found.push({ text, rules, location })
      }
    },
    remove({ headers }) {
      const left = cookiesOf(headers).filter((cookie) => cookieName(cookie) !== name)
      if (left.length === 0) headers.delete('cookie')
      else headers.set('cookie', left.join('; '))
    },
  }
  return location
}

/** Of every line: HTTP/2 may send each cookie in its own. */
function cookiesOf(headers: RequestHead['headers']): string[] {
  if (!headers.has('cookie')) return []
  const cookies: string[] = []
  for (const [name, value] of headers) {
    if (name.toLowerCase() !== 'cookie') continue
    for (const cookie of value.split(';')) if (cookie.trim() !== '') cookies.push(cookie.trim())
  }
  return cookies
}

function cookieName(cookie: string): string {
  const end = cookie.indexOf('=')
  return (end === -1 ? cookie : cookie.slice(0, end)).trim()
}

/** Without the quotes that RFC 6265 allows. */
function cookieValue(cookie: string): string {
  const start = cookie.indexOf('=')
  return start === -1
    ? ''
    : cookie
        .slice(start + 1)
        .trim()
        .replace(/^"(.*)"$/, '$1')
}
