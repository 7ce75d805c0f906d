// Every feature of HTTPRoute once.
import { MeshBuilder, forward, match, route } from '../../kit/mesh-builder.ts'
import { node } from './golden-case.ts'
import type { GoldenCase } from './golden-case.ts'

const other = 'other.default.svc.cluster.local'

export const golden: GoldenCase = {
  mesh: new MeshBuilder()
    .workload('default', 'web', { ports: [] })
    .service('default', 'other', {
      workloads: [],
      servicePort: { traffic: { stickySplit: [{ kind: 'header', name: 'x-user', terminal: true }] } },
    })
    .service('default', 'routed', {
      workloads: [],
      routes: [
        route(
          'session in a cookie',
          forward(['other=70', 'routed=30'], {
            sessionPersistence: { carrier: 'cookie', name: 'place', absoluteTimeoutMs: 3_600_000, permanent: true },
          }),
        ),
        route(
          'session in a header',
          forward(['other'], {
            sessionPersistence: { carrier: 'header', name: 'x-place', absoluteTimeoutMs: 60_000, idleTimeoutMs: 1_000 },
          }),
        ),
        route('exact', forward(['other']), { match: match({ path: { kind: 'exact', value: '/exact' } }) }),
        route('prefix', forward(['other']), { match: match({ path: { kind: 'prefix', value: '/prefix' } }) }),
        route('regex', forward(['other']), { match: match({ path: { kind: 'regex', value: '/re(gex)+' } }) }),
        route('method, header, query', forward(['other']), {
          match: match({
            method: 'PUT',
            headers: [
              { name: 'version', kind: 'exact', value: 'two' },
              { name: 'color', kind: 'regex', value: 'blue|green' },
            ],
            queryParams: [{ name: 'animal', kind: 'exact', value: 'whale' }],
          }),
        }),
        route('split', {
          ...forward(['other=70', 'routed=30']),
          backends: [
            { host: other, port: 80, weight: 70 },
            {
              host: other,
              port: 80,
              weight: 30,
              requestHeaders: { set: [{ name: 'x-share', value: '30%' }], add: [], remove: ['x-old'] },
              responseHeaders: { set: [], add: [{ name: 'x-from', value: 'other' }], remove: [] },
            },
          ],
        }),
        route('partly invalid', { ...forward([]), backends: [{ host: other, port: 80, weight: 1 }, { port: 80, weight: 1 }] }),
        route('invalid', { kind: 'invalid', status: 500 }),
        route('no weight', forward(['other=0'])),
        route(
          'headers and CORS',
          forward(['other']),
          {
            requestHeaders: { set: [{ name: 'a', value: '1' }], add: [{ name: 'b', value: '' }], remove: ['c'] },
            responseHeaders: { set: [], add: [{ name: 'd', value: '2' }], remove: [] },
            cors: {
              allowOrigins: ['https://shop.example', 'https://*.shop.example'],
              allowCredentials: true,
              allowMethods: ['GET', 'PUT'],
              allowHeaders: ['x-token'],
              exposeHeaders: ['x-count'],
              maxAgeSeconds: 600,
            },
          },
        ),
        route('redirect', {
          kind: 'redirect',
          redirect: {
            scheme: 'https',
            hostname: 'example.org',
            port: 8443,
            path: { kind: 'full', value: '/moved' },
            statusCode: 308,
          },
        }),
        route(
          'redirect prefix',
          { kind: 'redirect', redirect: { path: { kind: 'prefix', value: '/new' }, statusCode: 302 } },
          { match: match({ path: { kind: 'prefix', value: '/old' } }) },
        ),
        route('rewrite', forward(['other'], { rewrite: { hostname: 'other.example', path: { kind: 'full', value: '/' } } })),
        route(
          'take the prefix away',
          forward(['other'], { rewrite: { path: { kind: 'prefix', value: '/' } } }),
          { match: match({ path: { kind: 'prefix', value: '/v1' } }) },
        ),
        route(
          'mirrors, timeouts, retries',
          forward(['other'], {
            mirrors: [
              { host: other, port: 80, numerator: 5, denominator: 100 },
              { host: other, port: 80, numerator: 1, denominator: 3 },
            ],
            timeouts: { requestMs: 1_500, backendRequestMs: 500 },
            retry: { attempts: 3, statusCodes: [502, 503], backoffMs: 100 },
          }),
        ),
      ],
    }),
  node: node('sidecar', 'default', 'web'),
}
