// The ports with which a sidecar tells about itself, over real sockets.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'

import { HttpClient } from '../../src/cli/mesh/http-client.ts'
import { SidecarClient, type ProxyEndpoint } from '../../src/cli/mesh/sidecar-client.ts'
import type { DecisionRecord } from '../../src/contracts/decision-record.ts'
import { systemClock } from '../../src/core/clock.ts'
import { createAdminServer, createMetricsServer, type AdminServerOptions } from '../../src/proxy/admin/admin-server.ts'
import type { ListeningState } from '../../src/proxy/listener/listener-set.ts'
import type { ListenerConfig } from '../../src/proxy/runtime/runtime-config.ts'
import { toDecisionRecord } from '../../src/proxy/telemetry/decision-records.ts'
import { Tap } from '../../src/proxy/telemetry/tap.ts'
import { configOf, listenerOn } from '../kit/request-line.ts'
import { sampleExchange } from '../kit/sample-exchange.ts'
import { until } from '../kit/until.ts'

const token = 'the-token'

interface Fixture {
  readonly url: string
  readonly tap: Tap
  readonly http: HttpClient
  readonly sidecar: SidecarClient
  readonly endpoint: ProxyEndpoint
}

async function start(t: TestContext, changes: Partial<AdminServerOptions> = {}): Promise<Fixture> {
  const tap = new Tap()
  const server = await createAdminServer({
    address: '127.0.0.1:0',
    token,
    clock: systemClock,
    isReady: () => true,
    config: () => configOf({}, '7'),
    listening: () => new Map(),
    svid: () => undefined,
    clusters: () => ({ live: true }),
    stats: () => ({ requests: 3 }),
    plaintextCallers: () => [],
    tap,
    ...changes,
  })
  const http = new HttpClient()
  const sidecar = new SidecarClient(token)
  t.after(async () => {
    http.close()
    sidecar.close()
    await server.stop()
  })
  const url = `http://${server.address}`
  const endpoint = { kind: 'sidecar', namespace: 'default', name: 'web', adminUrl: url, metricsUrl: '' } as const
  return { url, tap, http, sidecar, endpoint }
}

function record(path: string, status: number): DecisionRecord {
  const exchange = sampleExchange({ status })
  exchange.request.path = path
  const identity = { workload: 'default/web', spiffeId: 'spiffe://mesh.local/ns/default/sa/web' }
  return toDecisionRecord(exchange, identity, `${path}-${status}`, 0)
}

test('shows configuration, statistics and certificates to whoever has the token, and readiness to all', async (t) => {
  let ready = false
  const { url, http, sidecar, endpoint } = await start(t, { isReady: () => ready })
  assert.deepEqual(await sidecar.admin(endpoint, '/config_dump'), {
    revision: '7',
    listeners: [],
    routeConfigurations: [],
    clusters: [],
  })
  assert.deepEqual(await sidecar.admin(endpoint, '/stats'), { requests: 3 })
  assert.deepEqual(await sidecar.admin(endpoint, '/certs'), [])
  for (const path of ['/config_dump', '/certs', '/tap', '/stats', '/nothing']) {
    assert.equal((await http.ask(`${url}${path}`)).status, 401, path)
    assert.equal((await http.ask(`${url}${path}`, { token: 'wrong' })).status, 401, path)
  }
  assert.equal((await http.ask(`${url}/nothing`, { token })).status, 404)
  assert.equal((await http.ask(`${url}/stats`, { token, method: 'DELETE' })).status, 405)
  assert.equal((await http.ask(`${url}//`)).status, 400)
  assert.equal((await http.ask(`${url}/ready`)).status, 503)
  ready = true
  assert.equal((await http.ask(`${url}/ready`)).status, 200)
})

function listener(name: string, port: number): ListenerConfig {
  return { ...listenerOn(port, { kind: 'rds', name }, { name, direction: 'gateway' }), filterChains: [] }
}

test('tells which listeners accept connections, and why others do not', async (t) => {
  const listeners = [listener('a', 1), listener('b', 2), listener('c', 3)]
  const { sidecar, endpoint } = await start(t, {
    config: () => configOf({ listeners }, '7'),
    listening: () =>
      new Map<string, ListeningState>([
        ['a', 'listening'],
        ['b', new Error('EADDRINUSE')],
      ]),
  })
  assert.deepEqual(await sidecar.admin(endpoint, '/listeners'), [
    { name: 'a', address: '127.0.0.1:1', state: 'listening' },
    { name: 'b', address: '127.0.0.1:2', state: 'failed', error: 'EADDRINUSE' },
    { name: 'c', address: '127.0.0.1:3', state: 'opening' },
  ])
})

test('streams the records that fit, and listens no longer than its reader', async (t) => {
  const { tap, sidecar, endpoint } = await start(t)
  const reading = new AbortController()
  const query = new URLSearchParams({ path: '/cart', status: '503' })
  const stream = await sidecar.tap(endpoint, query, reading.signal)
  let text = ''
  stream.on('data', (bytes: Buffer) => (text += bytes.toString())).on('error', () => {})
  await until('somebody listens', () => tap.active)
  for (const [path, status] of [
    ['/cart/1', 503],
    ['/cart/2', 500],
    ['/shop', 503],
    ['/cart/3', 503],
  ] as const) {
    tap.consume(record(path, status), sampleExchange())
  }
  await until('two lines', () => text.split('\n').length === 3)
  const paths = text
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as DecisionRecord).request.path)
  assert.deepEqual(paths, ['/cart/1', '/cart/3'])
  reading.abort()
  await until('nobody listens', () => !tap.active)
})

test('leaves records out rather than keep them for a reader that does not read', async (t) => {
  const { tap, sidecar, endpoint } = await start(t)
  const reading = new AbortController()
  t.after(() => reading.abort())
  const stream = await sidecar.tap(endpoint, new URLSearchParams(), reading.signal)
  stream.on('error', () => {})
  await until('somebody listens', () => tap.active)
  const big = { ...record(`/${'x'.repeat(10_000)}`, 200) }
  for (let sent = 0; sent < 2000; sent++) tap.consume(big, sampleExchange())
  let text = ''
  stream.on('data', (bytes: Buffer) => (text += bytes.toString()))
  await until('said how many', () => {
    tap.consume(record('/last', 200), sampleExchange())
    return /\{"dropped":\d+\}/.test(text)
  })
})

test('serves metrics and health to all', async (t) => {
  const server = await createMetricsServer({
    address: '127.0.0.1:0',
    pages: { '/metrics': () => ({ type: 'text/plain', body: 'heddle_requests_total 3\n' }) },
  })
  const http = new HttpClient()
  t.after(async () => {
    http.close()
    await server.stop()
  })
  assert.equal((await http.ask(`http://${server.address}/metrics`)).text, 'heddle_requests_total 3\n')
  assert.equal((await http.ask(`http://${server.address}/healthz`)).status, 200)
  await assert.rejects(createMetricsServer({ address: server.address, pages: {} }), {
    code: 'EADDRINUSE',
  })
})
