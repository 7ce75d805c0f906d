// Decisions on whole requests: route, answer, heads on both ways.
import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { RequestHead, ResponseHead } from '../../contracts/http-message.ts'
import { HeaderList } from '../../core/header-list.ts'
import { createRandom } from '../../core/random.ts'
import type { HeaderModifierSpec } from '../../policies/header-modifier/header-modifier.spec.ts'
import { compileRouteConfiguration } from '../route/compiled-route-configuration.ts'
import { decide, type ForwardDecision, type RespondDecision } from './decide.ts'
import type { ForwardAction, Route, RouteConfiguration } from './runtime-config.ts'

const random = createRandom(7)
const noChanges = { set: [], add: [], remove: [] }

function get(path: string, headers: Record<string, string> = {}, authority = 'reviews:9080'): RequestHead {
  return { method: 'GET', scheme: 'http', authority, path, headers: HeaderList.of(...Object.entries(headers)) }
}

function forwardTo(cluster: string, more: Partial<ForwardAction> = {}): ForwardAction {
  return { kind: 'forward', backends: [{ cluster, weight: 1 }], mirrors: [], timeouts: {}, ...more }
}

function routeTo(cluster: string, prefix = '/', more: Partial<Route> = {}): Route {
  return {
    name: `to-${cluster}`,
    match: { path: { kind: 'prefix', value: prefix }, headers: [], queryParams: [] },
    action: forwardTo(cluster),
    ...more,
  }
}

function configuration(...routes: Route[]): RouteConfiguration {
  return { name: 'reviews:9080', virtualHosts: [{ name: 'reviews', domains: ['*'], routes }] }
}

function forwarded(request: RequestHead, config: RouteConfiguration): ForwardDecision {
  const decision = decide(request, compileRouteConfiguration(config), random, new ManualClock())
  if (decision.kind !== 'forward') throw new Error(`no forward: ${decision.kind}`)
  return decision
}

function answered(request: RequestHead, config: RouteConfiguration): RespondDecision {
  const decision = decide(request, compileRouteConfiguration(config), random, new ManualClock())
  if (decision.kind !== 'respond') throw new Error(`no answer: ${decision.kind}`)
  return decision
}

function adding(value: string): HeaderModifierSpec {
  return { ...noChanges, add: [{ name: 'x-by', value }] }
}

function ok(headers: Record<string, string> = {}): ResponseHead {
  return { status: 200, headers: HeaderList.of(...Object.entries(headers)) }
}

