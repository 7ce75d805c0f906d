// External authorization through a cluster, against real servers: gRPC on grpc-js, HTTP on node:http.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener, Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, it } from 'node:test'

import { status } from '@grpc/grpc-js'

import type { FilteredRequest, FilterResult, HttpFilter } from '../../src/contracts/http-filter.ts'
import { systemClock } from '../../src/core/clock.ts'
import { DeadlineList } from '../../src/core/deadline-list.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { MetricRegistry } from '../../src/core/metrics/metric-registry.ts'
import { createRandom } from '../../src/core/random.ts'
import { WatchableValue } from '../../src/core/watchable.ts'
import { externalAuthorizationFilter } from '../../src/policies/external-authorization/external-authorization.runtime.ts'
import type {
  ExternalAuthorizationSpec,
  HttpAuthorizationService,
} from '../../src/policies/external-authorization/external-authorization.spec.ts'
import { ClusterSet } from '../../src/proxy/cluster/cluster-set.ts'
import { resolveBySystem } from '../../src/proxy/cluster/dns-resolver.ts'
import { createAskAuthorization } from '../../src/proxy/filter/ask-authorization.ts'
import { createIoBackend } from '../../src/proxy/io/create-io-backend.ts'
import { ProxyMetrics } from '../../src/proxy/telemetry/proxy-metrics.ts'
import { grpcAuthorizationServer } from '../kit/grpc-authorization-server.ts'
import { request } from '../kit/json-web-tokens.ts'
import { clusterOf } from '../kit/request-line.ts'
import { until } from '../kit/until.ts'

const closers: (() => void)[] = []

afterEach(() => {
  for (const close of closers.splice(0)) close()
})

const grpcSpec: ExternalAuthorizationSpec = {
  service: { kind: 'grpc', cluster: 'auth' },
  timeoutMs: 5_000,
  failOpen: false,
  statusOnError: 403,
  headersInCheck: [],
}

function httpSpec(service: Partial<HttpAuthorizationService> = {}): ExternalAuthorizationSpec {
  const base = { kind: 'http', cluster: 'auth', pathPrefix: '' } as const
  return { ...grpcSpec, service: { ...base, headersToUpstreamOnAllow: [], headersToDownstreamOnDeny: [], ...service } }
}

/** The cluster `auth`: a server on that port of this machine. */
function serverAt(port: number): ClusterSet {
  const clusters = new ClusterSet({
    io: createIoBackend(systemClock, 'auto').io,
    clock: systemClock,
    random: createRandom(7),
    credentials: new WatchableValue(undefined),
    connections: new ProxyMetrics(new MetricRegistry(silentLogger), { workload: 'a/b', spiffeId: '' }),
    secret: () => undefined,
    resolveHost: resolveBySystem,
  })
  clusters.update(new Map([['auth', clusterOf('auth', [{ port }])]]))
  closers.push(() => clusters.drain())
  return clusters
}

function filterOf(spec: ExternalAuthorizationSpec, clusters: ClusterSet): HttpFilter {
  const clock = systemClock
  const ask = createAskAuthorization(spec.service, { clock, deadlines: new DeadlineList(clock), clusters })
  return externalAuthorizationFilter(spec, { clock, ask, principal: 'spiffe://m/ns/a/sa/b' })
}

function apply(filter: HttpFilter, one: FilteredRequest): Promise<FilterResult> {
  return Promise.resolve(filter.apply(one))
}

async function grpcServer(check: Parameters<typeof grpcAuthorizationServer>[0]): Promise<number> {
  const { server, port } = await grpcAuthorizationServer(check)
  closers.push(() => server.forceShutdown())
  return port
}

async function httpServer(answer: RequestListener): Promise<{ server: HttpServer; port: number }> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { server, port: (server.address() as AddressInfo).port }
}

it('asks by gRPC, and does what the answer says', async () => {
  const port = await grpcServer(({ request: { attributes } }, reply) => {
    const http = attributes?.request?.http
    if (http?.headers['x-user'] === 'alice' && attributes?.destination?.principal === 'spiffe://m/ns/a/sa/b') {
      const headers = [{ header: { key: 'x-group', value: http.path } }]
      reply(null, { httpResponse: { case: 'okResponse', value: { headers, headersToRemove: ['cookie'] } } })
    } else {
      const headers = [{ header: { key: 'www-authenticate', value: 'Basic' } }]
      const value = { status: { code: 401 }, headers, body: 'who are you?' } as const
      reply(null, { status: { code: 16 }, httpResponse: { case: 'deniedResponse', value } })
    }
  })
  const filter = filterOf(grpcSpec, serverAt(port))
  const alice = request(
    [
      ['x-user', 'alice'],
      ['x-group', 'forged'],
      ['cookie', 'c'],
    ],
    '/a?b=c',
  )
  assert.equal(await apply(filter, alice), undefined)
  assert.deepEqual(
    [...alice.head.headers],
    [
      ['x-user', 'alice'],
      ['x-group', '/a?b=c'],
    ],
  )
  assert.deepEqual(await apply(filter, request([])), {
    status: 401,
    flags: ['UAEX'],
    detail: 'who are you?',
    headers: ['www-authenticate', 'Basic'],
  })
})

