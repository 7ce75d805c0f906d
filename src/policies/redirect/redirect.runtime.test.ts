// Locations of redirects, by the rules at HTTPRequestRedirectFilter.
import { describe, expect, it } from 'vitest'

import type { RequestHead } from '../../contracts/http-message.ts'
import { HeaderList } from '../../core/header-list.ts'
import { compileRedirect } from './redirect.runtime.ts'
import type { RedirectSpec } from './redirect.spec.ts'

function location(spec: Omit<RedirectSpec, 'statusCode'>, url: string, prefix = '/p'): string {
  const [, scheme, authority, path] = /^(https?):\/\/([^/]+)(\/.*)$/.exec(url) as unknown as [
    string,
    RequestHead['scheme'],
    string,
    string,
  ]
  const match = { kind: 'prefix' as const, value: prefix }
  return compileRedirect(
    { ...spec, statusCode: 302 },
    match,
  )({ method: 'GET', scheme, authority, path, headers: new HeaderList() })
}

describe('the scheme and the port', () => {
  it.each([
    ['nothing given', {}, 'http://a.example/p', 'http://a.example/p'],
    ['nothing given, on a port', {}, 'http://a.example:8080/p', 'http://a.example:8080/p'],
    ['nothing given, on the port of the scheme', {}, 'http://a.example:80/p', 'http://a.example/p'],
    ['nothing given, with TLS', {}, 'https://a.example:443/p', 'https://a.example/p'],
    ['a scheme', { scheme: 'https' }, 'http://a.example/p', 'https://a.example/p'],
    ['a scheme, on a port', { scheme: 'https' }, 'http://a.example:8080/p', 'https://a.example/p'],
    ['the same scheme, on a port', { scheme: 'http' }, 'http://a.example:8080/p', 'http://a.example/p'],
    ['a port', { port: 8083 }, 'http://a.example/p', 'http://a.example:8083/p'],
    ['a port over another', { port: 8083 }, 'http://a.example:8080/p', 'http://a.example:8083/p'],
    ['port 80', { port: 80 }, 'http://a.example:8080/p', 'http://a.example/p'],
    ['port 80 for https', { port: 80, scheme: 'https' }, 'http://a.example/p', 'https://a.example:80/p'],
    ['port 443 for http', { port: 443 }, 'http://a.example/p', 'http://a.example:443/p'],
    ['port 443 for https', { port: 443, scheme: 'https' }, 'http://a.example/p', 'https://a.example/p'],
    ['an IPv6 address', {}, 'http://[::1]:8080/p', 'http://[::1]:8080/p'],
    ['an IPv6 address without port', { port: 81 }, 'http://[::1]/p', 'http://[::1]:81/p'],
  ] as const)('%s', (_, spec, url, expected) => {
    expect(location(spec, url)).toBe(expected)
  })
})

describe('the host and the path', () => {
  it.each([
    ['a hostname', { hostname: 'example.org' }, 'http://a.example/p?q=1', 'http://example.org/p?q=1'],
    ['a hostname, keeping the port', { hostname: 'b' }, 'http://a.example:8080/p', 'http://b:8080/p'],
    ['all at once', { hostname: 'b', scheme: 'https', port: 8443 }, 'http://a/p', 'https://b:8443/p'],
    ['a prefix', { path: { kind: 'prefix', value: '/r' } }, 'http://a/p/lemon?q', 'http://a/r/lemon?q'],
    ['a prefix and only it', { path: { kind: 'prefix', value: '/r' } }, 'http://a/p', 'http://a/r'],
    ['an empty prefix', { path: { kind: 'prefix', value: '/' } }, 'http://a/p/x', 'http://a/x'],
    ['the full path', { path: { kind: 'full', value: '/r' } }, 'http://a/p/x/y?q=1', 'http://a/r?q=1'],
    ['full path and host', { hostname: 'b', path: { kind: 'full', value: '/r' } }, 'http://a/p/x', 'http://b/r'],
  ] as const)('%s', (_, spec, url, expected) => {
    expect(location(spec, url)).toBe(expected)
  })

  it('stays on the host even when a path begins with two slashes', () => {
    expect(location({ path: { kind: 'prefix', value: '/' } }, 'http://a/p//evil.example')).toBe(
      'http://a//evil.example',
    )
  })
})
