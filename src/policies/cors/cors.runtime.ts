// Answers preflight requests and marks responses (Gateway API HTTPCORSFilter; Fetch standard, section 3.2). The filter owns the
// Access-Control lines: what the application says about origins is replaced.
import type { RequestHead, ResponseHead } from '../../contracts/http-message.ts'
import { HeaderList } from '../../core/header-list.ts'
import type { CorsSpec } from './cors.spec.ts'

export interface Cors {
  /** Header lines of the 204 answer when the request is a preflight, else undefined. A refused origin gets an answer without CORS lines. */
  preflight(request: RequestHead): HeaderList | undefined
  /** Adds what the browser needs to hand the response to the page that sent `request`. */
  mark(request: RequestHead, response: ResponseHead): void
}

export function compileCors(spec: CorsSpec): Cors {
  const allows = compileOrigins(spec.allowOrigins)
  const allow = (headers: HeaderList, origin: string): void => {
    headers.set('access-control-allow-origin', origin)
    if (spec.allowCredentials) headers.set('access-control-allow-credentials', 'true')
    else headers.delete('access-control-allow-credentials')
  }
  return {
    preflight(request) {
      const origin = request.headers.get('origin')
      const method = request.headers.get('access-control-request-method')
      if (request.method !== 'OPTIONS' || origin === undefined || method === undefined) return undefined
      const answer = HeaderList.of(['vary', 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers'])
      if (!allows(origin)) return answer
      allow(answer, origin)
      setList(answer, 'access-control-allow-methods', spec.allowMethods, method)
      const asked = request.headers.get('access-control-request-headers')
      setList(answer, 'access-control-allow-headers', spec.allowHeaders, asked)
      answer.set('access-control-max-age', String(spec.maxAgeSeconds))
      return answer
    },
    mark(request, response) {
      const { headers } = response
      varyByOrigin(headers)
      const origin = request.headers.get('origin')
      if (origin === undefined) return
      if (!allows(origin)) {
        headers.delete('access-control-allow-origin')
        headers.delete('access-control-allow-credentials')
        return
      }
      allow(headers, origin)
      if (spec.exposeHeaders.length === 0) return
      // "*" means nothing to a browser once credentials are involved: the names themselves do.
      const everything = spec.exposeHeaders.includes('*')
      const exposed = everything && spec.allowCredentials ? ownNames(headers) : spec.exposeHeaders
      headers.set('access-control-expose-headers', exposed.join(', '))
    },
  }
}

/** The configured list, or for "*" what the browser asked for: "*" itself is never sent, so credentials cannot meet it. */
function setList(headers: HeaderList, name: string, configured: readonly string[], asked: string | undefined): void {
  const value = configured.includes('*') ? asked : configured.join(', ')
  if (value !== undefined && value !== '') headers.set(name, value)
}

/** In the host, "*" stands for any number of labels (CORSOrigin: greedy match to the left). */
function compileOrigins(origins: readonly string[]): (origin: string) => boolean {
  if (origins.includes('*')) return () => true
  const written = origins.map(normalizeOrigin)
  const exact = new Set(written.filter((origin) => !origin.includes('*')))
  const wildcards = written
    .filter((origin) => origin.includes('*'))
    .map((origin) => ({
      before: origin.slice(0, origin.indexOf('*')),
      after: origin.slice(origin.indexOf('*') + 1),
    }))
  return (text) => {
    const origin = normalizeOrigin(text)
    if (exact.has(origin)) return true
    return wildcards.some(
      ({ before, after }) =>
        origin.length > before.length + after.length &&
        origin.startsWith(before) &&
        origin.endsWith(after) &&
        labels.test(origin.slice(before.length, origin.length - after.length)),
    )
  }
}

const labels = /^[a-z0-9.-]+$/

/** Lower case, without the scheme's own port (a browser leaves it out too). */
function normalizeOrigin(origin: string): string {
  const lower = origin.toLowerCase()
  return lower.replace(lower.startsWith('https:') ? /:443$/ : /:80$/, '')
}

/** A cache must keep answers to different origins apart, also those to none. */
function varyByOrigin(headers: HeaderList): void {
  const vary = headers.get('vary')
  if (vary === undefined) return headers.set('vary', 'Origin')
  const names = vary.split(',').map((name) => name.trim().toLowerCase())
  if (!names.includes('origin') && !names.includes('*')) headers.set('vary', `${vary}, Origin`)
}

function ownNames(headers: HeaderList): string[] {
  const names = new Set<string>()
  for (const [name] of headers) names.add(name.toLowerCase())
  for (const name of names) if (name.startsWith('access-control-') || name === 'set-cookie') names.delete(name)
  return [...names]
}
