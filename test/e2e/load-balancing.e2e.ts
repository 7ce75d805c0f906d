// Where requests go, on real sockets: keys stay where they are, cookies are given, slow endpoints are spared.
import assert from 'node:assert/strict'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, it } from 'node:test'

import type { HashPolicySpec, LoadBalancingSpec } from '../../src/policies/load-balancing/load-balancing.spec.ts'
import type { ForwardAction } from '../../src/proxy/runtime/runtime-config.ts'
import { send, type WireRequest, type WireResponse } from '../kit/http-client.ts'
import {
  clusterOf,
  configOf,
  forwardTo,
  freePort,
  listenerOn,
  routesTo,
  startLine,
  type TestLine,
} from '../kit/request-line.ts'
import { eventually } from '../kit/running-mesh.ts'

/** Many retries within a moment are what these tests are about. */
const unbounded = { percent: 100, intervalMs: 10_000, minRetries: 1_000, minIntervalMs: 1_000 }
const servers: Server[] = []
let test: TestLine | undefined

afterEach(async () => {
  await test?.line.stop()
  for (const server of servers.splice(0)) server.close().closeAllConnections()
})

async function application(answer: RequestListener): Promise<number> {
  const server = createServer((request, response) => void request.resume().on('end', () => answer(request, response)))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** So many, each of which answers with its number. */
const applications = (count: number): Promise<number[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => application((_request, response) => response.end(String(i)))))

interface Front {
  call(request?: Partial<WireRequest>): Promise<WireResponse>
  /** From now on the cluster has these endpoints. */
  change(ports: readonly number[]): void
}

async function front(
  ports: readonly number[],
  loadBalancing: LoadBalancingSpec,
  hashPolicies: readonly HashPolicySpec[] = [],
): Promise<Front> {
  const port = await freePort()
  const config = (list: readonly number[]) =>
    configOf({
      listeners: [listenerOn(port, { kind: 'rds', name: 'routes' })],
      routes: [routesTo('app', { action: { ...forwardTo('app'), hashPolicies } })],
      clusters: [
        clusterOf(
          'app',
          list.map((one) => ({ port: one })),
          { loadBalancing, retryConstraint: unbounded },
        ),
      ],
    })
  const line = await startLine(config(ports))
  test = line
  return {
    call: (request = {}) => send({ address: `127.0.0.1:${port}`, target: '/', ...request }),
    change: (list) => line.runtime.set(config(list)),
  }
}

const ringHash = { kind: 'ring-hash', minRingSize: 1_024, maxRingSize: 262_144 } as const
const maglev = { kind: 'maglev', tableSize: 65_537 } as const
const byUser = [{ kind: 'header', name: 'x-user' }] as const
const users = Array.from({ length: 40 }, (_, i) => `user-${i}`)

/** Where each user is served. */
async function placesOf(line: Front): Promise<string[]> {
  const places: string[] = []
  for (const user of users) places.push((await line.call({ headers: { 'x-user': user } })).body)
  return places
}

describe('requests with a key', () => {
  for (const spec of [ringHash, maglev]) {
    it(`stay where they are with ${spec.kind}, also those of others when an endpoint goes`, async () => {
      const ports = await applications(5)
      const line = await front(ports, spec, byUser)
      const before = await placesOf(line)
      assert.deepEqual(await placesOf(line), before)
      assert.ok(new Set(before).size === 5)
      line.change(ports.slice(1))
      const after = await placesOf(line)
      for (const [i, place] of after.entries()) {
        if (before[i] === '0') assert.notEqual(place, '0')
        else assert.equal(place, before[i])
      }
      line.change(ports)
      assert.deepEqual(await placesOf(line), before)
    })
  }

  it('are retried on one and the same other endpoint', async () => {
    const ports = await applications(4)
    const line = await front(ports, maglev, byUser)
    const before = await placesOf(line)
    servers[1]?.close()
    servers[1]?.closeAllConnections()
    const after = await placesOf(line)
    assert.deepEqual(await placesOf(line), after)
    for (const [i, place] of after.entries()) if (before[i] !== '1') assert.equal(place, before[i])
  })

  it('are given a cookie when they have none, and stay with it', async () => {
    const line = await front(await applications(5), ringHash, [
      { kind: 'cookie', name: 'place', path: '/', ttlMs: 60_000 },
    ])
    const places = new Set<string>()
    for (let visitor = 0; visitor < 20; visitor++) {
      const first = await line.call()
      const given = first.headers['set-cookie'] ?? ''
      assert.match(given, /^place=[0-9a-f]{16}; Max-Age=60; Path=\/; HttpOnly$/)
      places.add(first.body)
      for (let visit = 0; visit < 3; visit++) {
        const again = await line.call({ headers: { cookie: given.split(';')[0] as string } })
        assert.equal(again.body, first.body)
        assert.equal(again.headers['set-cookie'], undefined)
      }
    }
    assert.ok(places.size > 2)
  })

  it('are known by the identity of the sidecar and by the address of the caller', async () => {
    for (const kind of ['source-identity', 'source-address'] as const) {
      const line = await front(await applications(5), maglev, [{ kind }])
      const places = new Set<string>()
      for (let i = 0; i < 20; i++) places.add((await line.call()).body)
      assert.equal(places.size, 1)
      await test?.line.stop()
    }
  })
})

