// What the request line does when endpoints fail, stall or are missing: retries, timeouts, flags and clear answers; and mirrors.
import assert from 'node:assert/strict'
import { createServer as createHttpServer, type RequestListener, type ServerResponse } from 'node:http'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { after, afterEach, describe, it } from 'node:test'

import type { ClusterConfig, Route } from '../../src/proxy/runtime/runtime-config.ts'
import { freePorts } from '../kit/free-ports.ts'
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
import { until } from '../kit/until.ts'

const servers: Server[] = []
const sockets = new Set<Socket>()
let test: TestLine | undefined

afterEach(async () => {
  await test?.line.stop()
  for (const socket of sockets) socket.destroy()
  for (const server of servers.splice(0)) server.close()
})
after(() => sockets.clear())

async function listening(server: Server): Promise<number> {
  servers.push(server)
  server.on('connection', (socket) => sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const http = (listener: RequestListener): Promise<number> => listening(createHttpServer(listener))
const raw = (onConnection: (socket: Socket) => void): Promise<number> =>
  listening(createServer((socket) => onConnection(socket.on('error', () => {}))))

type Call = (request?: Partial<WireRequest>) => Promise<WireResponse>

/** A line in front of `ports`; answers with a function that calls it. */
async function front(
  ports: readonly number[],
  route: Partial<Route> = {},
  cluster: Partial<ClusterConfig> = {},
  more: readonly ClusterConfig[] = [],
): Promise<Call> {
  const port = await freePort()
  const endpoints = ports.map((one) => ({ port: one }))
  test = await startLine(
    configOf({
      listeners: [listenerOn(port, { kind: 'rds', name: 'routes' })],
      routes: [routesTo('app', route)],
      clusters: [clusterOf('app', endpoints, cluster), ...more],
    }),
  )
  return (request = {}) => send({ address: `127.0.0.1:${port}`, target: '/', ...request })
}

function last() {
  const exchange = test?.exchanges.at(-1)
  assert.ok(exchange)
  return exchange
}

const forward = (changes: object): Partial<Route> => ({ action: { ...forwardTo('app'), ...changes } })

describe('endpoints that fail', () => {
  it('a refused connection is tried elsewhere, whatever the method', async () => {
    const [closed] = await freePorts(1)
    const open = await http((incoming, response) => void incoming.resume().on('end', () => response.end('ok')))
    const call = await front([closed as number, open])
    for (let i = 0; i < 10; i++) assert.equal((await call({ method: 'POST', body: `${i}` })).body, 'ok')
    const retried = test?.exchanges.filter((exchange) => exchange.attempts.length > 1) ?? []
    assert.ok(retried.length > 0)
    assert.equal(retried[0]?.attempts[0]?.outcome, 'connect-failure')
    assert.equal(retried[0]?.attempts[0]?.retriedBecause, 'connect failure')
    assert.deepEqual(retried[0]?.flags, [])
  })

  it("an application's own word that it did not see the request is neither believed nor passed on", async () => {
    let asked = 0
    const liar = await http((_, response) => {
      asked++
      response.writeHead(503, { 'x-heddle-unprocessed': '1' }).end('no')
    })
    const call = await front([liar])
    const response = await call()
    assert.deepEqual([response.status, response.body, asked], [503, 'no', 1])
    assert.equal(response.headers['x-heddle-unprocessed'], undefined)
  })

  it('refused everywhere: 503 UF, and says where', async () => {
    const [closed] = await freePorts(1)
    const call = await front([closed as number])
    const response = await call()
    assert.equal(response.status, 503)
    assert.match(response.body, new RegExp(`could not connect to 127.0.0.1:${closed}: .*ECONNREFUSED`))
    assert.equal(response.headers['server'], 'heddle')
    assert.deepEqual(last().flags, ['URX', 'UF'])
    assert.equal(last().attempts.length, 3)
  })

  it('one that asks to wait is asked again when it has said, and told which attempt it is', async () => {
    const attempts: (string | undefined)[] = []
    const port = await http((request, response) => {
      attempts.push(request.headers['x-envoy-attempt-count'] as string | undefined)
      if (attempts.length % 2 === 1) response.writeHead(503, { 'retry-after': '1' }).end('later')
      else response.end('ok')
    })
    const retry = { attempts: 1, statusCodes: [503], backoffMs: 1 }
    const service = { namespace: 'default', name: 'app' }
    const call = await front([port], forward({ retry }), { service })
    const startMs = performance.now()
    assert.equal((await call()).body, 'ok')
    assert.ok(performance.now() - startMs >= 990)
    assert.deepEqual(attempts, [undefined, '2'])
    await test?.line.stop()
    const hurried = await front([port], forward({ retry, timeouts: { requestMs: 500 } }), { service })
    assert.equal((await hurried()).body, 'later')
    assert.equal(attempts.length, 3)
  })

  it('no endpoint: 503 UH; no cluster: 503 NC; no route: 404 NR', async () => {
    const call = await front([])
    assert.equal((await call()).status, 503)
    assert.deepEqual(last().flags, ['UH'])
    test?.runtime.set(
      configOf({
        listeners: [...(test?.runtime.value.listeners.values() ?? [])],
        routes: [routesTo('nowhere')],
      }),
    )
    assert.match((await call()).body, /nowhere/)
    assert.deepEqual(last().flags, ['NC'])
    test?.runtime.set(
      configOf({
        listeners: [...(test?.runtime.value.listeners.values() ?? [])],
        routes: [routesTo('app', { match: { path: { kind: 'exact', value: '/a' }, headers: [], queryParams: [] } })],
      }),
    )
    assert.equal((await call({ method: 'POST', body: 'x'.repeat(1000) })).status, 404)
    assert.deepEqual(last().flags, ['NR'])
  })

  it('all idle connections lost at once: every request is repeated on a new one, whatever the budget', async () => {
    let alive = 0
    const port = await raw((socket) => {
      let answered = 0
      socket.on('data', () => {
        if (answered++ > 0) socket.resetAndDestroy()
        // Nobody is answered before all have a connection.
        else if (alive < callers && ++alive < callers) waiting.push(socket)
        else
          for (const one of [socket, ...waiting.splice(0)]) one.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      })
    })
    const callers = 12
    const waiting: Socket[] = []
    const call = await front([port])
    const all = (): Promise<WireResponse[]> => Promise.all(Array.from({ length: callers }, () => call()))
    for (let round = 0; round < 2; round++) {
      for (const { status, body } of await all()) assert.equal(status, 200, body)
    }
    assert.equal(test?.upstreamConnections(), 2 * callers)
  })

  it('an idle connection closed at the wrong moment: repeated unseen when that is safe', async () => {
    let requests = 0
    const port = await raw((socket) => {
      let answered = 0
      socket.on('data', () => {
        requests++
        // The second request on a connection meets its end.
        if (answered++ > 0) socket.resetAndDestroy()
        else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      })
    })
    const call = await front([port])
    for (let i = 0; i < 6; i++) assert.equal((await call()).body, 'ok')
    assert.ok(requests > 6)
    await call()
    const unsafe = await call({ method: 'POST', body: 'x' })
    assert.equal(unsafe.status, 503)
    assert.match(unsafe.body, /lost the connection/)
    assert.deepEqual(last().flags, ['UC'])
  })

  it('the body of a repeated request is complete', async () => {
    const bodies: string[] = []
    const port = await http((incoming, response) => {
      let body = ''
      incoming.on('data', (bytes) => (body += bytes))
      incoming.on('end', () => {
        bodies.push(body)
        response.statusCode = bodies.length < 3 ? 503 : 200
        response.end(`try ${bodies.length}`)
      })
    })
    const call = await front([port], forward({ retry: { attempts: 2, statusCodes: [503], backoffMs: 1 } }))
    const response = await call({ method: 'PUT', body: 'x'.repeat(60_000) })
    assert.equal(response.body, 'try 3')
    assert.deepEqual(
      bodies.map((body) => body.length),
      [60_000, 60_000, 60_000],
    )
    assert.equal(last().attempts.length, 3)
    assert.equal(last().attempts[0]?.retriedBecause, 'status 503')
  })

  it('a body too long to keep is sent once', async () => {
    let requests = 0
    const port = await http((incoming, response) => {
      requests++
      incoming.resume().on('end', () => {
        response.statusCode = 503
        response.end()
      })
    })
    const call = await front([port], forward({ retry: { attempts: 2, statusCodes: [503], backoffMs: 1 } }))
    assert.equal((await call({ method: 'PUT', body: 'x'.repeat(100_000) })).status, 503)
    assert.equal(requests, 1)
  })

  it('retries stay within the budget', async () => {
    const port = await http((_, response) => {
      response.statusCode = 503
      response.end()
    })
    const call = await front([port], forward({ retry: { attempts: 2, statusCodes: [503], backoffMs: 1 } }), {
      retryConstraint: { percent: 0, intervalMs: 10_000, minRetries: 0, minIntervalMs: 1_000 },
    })
    assert.equal((await call()).status, 503)
    assert.equal(last().attempts.length, 1)
  })

  it('a request that takes too long: 504 UT', async () => {
    const port = await http(() => {})
    const call = await front([port], forward({ timeouts: { requestMs: 50 } }))
    const response = await call()
    assert.equal(response.status, 504)
    assert.match(response.body, /waited too long for .*no complete response within (4\d|50) ms/)
    assert.deepEqual(last().flags, ['UT'])
    assert.equal(test?.line.clusters().get('app')?.[0]?.activeRequests, 0)
  })

  it('an attempt that takes too long is repeated within the time of the request', async () => {
    let requests = 0
    const port = await http((_, response) => {
      if (++requests > 1) response.end('second')
    })
    const timeouts = { requestMs: 5_000, backendRequestMs: 50 }
    const call = await front([port], forward({ timeouts, retry: { attempts: 1, statusCodes: [], backoffMs: 1 } }))
    assert.equal((await call()).body, 'second')
    assert.equal(last().attempts[0]?.outcome, 'timeout')
  })
})

function told(mirror: string) {
  return (test?.mirrored ?? []).filter((one) => one.mirror === mirror)
}

describe('mirrors', () => {
  it('get a copy with its body, and their answer is ignored', async () => {
    const copies: string[] = []
    const shadow = await http((incoming, response) => {
      let body = ''
      incoming.on('data', (bytes) => (body += bytes))
      incoming.on('end', () => {
        copies.push(`${incoming.method} ${body}`)
        response.statusCode = 500
        response.end('x'.repeat(100_000))
      })
    })
    const port = await http((incoming, response) => void incoming.pipe(response))
    const mirrors = [
      { cluster: 'shadow', numerator: 1, denominator: 1 },
      { cluster: 'missing', numerator: 1, denominator: 1 },
    ]
    const call = await front([port], forward({ mirrors }), {}, [clusterOf('shadow', [{ port: shadow }])])
    assert.equal((await call({ method: 'POST', body: 'hello' })).body, 'hello')
    assert.equal((await call()).status, 200)
    await until('both copies', () => copies.length === 2)
    assert.deepEqual(copies, ['POST hello', 'GET '])
  })

  it('are compared with what the caller got, whichever is first', async () => {
    let release: (() => void) | undefined
    const shadow = await http((incoming, response) => {
      incoming.resume()
      response.statusCode = incoming.url === '/broken' ? 500 : 200
      const answer = (): void => void response.end('shadow')
      if (incoming.url === '/late') release = answer
      else answer()
    })
    const port = await http((incoming, response) => {
      incoming.resume()
      incoming.on('end', () => setTimeout(() => response.end('ok'), 20))
    })
    const [closed] = await freePorts(1)
    const mirrors = [
      { cluster: 'shadow', numerator: 1, denominator: 1 },
      { cluster: 'gone', numerator: 1, denominator: 1 },
    ]
    const more = [clusterOf('shadow', [{ port: shadow }]), clusterOf('gone', [{ port: closed as number }])]
    const call = await front([port], forward({ mirrors }), {}, more)
    for (const target of ['/', '/broken', '/late']) assert.equal((await call({ target })).body, 'ok')
    await until('the last copy', () => release !== undefined)
    release?.()
    assert.equal((await call({ method: 'POST', body: 'x'.repeat(100_000) })).body, 'ok')
    await until('all are compared', () => test?.mirrored.length === 8)
    const shown = told('shadow').map(({ cluster, answers: { result, primary, mirror } }) =>
      [cluster, result, primary?.status, mirror?.status].join(' '),
    )
    assert.deepEqual(shown.toSorted(), [
      'app different 200 500',
      'app same 200 200',
      'app same 200 200',
      'app skipped  ',
    ])
    assert.deepEqual(
      told('gone').map(({ answers }) => answers.result),
      ['mirror_failed', 'mirror_failed', 'mirror_failed', 'skipped'],
    )
    for (const { answers } of told('shadow').slice(0, 2)) {
      assert.ok((answers.primary?.tookMs ?? 0) >= 19, `the primary took ${answers.primary?.tookMs} ms`)
      assert.ok((answers.mirror?.tookMs ?? Infinity) < 1_000)
    }
  })
})

describe('endpoints that come and go', () => {
  it('a removed endpoint finishes what it has begun', async () => {
    let begun: ServerResponse | undefined
    let socket: Socket | undefined
    const old = await http((incoming, response) => {
      ;({ socket } = incoming)
      response.write('begun ')
      begun = response
    })
    const fresh = await http((_, response) => void response.end('fresh'))
    const call = await front([old])
    const pending = call()
    await until(
      'it has begun',
      () => test?.exchanges.length === 0 && test.line.clusters().get('app')?.[0]?.activeRequests === 1,
    )
    const { runtime } = test as TestLine
    runtime.set({ ...runtime.value, clusters: new Map([['app', clusterOf('app', [{ port: fresh }])]]) })
    assert.equal((await call()).body, 'fresh')
    begun?.end('finished')
    assert.equal((await pending).body, 'begun finished')
    await until('its connection to end', () => socket?.destroyed === true)
  })
})