describe('decide', () => {
  it('forwards by the first route that matches and says where it came from', () => {
    const decision = forwarded(get('/v2/x'), configuration(routeTo('v2', '/v2'), routeTo('v1')))
    expect(decision).toMatchObject({
      routeConfiguration: 'reviews:9080',
      virtualHost: 'reviews',
      cluster: 'v2',
      split: undefined,
      mirrors: [],
    })
    expect(decision.route.name).toBe('to-v2')
  })

  it('leaves the received head as it was', () => {
    const request = get('/old/x?q=1', { 'x-a': '1' })
    const route = routeTo('v1', '/old', {
      action: forwardTo('v1', { rewrite: { hostname: 'new.example', path: { kind: 'prefix', value: '/new' } } }),
      requestHeaders: { ...noChanges, set: [{ name: 'x-a', value: '2' }] },
    })
    const decision = forwarded(request, configuration(route))
    expect(decision.request.path).toBe('/new/x?q=1')
    expect(decision.request.authority).toBe('new.example')
    expect(decision.request.headers.get('x-a')).toBe('2')
    expect([request.path, request.authority, request.headers.get('x-a')]).toEqual(['/old/x?q=1', 'reviews:9080', '1'])
  })

  it('applies the rule before the backend on the request, and the reverse on the response', () => {
    const route = routeTo('v1', '/', {
      action: forwardTo('v1', {
        backends: [{ cluster: 'v1', weight: 1, requestHeaders: adding('backend'), responseHeaders: adding('backend') }],
      }),
      requestHeaders: adding('rule'),
      responseHeaders: adding('rule'),
    })
    const decision = forwarded(get('/'), configuration(route))
    const response = ok()
    decision.modifyResponse(response)
    expect(decision.request.headers.get('x-by')).toBe('rule,backend')
    expect(response.headers.get('x-by')).toBe('backend,rule')
  })

  it('answers 404 with NR when no virtual host speaks for the authority', () => {
    const config = { name: 'r', virtualHosts: [{ name: 'a', domains: ['a.example'], routes: [routeTo('a')] }] }
    const decision = answered(get('/', {}, 'b.example'), config)
    expect(decision).toMatchObject({ status: 404, flags: ['NR'], routeConfiguration: 'r' })
    expect(decision.detail).toContain('"b.example"')
  })

  it('answers 404 with NR when no route matches, and does not repeat the query', () => {
    const decision = answered(get('/c?token=secret'), configuration(routeTo('a', '/a'), routeTo('b', '/b')))
    expect(decision).toMatchObject({ status: 404, flags: ['NR'], virtualHost: 'reviews' })
    expect(decision.body).toBe('no route: none of the 2 routes of "reviews:9080" matches GET reviews:9080/c\n')
  })

  it.each([
    ['no backends', []],
    ['only backends of weight 0', [{ cluster: 'a', weight: 0 }]],
    ['a backend that does not exist', [{ cluster: '', weight: 1 }]],
  ])('answers 500 for a rule with %s', (_, backends) => {
    const decision = answered(get('/'), configuration(routeTo('a', '/', { action: forwardTo('a', { backends }) })))
    expect(decision).toMatchObject({ status: 500, flags: [] })
    expect(decision.detail).toContain('route "to-a"')
  })

  it('answers 503 for an invalid backend of a rule that says so', () => {
    const action = { ...forwardTo('a', { backends: [{ cluster: '', weight: 1 }] }), invalidBackendStatus: 503 as const }
    expect(answered(get('/'), configuration(routeTo('a', '/', { action }))).status).toBe(503)
  })

  it('has a request pass the filters of its route before it goes on with what they made of it', () => {
    const spec = { request: { ...noChanges, set: [{ name: 'x-by', value: 'filter' }] }, response: noChanges }
    const filters = [{ kind: 'transformation' as const, spec }]
    const action = forwardTo('v1', { rewrite: { path: { kind: 'full', value: '/whole' } } })
    const received = get('/v1/x')
    const routes = compileRouteConfiguration(configuration(routeTo('v1', '/', { action, filters })))
    const decision = decide(received, routes, random, new ManualClock())
    if (decision.kind !== 'filter') throw new Error(`not filtered: ${decision.kind}`)
    expect(decision).toMatchObject({ filters, request: { path: '/v1/x' }, route: { name: 'to-v1' } })
    decision.request.headers.set('x-by', 'filter')
    const next = decision.proceed()
    if (next.kind !== 'forward') throw new Error(`no forward: ${next.kind}`)
    expect(next).toMatchObject({ cluster: 'v1', request: { path: '/whole' }, routed: { path: '/v1/x' } })
    expect(next.request.headers.get('x-by')).toBe('filter')
    expect(received.headers.has('x-by')).toBe(false)
  })

  it('draws backends by weight, the invalid share answering 500', () => {
    const backends = [
      { cluster: 'v1', weight: 70 },
      { cluster: 'v2', weight: 20 },
      { cluster: '', weight: 10 },
      { cluster: 'never', weight: 0 },
    ]
    const routes = compileRouteConfiguration(configuration(routeTo('a', '/', { action: forwardTo('a', { backends }) })))
    const seen: Record<string, number> = {}
    for (let i = 0; i < 10_000; i++) {
      const decision = decide(get('/'), routes, random, new ManualClock())
      const key =
        decision.kind === 'forward'
          ? decision.cluster
          : decision.kind === 'respond'
            ? String(decision.status)
            : decision.kind
      seen[key] = (seen[key] ?? 0) + 1
      if (decision.kind === 'forward') {
        expect(decision.split).toMatchObject({ total: 100, cluster: decision.cluster })
        expect(decision.split?.drawn).toBeLessThan(90)
      }
    }
    expect(Object.keys(seen).toSorted()).toEqual(['500', 'v1', 'v2'])
    expect(seen['v1']).toBeGreaterThan(6700)
    expect(seen['v1']).toBeLessThan(7300)
    expect(seen['500']).toBeGreaterThan(850)
    expect(seen['500']).toBeLessThan(1150)
  })

  it('redirects, with the response changes of the route', () => {
    const route = routeTo('a', '/', {
      action: { kind: 'redirect', redirect: { hostname: 'example.org', statusCode: 302 } },
      responseHeaders: { ...noChanges, set: [{ name: 'x-why', value: 'moved' }] },
    })
    const decision = answered(get('/x?y=1', {}, 'reviews'), configuration(route))
    expect(decision).toMatchObject({ status: 302, body: '', flags: [] })
    expect([...decision.headers]).toEqual([
      ['location', 'http://example.org/x?y=1'],
      ['x-why', 'moved'],
    ])
  })

  it('answers directly', () => {
    const route = routeTo('a', '/', { action: { kind: 'direct-response', status: 503, body: 'closed\n' } })
    expect(answered(get('/'), configuration(route))).toMatchObject({ status: 503, body: 'closed\n', flags: [] })
  })

  it('names the mirrors drawn', () => {
    const mirrors = [
      { cluster: 'always', numerator: 100, denominator: 100 },
      { cluster: 'never', numerator: 0, denominator: 100 },
    ]
    const decision = forwarded(get('/'), configuration(routeTo('a', '/', { action: forwardTo('a', { mirrors }) })))
    expect(decision.mirrors).toEqual(['always'])
  })

  describe('with CORS', () => {
    const cors = {
      allowOrigins: ['https://a.example'],
      allowCredentials: false,
      allowMethods: ['PUT'],
      allowHeaders: [],
      exposeHeaders: [],
      maxAgeSeconds: 5,
    }
    const config = configuration(routeTo('a', '/', { cors }))

    it('answers a preflight itself', () => {
      const request = get('/', { origin: 'https://a.example', 'access-control-request-method': 'PUT' })
      request.method = 'OPTIONS'
      const decision = answered(request, config)
      expect(decision).toMatchObject({ status: 204, body: '' })
      expect(decision.headers.get('access-control-allow-origin')).toBe('https://a.example')
    })

    it('marks the response to the actual request', () => {
      const response = ok({ vary: 'Accept' })
      forwarded(get('/', { origin: 'https://a.example' }), config).modifyResponse(response)
      expect(response.headers.get('access-control-allow-origin')).toBe('https://a.example')
      expect(response.headers.get('vary')).toBe('Accept, Origin')
    })

    it('marks answers of its own as well, so that the page can read them', () => {
      const route = routeTo('a', '/', { cors, action: { kind: 'direct-response', status: 418 } })
      const decision = answered(get('/', { origin: 'https://a.example' }), configuration(route))
      expect(decision.headers.get('access-control-allow-origin')).toBe('https://a.example')
    })
  })

  it('refuses a configuration that cannot be compiled, naming the route', () => {
    const bad = routeTo('a', '/', { match: { path: { kind: 'regex', value: '(' }, headers: [], queryParams: [] } })
    expect(() => compileRouteConfiguration(configuration(bad))).toThrow(
      'virtual host "reviews", route "to-a": not a regular expression: "("',
    )
  })
})