describe('peak EWMA', () => {
  const bad: Readonly<Record<string, RequestListener>> = {
    'is slow': (_, response) => void setTimeout(() => response.end('bad'), 100),
    'fails fast': (_, response) => response.writeHead(503).end('bad'),
  }
  for (const [what, answer] of Object.entries(bad)) {
    it(`spares the endpoint that ${what}`, async () => {
      let asked = 0
      const counting: RequestListener = (request, response) => {
        asked++
        answer(request, response)
      }
      const ports = [await application(counting), ...(await applications(3))]
      const line = await front(ports, { kind: 'peak-ewma', choiceCount: 2, decayMs: 10_000 })
      const answers: string[] = []
      for (let i = 0; i < 200; i++) answers.push((await line.call()).body)
      const count = (body: string): number => answers.filter((one) => one === body).length
      assert.equal(asked, 1)
      for (const good of ['0', '1', '2']) assert.ok(count(good) > 20, `${good} got ${count(good)}`)
    })
  }
})

describe('an endpoint that answers 429', () => {
  it('is left alone for as long as it asks, and not ejected', async () => {
    let asked = 0
    const limited = await application((_, response) => {
      asked++
      response.writeHead(429, { 'retry-after': '60' }).end('limited')
    })
    const line = await front([limited, ...(await applications(3))], { kind: 'least-request', choiceCount: 2 })
    await eventually(async () => assert.equal((await line.call()).status, 429), 10_000)
    asked = 0
    for (let i = 0; i < 200; i++) await line.call()
    assert.ok(asked < 20, `it was asked ${asked} times of 200`)
  })
})

describe('client-side weighted round robin', () => {
  it('gives by what endpoints report of their load, in heads and in trailers', async () => {
    const reporting = (name: string, report: string): Promise<number> =>
      application((_, response) => response.setHeader('endpoint-load-metrics', report).end(name))
    const trailing = await application((_, response) => {
      response.writeHead(200, { trailer: 'endpoint-load-metrics' })
      response.addTrailers({ 'endpoint-load-metrics': 'JSON {"applicationUtilization": 0.5, "rpsFractional": 100}' })
      response.end('middle')
    })
    const ports = [
      await reporting('busy', 'TEXT cpu_utilization=1.0, rps_fractional=100'),
      trailing,
      await reporting('idle', 'TEXT cpu_utilization=0.25, rps_fractional=100'),
    ]
    const line = await front(ports, {
      kind: 'client-side-weighted-round-robin',
      blackoutMs: 0,
      weightExpirationMs: 60_000,
      weightUpdateMs: 100,
      errorUtilizationPenalty: 1,
    })
    const asked = async (count: number): Promise<Record<string, number>> => {
      const counts: Record<string, number> = { busy: 0, middle: 0, idle: 0 }
      for (let i = 0; i < count; i++) {
        const { body } = await line.call()
        counts[body] = (counts[body] ?? 0) + 1
      }
      return counts
    }
    // 1 : 2 : 4
    await eventually(async () => {
      const { busy = 0, middle = 0, idle = 0 } = await asked(70)
      const off = [busy - 10, middle - 20, idle - 40]
      assert.ok(
        off.every((difference) => Math.abs(difference) <= 2),
        `${busy} : ${middle} : ${idle}`,
      )
    }, 10_000)
  })
})

describe('round robin', () => {
  it('gives each endpoint its turn', async () => {
    const line = await front(await applications(3), { kind: 'round-robin' })
    for (let round = 0; round < 5; round++) {
      const seen = [(await line.call()).body, (await line.call()).body, (await line.call()).body]
      assert.deepEqual(seen.toSorted(), ['0', '1', '2'])
    }
  })
})

