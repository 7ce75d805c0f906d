// Preflight answers and marks on responses, by the words at HTTPCORSFilter.
import { describe, expect, it } from 'vitest'

import type { RequestHead } from '../../contracts/http-message.ts'
import { HeaderList } from '../../core/header-list.ts'
import { compileCors } from './cors.runtime.ts'
import type { CorsSpec } from './cors.spec.ts'

const origin = 'https://www.foo.example'

function cors(changes: Partial<CorsSpec> = {}): ReturnType<typeof compileCors> {
  return compileCors({
    allowOrigins: [origin],
    allowCredentials: false,
    allowMethods: ['GET', 'PUT'],
    allowHeaders: ['x-a', 'x-b'],
    exposeHeaders: [],
    maxAgeSeconds: 3600,
    ...changes,
  })
}

function request(method: string, headers: Record<string, string>): RequestHead {
  return { method, scheme: 'http', authority: 'a', path: '/', headers: HeaderList.of(...Object.entries(headers)) }
}

function preflight(
  changes: Partial<CorsSpec> = {},
  more: Record<string, string> = {},
): Record<string, string> | undefined {
  const head = request('OPTIONS', { origin, 'access-control-request-method': 'PUT', ...more })
  const answer = cors(changes).preflight(head)
  return answer && Object.fromEntries(answer)
}

function marked(
  changes: Partial<CorsSpec>,
  requestHeaders: Record<string, string> = { origin },
  responseHeaders: Record<string, string> = {},
): Record<string, string> {
  const response = { status: 200, headers: HeaderList.of(...Object.entries(responseHeaders)) }
  cors(changes).mark(request('GET', requestHeaders), response)
  return Object.fromEntries(response.headers)
}

describe('a preflight', () => {
  it('from an allowed origin learns what is allowed', () => {
    expect(preflight()).toEqual({
      vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'GET, PUT',
      'access-control-allow-headers': 'x-a, x-b',
      'access-control-max-age': '3600',
    })
  })

  it('from another origin learns nothing', () => {
    const answer = preflight({}, { origin: 'https://evil.example' })
    expect(Object.keys(answer ?? {})).toEqual(['vary'])
  })

  it('is only what a browser would send', () => {
    expect(cors().preflight(request('OPTIONS', { origin }))).toBeUndefined()
    expect(cors().preflight(request('OPTIONS', { 'access-control-request-method': 'PUT' }))).toBeUndefined()
    expect(cors().preflight(request('GET', { origin, 'access-control-request-method': 'PUT' }))).toBeUndefined()
  })

  it.each([true, false])('is never answered with a wildcard (credentials %s)', (allowCredentials) => {
    const everything = { allowOrigins: ['*'], allowMethods: ['*'], allowHeaders: ['*'], allowCredentials }
    const answer = preflight(everything, { 'access-control-request-headers': 'x-z,x-y' })
    expect(answer).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'PUT',
      'access-control-allow-headers': 'x-z,x-y',
    })
    expect(answer?.['access-control-allow-credentials']).toBe(allowCredentials ? 'true' : undefined)
    expect(preflight(everything)).not.toHaveProperty('access-control-allow-headers')
  })

  it('leaves out lists that are empty', () => {
    const answer = preflight({ allowMethods: [], allowHeaders: [] })
    expect(answer).not.toHaveProperty('access-control-allow-methods')
    expect(answer).not.toHaveProperty('access-control-allow-headers')
  })
})

describe('origins', () => {
  it.each([
    ['https://a.example', 'https://a.example', true],
    ['https://a.example', 'HTTPS://A.example', true],
    ['https://a.example', 'http://a.example', false],
    ['https://a.example', 'https://a.example:8443', false],
    ['https://a.example', 'https://a.example:443', true],
    ['http://a.example:80', 'http://a.example', true],
    ['http://a.example:443', 'http://a.example', false],
    ['https://*.example', 'https://a.b.example', true],
    ['https://*.example', 'https://example', false],
    ['https://*.example', 'https://.example', false],
    ['https://*.example', 'https://a.example.evil', false],
    ['https://*.example', 'https://evil/a.example', false],
    ['https://*.example', 'https://evil:1.example', false],
    ['https://*.example:8443', 'https://a.example:8443', true],
    ['https://*.example:8443', 'https://a.example', false],
    ['https://*', 'https://anything.example', true],
    ['https://*', 'http://anything.example', false],
    ['*', 'http://anything.example:81', true],
    ['*', 'null', true],
    ['https://a.example', 'null', false],
  ])('%s allows %s: %s', (allowed, asked, expected) => {
    const headers = marked({ allowOrigins: [allowed] }, { origin: asked })
    expect(headers['access-control-allow-origin']).toBe(expected ? asked : undefined)
  })
})

describe('a response', () => {
  it('is marked for an allowed origin, credentials only when allowed', () => {
    expect(marked({ exposeHeaders: ['x-a', 'x-b'] })).toEqual({
      vary: 'Origin',
      'access-control-allow-origin': origin,
      'access-control-expose-headers': 'x-a, x-b',
    })
    expect(marked({ allowCredentials: true })).toHaveProperty('access-control-allow-credentials', 'true')
  })

  it('names its headers instead of a wildcard to a request with credentials', () => {
    const headers = { 'X-One': '1', 'Set-Cookie': 'a=b', etag: 'e' }
    expect(marked({ exposeHeaders: ['*'], allowCredentials: true }, { origin }, headers)).toHaveProperty(
      'access-control-expose-headers',
      'x-one, etag, vary',
    )
    expect(marked({ exposeHeaders: ['*'] }, { origin }, headers)).toHaveProperty('access-control-expose-headers', '*')
  })

  it('loses what the application said about origins', () => {
    const own = { 'access-control-allow-origin': '*', 'access-control-allow-credentials': 'true' }
    expect(marked({}, { origin: 'https://evil.example' }, own)).toEqual({ vary: 'Origin' })
    expect(marked({}, { origin }, own)).toEqual({ vary: 'Origin', 'access-control-allow-origin': origin })
  })

  it.each([
    [{}, 'Origin'],
    [{ vary: 'Accept' }, 'Accept, Origin'],
    [{ vary: 'accept, origin' }, 'accept, origin'],
    [{ vary: '*' }, '*'],
  ])('to a request without origin only varies: %j', (headers, vary) => {
    expect(marked({}, {}, headers)).toEqual({ vary })
  })
})
