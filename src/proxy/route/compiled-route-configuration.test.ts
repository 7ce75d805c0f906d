// Choice of virtual host and of route.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import type { RequestHead } from '../../contracts/http-message.ts'
import { HeaderList } from '../../core/header-list.ts'
import { compileRouteMatch, createMatchInput } from '../../policies/route-match/route-match.runtime.ts'
import type { PathMatchSpec } from '../../policies/route-match/route-match.spec.ts'
import type { Route, VirtualHost } from '../runtime/runtime-config.ts'
import { compileRouteConfiguration } from './compiled-route-configuration.ts'

function hostFor(authority: string, ...domains: string[][]): string | undefined {
  const virtualHosts = domains.map((list): VirtualHost => ({ name: list.join(' '), domains: list, routes: [] }))
  return compileRouteConfiguration({ name: 'r', virtualHosts }).findVirtualHost(authority)?.virtualHost.name
}

describe('the virtual host', () => {
  it.each([
    ['a.example', 'a.example'],
    ['A.Example:8080', 'a.example'],
    ['a.example.', 'a.example'],
    ['b.example', '*.example'],
    ['c.b.example', '*.b.example'],
    ['d.c.b.example', '*.b.example'],
    ['example', '*'],
    ['.example', '*'],
    ['other.test:80', '*'],
    ['[::1]', '[::1]'],
    ['[::1]:8080', '[::1]'],
    ['10.0.0.1:80', '*'],
    ['', '*'],
  ])('for %j is %j', (authority, expected) => {
    expect(hostFor(authority, ['*'], ['*.example'], ['*.b.example'], ['a.example'], ['[::1]'])).toBe(expected)
  })

  it('is none when no domain fits', () => {
    expect(hostFor('a.test', ['a.example', '*.example'])).toBeUndefined()
  })

  it('is the first that names a domain', () => {
    expect(hostFor('a', ['a'], ['a', 'b'])).toBe('a')
    expect(hostFor('x', ['*'], ['*', 'b'])).toBe('*')
  })
})

function request(path: string, method = 'GET'): RequestHead {
  return { method, scheme: 'http', authority: 'a', path, headers: new HeaderList() }
}

function route(name: string, path: PathMatchSpec, method?: string): Route {
  const match = { path, headers: [], queryParams: [], ...(method === undefined ? {} : { method }) }
  return { name, match, action: { kind: 'direct-response', status: 200 } }
}

function find(routes: Route[], head: RequestHead): string | undefined {
  const virtualHosts = [{ name: 'v', domains: ['*'], routes }]
  const host = compileRouteConfiguration({ name: 'r', virtualHosts }).findVirtualHost(head.authority)
  return host?.findRoute(createMatchInput(head))?.route.name
}

it('is compiled once', () => {
  const config = { name: 'r', virtualHosts: [] }
  expect(compileRouteConfiguration(config)).toBe(compileRouteConfiguration(config))
})

describe('the route', () => {
  it('is the first that matches, exact or not', () => {
    const routes = [
      route('post', { kind: 'exact', value: '/a' }, 'POST'),
      route('prefix', { kind: 'prefix', value: '/a' }, 'PUT'),
      route('exact', { kind: 'exact', value: '/a' }),
      route('rest', { kind: 'prefix', value: '/' }),
    ]
    expect(find(routes, request('/a'))).toBe('exact')
    expect(find(routes, request('/a', 'POST'))).toBe('post')
    expect(find(routes, request('/a', 'PUT'))).toBe('prefix')
    expect(find(routes, request('/b'))).toBe('rest')
    expect(find(routes.toReversed(), request('/a'))).toBe('rest')
    expect(find(routes.slice(0, 1), request('/a'))).toBeUndefined()
  })

  it('is what trying one after the other would find', () => {
    const path: fc.Arbitrary<PathMatchSpec> = fc.record({
      kind: fc.constantFrom('exact', 'prefix', 'regex'),
      value: fc.constantFrom('/', '/a', '/a/b', '/b'),
    })
    const method = fc.constantFrom(undefined, 'GET', 'POST')
    const target = fc.constantFrom('/', '/a', '/a/b', '/a/b/c', '/b?x', '/c')
    fc.assert(
      fc.property(fc.array(fc.tuple(path, method)), target, (specs, wanted) => {
        const routes = specs.map(([spec, verb], index) => route(String(index), spec, verb))
        const head = request(wanted)
        const first = routes.find(({ match }) => compileRouteMatch(match)(createMatchInput(head)))
        expect(find(routes, head)).toBe(first?.name)
      }),
    )
  })
})