it('lets nobody pass while the gRPC server is away, fails, or is silent, and goes on when it is back', async () => {
  let behaviour: 'allow' | 'fail' | 'silent' = 'fail'
  let cancelled = false
  const port = await grpcServer((call, reply) => {
    if (behaviour === 'allow') reply(null, {})
    if (behaviour === 'fail') reply({ code: status.INTERNAL, details: 'broken' })
    if (behaviour === 'silent') call.on('cancelled', () => (cancelled = true))
  })
  const server = serverAt(port)
  const filter = filterOf({ ...grpcSpec, statusOnError: 503 }, server)
  assert.equal((await apply(filter, request([])))?.status, 503)
  behaviour = 'silent'
  assert.equal((await apply(filterOf({ ...grpcSpec, timeoutMs: 50 }, server), request([])))?.status, 403)
  await until('the server knows that nobody waits', () => cancelled)
  behaviour = 'allow'
  assert.equal(await apply(filter, request([])), undefined)

  const nobody = serverAt(1)
  assert.equal((await apply(filterOf(grpcSpec, nobody), request([])))?.status, 403)
  assert.equal(await apply(filterOf({ ...grpcSpec, failOpen: true }, nobody), request([])), undefined)
  server.update(new Map())
  assert.equal((await apply(filter, request([])))?.status, 503, 'no cluster')
})

it('asks by HTTP, and does what the answer says', async () => {
  const seen: IncomingMessage[] = []
  const { port } = await httpServer((asked, response) => {
    seen.push(asked)
    if (asked.headers.authorization === 'good') response.writeHead(200, { 'x-user': 'alice', 'x-other': 'o' }).end()
    else response.writeHead(302, { location: '/login', 'x-why': 'w' }).end('log in')
  })
  const spec = httpSpec({ headersToUpstreamOnAllow: ['x-user'], pathPrefix: '/check' })
  const filter = filterOf({ ...spec, headersInCheck: ['*'] }, serverAt(port))
  const headers: [string, string][] = [
    ['authorization', 'good'],
    ['x-user', 'forged'],
    ['content-length', '5'],
    ['expect', '100-continue'],
  ]
  const good = request(headers, '/a?b=c')
  good.head.method = 'POST'
  assert.equal(await apply(filter, good), undefined)
  assert.equal(good.head.headers.get('x-user'), 'alice')
  assert.equal(good.head.headers.has('x-other'), false)
  assert.equal(seen[0]?.method, 'POST')
  assert.equal(seen[0]?.url, '/check/a?b=c')
  assert.equal(seen[0]?.headers.host, 'shop.example')
  assert.ok(['0', undefined].includes(seen[0]?.headers['content-length']))
  assert.equal(seen[0]?.headers.expect, undefined)

  const bad = await apply(filter, request([['authorization', 'bad']]))
  assert.equal(bad?.status, 302)
  assert.equal(bad?.detail, 'log in')
  assert.deepEqual(bad?.headers, ['location', '/login', 'x-why', 'w'])
})

it('lets nobody pass while the HTTP server is away, fails, is silent, or says too much', async () => {
  let behaviour: 'allow' | 'fail' | 'silent' | 'talk' | 'break' = 'fail'
  let gone = false
  const { server, port } = await httpServer((_, response) => {
    if (behaviour === 'allow') response.end()
    if (behaviour === 'fail') response.writeHead(500).end()
    if (behaviour === 'silent') response.on('close', () => (gone = true))
    if (behaviour === 'talk') response.writeHead(200).end('a'.repeat(64 * 1024 + 1))
    if (behaviour === 'break') response.writeHead(200, { 'content-length': 9 }).write('a', () => response.destroy())
  })
  const clusters = serverAt(port)
  const filter = filterOf(httpSpec(), clusters)
  for (const bad of ['fail', 'talk', 'break'] as const) {
    behaviour = bad
    assert.equal((await apply(filter, request([])))?.status, 403, bad)
  }
  behaviour = 'silent'
  assert.equal((await apply(filterOf({ ...httpSpec(), timeoutMs: 50 }, clusters), request([])))?.status, 403)
  await until('the server sees that nobody waits', () => gone)
  behaviour = 'allow'
  assert.equal(await apply(filter, request([])), undefined)
  server.closeAllConnections()
  assert.equal(await apply(filter, request([])), undefined, 'an idle connection that was closed is no reason')
  clusters.update(new Map())
  assert.equal((await apply(filter, request([])))?.status, 403, 'no cluster')
  assert.equal((await apply(filterOf(httpSpec(), serverAt(1)), request([])))?.status, 403)
})