/** Two backends of three applications each, "a0" to "b2". Returns how to ask, and the ports. */
async function split(more: Pick<ForwardAction, 'sessionPersistence' | 'stickySplit'>): Promise<{
  call: (request?: Partial<WireRequest>) => Promise<WireResponse>
  servers: ReadonlyMap<string, Server>
}> {
  const named = new Map<string, Server>()
  const backend = async (letter: string): Promise<{ port: number }[]> => {
    const list: { port: number }[] = []
    for (let i = 0; i < 3; i++) {
      list.push({ port: await application((_, response) => response.end(`${letter}${i}`)) })
      named.set(`${letter}${i}`, servers.at(-1) as Server)
    }
    return list
  }
  const port = await freePort()
  const backends = [
    { cluster: 'a', weight: 1 },
    { cluster: 'b', weight: 1 },
  ]
  test = await startLine(
    configOf({
      listeners: [listenerOn(port, { kind: 'rds', name: 'routes' })],
      routes: [routesTo('a', { action: { ...forwardTo('a'), backends, ...more } })],
      clusters: [clusterOf('a', await backend('a')), clusterOf('b', await backend('b'))],
    }),
  )
  return {
    call: (request = {}) => send({ address: `127.0.0.1:${port}`, target: '/', ...request }),
    servers: named,
  }
}

describe('sessions', () => {
  it('stay with their backend and endpoint by cookie, and move for good when that is gone', async () => {
    const app = await split({ sessionPersistence: { carrier: 'cookie', name: 'place' } })
    const places = new Set<string>()
    for (let visitor = 0; visitor < 20; visitor++) {
      const first = await app.call()
      places.add(first.body)
      const headers = { cookie: first.headers['set-cookie']?.split(';')[0] ?? '' }
      for (let visit = 0; visit < 5; visit++) {
        const again = await app.call({ headers })
        assert.equal(again.body, first.body)
        assert.equal(again.headers['set-cookie'], undefined)
      }
    }
    assert.ok(places.size > 3)
    const first = await app.call()
    const headers = { cookie: first.headers['set-cookie']?.split(';')[0] ?? '' }
    app.servers.get(first.body)?.close().closeAllConnections()
    const moved = await app.call({ headers })
    assert.equal(moved.status, 200)
    assert.notEqual(moved.body, first.body)
    assert.equal(moved.body[0], first.body[0], 'it has left its backend')
    const then = { cookie: moved.headers['set-cookie']?.split(';')[0] ?? '' }
    for (let visit = 0; visit < 5; visit++) assert.equal((await app.call({ headers: then })).body, moved.body)
  })

  it('stay with their backend and endpoint by header', async () => {
    const app = await split({ sessionPersistence: { carrier: 'header', name: 'x-place', idleTimeoutMs: 60_000 } })
    const first = await app.call()
    for (let visit = 0; visit < 10; visit++) {
      const again = await app.call({ headers: { 'x-place': first.headers['x-place'] ?? '' } })
      assert.equal(again.body, first.body)
    }
  })
})

describe('sticky splits', () => {
  const userHeader = { kind: 'header', name: 'x-user', terminal: true } as const
  const byCookie = { kind: 'cookie', name: 'bucket', path: '/', ttlMs: 60_000, terminal: true } as const

  it('have a user answered by one backend, by any of its endpoints', async () => {
    const app = await split({ stickySplit: [userHeader] })
    const backends = new Set<string>()
    const endpoints = new Set<string>()
    for (let user = 0; user < 20; user++) {
      const headers = { 'x-user': `user-${user}` }
      const visits = new Set<string>()
      for (let visit = 0; visit < 10; visit++) {
        const { body } = await app.call({ headers })
        visits.add(body.slice(0, 1))
        endpoints.add(body)
      }
      assert.equal(visits.size, 1, `user ${user} was at ${[...visits].join(' and ')}`)
      for (const backend of visits) backends.add(backend)
    }
    assert.equal(backends.size, 2)
    assert.equal(endpoints.size, 6)
    assert.equal(test?.exchanges.at(-1)?.split, undefined)
    await app.call()
    assert.ok(test?.exchanges.at(-1)?.split !== undefined, 'a request without the header is not drawn')
  })

  it('give a cookie to those who have nothing else, and stay by it', async () => {
    const app = await split({ stickySplit: [userHeader, byCookie] })
    for (let visitor = 0; visitor < 10; visitor++) {
      const first = await app.call()
      const cookie = first.headers['set-cookie']?.split(';')[0] ?? ''
      assert.match(cookie, /^bucket=[0-9a-f]{16}$/)
      for (let visit = 0; visit < 5; visit++) {
        const again = await app.call({ headers: { cookie } })
        assert.equal(again.body[0], first.body[0])
        assert.equal(again.headers['set-cookie'], undefined)
      }
    }
    assert.equal((await app.call({ headers: { 'x-user': 'one' } })).headers['set-cookie'], undefined)
  })
})
