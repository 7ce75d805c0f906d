import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { MemoryConnection } from '../../../test/kit/memory-connection.ts'
import { HeaderList } from '../../core/header-list.ts'
import { CircuitBreaker } from '../../policies/circuit-breaker/circuit-breaker.runtime.ts'
import type { ClientConnection, ClientStreamHandler } from '../codec/http-stream.ts'
import { Http1ClientConnection } from '../codec/http1/client-connection.ts'
import { EndpointPool, poolLimits } from './endpoint-pool.ts'

const ignore: ClientStreamHandler = {
  onInformational() {},
  onHead() {},
  onData() {},
  onEnd() {},
  onDrain() {},
  onFailed() {},
}
const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

interface TestPool {
  readonly clock: ManualClock
  readonly pool: EndpointPool
  /** The server's ends. */
  readonly far: MemoryConnection[]
  /** A connection, or why there is none. */
  readonly acquire: () => Promise<ClientConnection | string>
  /** Sends a request and has it answered with these header lines. */
  readonly exchange: (lines?: string) => Promise<ClientConnection>
}

const never = (): Promise<MemoryConnection> => new Promise(() => {})
const unbounded = { maxConnections: Infinity, maxPendingRequests: Infinity, maxRequests: Infinity }

function createTestPool(
  connect?: () => Promise<MemoryConnection>,
  breaker: CircuitBreaker = new CircuitBreaker(unbounded),
): TestPool {
  const clock = new ManualClock()
  const far: MemoryConnection[] = []
  const open = (): Promise<MemoryConnection> => {
    const [near, other] = MemoryConnection.pair()
    far.push(other)
    return Promise.resolve(near)
  }
  const observer = { opened() {}, closed() {}, connectFailed() {}, overflowed() {} }
  const pool = new EndpointPool({
    clock,
    connect: connect ?? open,
    createClient: (connection, events) => new Http1ClientConnection(connection, events),
    multiplexed: false,
    breaker,
    observer,
  })
  const acquire = (): Promise<ClientConnection | string> =>
    new Promise((resolve) => {
      pool.acquire({ connectionReady: resolve, connectionFailed: (kind) => resolve(kind) })
    })
  return {
    clock,
    pool,
    far,
    acquire,
    async exchange(lines = '') {
      const client = (await acquire()) as ClientConnection
      const head = { method: 'GET', scheme: 'http', authority: 'a', path: '/', headers: new HeaderList() } as const
      client.send({ head, length: 0, upgrade: undefined }, ignore)
      await settle()
      const response = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${lines}\r\n`)
      for (const connection of far) if (!connection.closed) connection.write(response)
      await settle()
      return client
    },
  }
}

describe('a pool', () => {
  it('uses the newest idle connection again', async () => {
    const { exchange, far, pool } = createTestPool()
    const client = await exchange()
    expect(await exchange()).toBe(client)
    expect(far).toHaveLength(1)
    expect(pool.counts).toEqual({ open: 1, idle: 1, connecting: 0, pending: 0 })
  })

  it('closes what was idle for too long', async () => {
    const { exchange, far, clock, pool } = createTestPool()
    await exchange()
    clock.advance(poolLimits.idleMs - 1)
    expect(far[0]?.closed).toBe(false)
    clock.advance(1)
    await settle()
    expect(far[0]?.closed).toBe(true)
    expect(pool.counts.open).toBe(0)
  })

  it('leaves a server that says how long it waits well before it stops waiting', async () => {
    const { exchange, far, clock } = createTestPool()
    await exchange('Keep-Alive: timeout=5\r\n')
    clock.advance(3_999)
    expect(far[0]?.closed).toBe(false)
    clock.advance(1)
    await settle()
    expect(far[0]?.closed).toBe(true)
  })

  it('does not keep what the server wants closed, and not what it closed', async () => {
    const { exchange, far, pool } = createTestPool()
    await exchange('Connection: close\r\n')
    expect(pool.counts.idle).toBe(0)
    await exchange()
    far[1]?.end()
    await settle()
    expect(pool.counts).toMatchObject({ open: 0, idle: 0 })
  })

  it('opens one connection a waiter, and fails one waiter a failure', async () => {
    let tries = 0
    const { acquire } = createTestPool(() => {
      tries++
      return Promise.reject(new Error('refused'))
    })
    expect(await Promise.all([acquire(), acquire()])).toEqual(['connect-failure', 'connect-failure'])
    expect(tries).toBe(2)
  })

  it('fails who waits when a new connection is beyond its certificates already', async () => {
    let tries = 0
    const { acquire, pool } = createTestPool(() => {
      tries++
      const [near] = MemoryConnection.pair()
      near.tls = { peerSpiffeId: 'spiffe://mesh.local/ns/a/sa/b', notAfterMs: 0, alpn: undefined, sni: undefined }
      return Promise.resolve(near)
    })
    expect(await acquire()).toBe('connect-failure')
    await settle()
    expect(tries).toBe(1)
    expect(pool.counts).toEqual({ open: 0, idle: 0, connecting: 0, pending: 0 })
  })

  it('lets no more wait than it should', async () => {
    const { acquire, pool } = createTestPool(() => new Promise(() => {}))
    for (let waiting = 0; waiting < poolLimits.pending; waiting++) void acquire()
    expect(pool.counts).toMatchObject({ pending: poolLimits.pending, connecting: poolLimits.connections })
    expect(await acquire()).toBe('overflow')
  })

  it('opens no more connections than the circuit breaker allows, but always one', async () => {
    const breaker = new CircuitBreaker({ ...unbounded, maxConnections: 2 })
    breaker.connections = 1
    const { acquire, pool, far } = createTestPool(undefined, breaker)
    const first = (await acquire()) as ClientConnection
    const head = { method: 'GET', scheme: 'http', authority: 'a', path: '/', headers: new HeaderList() } as const
    first.send({ head, length: 0, upgrade: undefined }, ignore)
    void acquire()
    await settle()
    expect(pool.counts).toMatchObject({ open: 1, pending: 1, connecting: 0 })
    const other = createTestPool(undefined, breaker)
    expect(await other.acquire()).not.toBe('overflow')
    expect(breaker.connections).toBe(3)
    other.pool.drain()
    far[0]?.write(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'))
    await settle()
    expect(breaker).toMatchObject({ connections: 2, pending: 0 })
  })

  it('refuses to let more wait than the circuit breaker allows, over all endpoints', async () => {
    const breaker = new CircuitBreaker({ ...unbounded, maxPendingRequests: 2 })
    const [one, another] = [createTestPool(never, breaker), createTestPool(never, breaker)]
    const taken = { connectionReady: () => expect.unreachable(), connectionFailed: () => expect.unreachable() }
    one.pool.acquire(taken)
    void another.acquire()
    expect(await another.acquire()).toBe('overflow')
    one.pool.cancel(taken)
    expect(breaker.pending).toBe(1)
  })

  it('gives a taken-back connection to the next', async () => {
    const { pool, acquire, far } = createTestPool()
    const gone = { connectionReady: () => expect.unreachable(), connectionFailed: () => expect.unreachable() }
    pool.acquire(gone)
    pool.cancel(gone)
    await settle()
    expect(pool.counts.idle).toBe(1)
    await acquire()
    expect(far).toHaveLength(1)
  })

  it('closes idle connections when it drains, busy ones after their request', async () => {
    const { pool, exchange, acquire, far } = createTestPool()
    await exchange()
    const busy = (await acquire()) as ClientConnection
    const head = { method: 'GET', scheme: 'http', authority: 'a', path: '/', headers: new HeaderList() } as const
    busy.send({ head, length: 0, upgrade: undefined }, ignore)
    pool.drain()
    expect(far[0]?.closed).toBe(false)
    far[0]?.write(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'))
    await settle()
    expect(far[0]?.closed).toBe(true)
  })
})
