// Circuit breakers on real sockets: what runs into a limit is answered at once, and nothing else is touched.
import assert from 'node:assert/strict'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net'
import { afterEach, describe, it } from 'node:test'

import type { CircuitBreakerSpec } from '../../src/policies/circuit-breaker/circuit-breaker.spec.ts'
import { send, type WireResponse } from '../kit/http-client.ts'
import {
  clusterOf,
  configOf,
  freePort,
  listenerOn,
  listenerWith,
  routesTo,
  startLine,
  tcpChain,
  type TestLine,
} from '../kit/request-line.ts'
import { until } from '../kit/until.ts'

let test: TestLine | undefined
let server: Server | undefined
let held: ServerResponse[] = []

afterEach(async () => {
  for (const response of held) response.end()
  held = []
  server?.closeAllConnections()
  server?.close()
  await test?.line.stop()
})

const unbounded: CircuitBreakerSpec = { maxConnections: Infinity, maxPendingRequests: Infinity, maxRequests: Infinity }

/** In front of an application that answers when `held` is let go. */
async function front(limits: Partial<CircuitBreakerSpec>): Promise<() => Promise<WireResponse>> {
  server = createServer((request, response) => {
    request.resume()
    held.push(response)
  })
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  const port = await freePort()
  const endpoints = [{ port: (server.address() as AddressInfo).port }]
  test = await startLine(
    configOf({
      listeners: [listenerOn(port, { kind: 'rds', name: 'routes' })],
      routes: [routesTo('app')],
      clusters: [clusterOf('app', endpoints, { circuitBreaker: { ...unbounded, ...limits } })],
    }),
  )
  return () => send({ address: `127.0.0.1:${port}`, target: '/' })
}

function letGo(): void {
  for (const response of held.splice(0)) response.end('done')
}

describe('a circuit breaker', () => {
  it('refuses the request beyond maxRequests with 503 UO, and takes the next when there is room', async () => {
    const call = await front({ maxRequests: 2 })
    const first = [call(), call()]
    await until('two requests are under way', () => held.length === 2)
    const refused = await call()
    assert.equal(refused.status, 503)
    assert.match(refused.body, /app has as many requests under way as its circuit breaker allows/)
    assert.deepEqual(test?.exchanges.at(-1)?.flags, ['UO'])
    letGo()
    assert.deepEqual(
      (await Promise.all(first)).map(({ status }) => status),
      [200, 200],
    )
    const next = call()
    await until('the next is under way', () => held.length === 1)
    letGo()
    assert.equal((await next).status, 200)
  })

  it('lets requests wait for one of maxConnections, and refuses those beyond maxPendingRequests', async () => {
    const call = await front({ maxConnections: 1, maxPendingRequests: 1 })
    const served = call()
    await until('the connection is busy', () => held.length === 1)
    const waiting = call()
    await until('one waits', () => test?.line.clusters().get('app')?.[0]?.connections.pending === 1)
    const refused = await call()
    assert.deepEqual([refused.status, test?.exchanges.at(-1)?.flags], [503, ['UO']])
    letGo()
    assert.equal((await served).status, 200)
    await until('the one that waited is served', () => held.length === 1)
    letGo()
    assert.equal((await waiting).status, 200)
    assert.equal(test?.upstreamConnections(), 1)
  })

  it('refuses connections of opaque bytes beyond maxConnections', async () => {
    const sockets = new Set<Socket>()
    const echo = createTcpServer((socket) => void socket.on('error', () => {}).pipe(socket))
    await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve))
    const port = await freePort()
    const endpoints = [{ port: (echo.address() as AddressInfo).port }]
    test = await startLine(
      configOf({
        listeners: [listenerWith(port, [tcpChain('app')], { inspect: { tls: false, http: false } })],
        clusters: [clusterOf('app', endpoints, { circuitBreaker: { ...unbounded, maxConnections: 1 } })],
      }),
    )
    /** What comes back of "hello"; '' when the connection ends first. */
    const hello = (): Promise<string> =>
      new Promise((resolve) => {
        const socket = connect(port, '127.0.0.1', () => socket.write('hello'))
        sockets.add(socket)
        socket.on('data', (bytes) => resolve(String(bytes))).on('error', () => {})
        socket.on('close', () => resolve(''))
      })
    assert.equal(await hello(), 'hello')
    assert.equal(await hello(), '')
    assert.deepEqual(test.exchanges.at(-1)?.flags, ['UO'])
    for (const socket of sockets) socket.destroy()
    await until('the connection has ended', () => test?.tcp.closed === 1)
    assert.equal(await hello(), 'hello')
    for (const socket of sockets) socket.destroy()
    echo.close()
  })
})
