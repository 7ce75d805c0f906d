// Changes of configuration under traffic: no request fails, no connection drops; listeners come, go and wait for their port.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { createServer as createHttpServer, request, type Server } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'

import type { RuntimeConfig } from '../../src/proxy/runtime/runtime-config.ts'
import { send } from '../kit/http-client.ts'
import { rawClient } from '../kit/raw-client.ts'
import { clusterOf, configOf, freePort, listenerOn, routesTo, startLine, type TestLine } from '../kit/request-line.ts'
import { SteadyLoad } from '../kit/steady-load.ts'
import { until } from '../kit/until.ts'

const applications: Server[] = []
const ports: number[] = []

before(async () => {
  for (const name of ['one', 'two', 'three']) {
    const server = createHttpServer((incoming, response) => {
      if (incoming.url === '/events') {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        let events = 0
        const timer = setInterval(() => response.write(`data: ${++events}\n\n`), 20)
        response.on('close', () => clearInterval(timer))
        return
      }
      const hash = createHash('sha256')
      incoming.on('data', (bytes: Buffer) => hash.update(bytes))
      incoming.on('end', () => response.end(incoming.method === 'POST' ? hash.digest('hex') : name))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    applications.push(server)
    ports.push((server.address() as AddressInfo).port)
  }
})

after(() => {
  for (const server of applications) {
    server.closeAllConnections()
    server.close()
  }
})

const running: TestLine[] = []

afterEach(async () => {
  await Promise.all(running.splice(0).map((test) => test.line.stop()))
})

async function start(config: RuntimeConfig): Promise<TestLine> {
  const test = await startLine(config)
  running.push(test)
  return test
}

/** Number `revision` of an endless row of configurations: endpoints come and go, routes change. */
function revisionOf(port: number, revision: number): RuntimeConfig {
  const chosen = ports.filter((_, index) => revision % 3 !== index)
  return configOf(
    {
      listeners: [listenerOn(port, { kind: 'rds', name: 'routes' })],
      routes: [routesTo(revision % 2 === 0 ? 'app' : 'other')],
      clusters: [
        clusterOf(
          'app',
          chosen.map((one) => ({ port: one })),
        ),
        clusterOf(
          'other',
          chosen.toReversed().map((one, index) => ({ port: one, weight: 1 + ((revision + index) % 3) })),
        ),
      ],
    },
    `${revision}`,
  )
}

describe('a thousand changes', () => {
  it('fail no request and drop no connection, stream or upload', async () => {
    const port = await freePort()
    const test = await start(revisionOf(port, 0))
    await using load = new SteadyLoad({ url: `http://127.0.0.1:${port}/`, connections: 8, pauseMs: 1 })
    const events = await rawClient(port)
    events.write('GET /events HTTP/1.1\r\nHost: a\r\n\r\n')
    await events.waitFor('data: 1')
    const body = randomBytes(2_000_000)
    const uploaded = new Promise<string>((resolve, reject) => {
      const upload = request({ host: '127.0.0.1', port, method: 'POST', agent: false }, (response) => {
        let text = ''
        response.on('data', (bytes) => (text += bytes))
        response.on('end', () => resolve(text))
      })
      upload.on('error', reject)
      let sent = 0
      const timer = setInterval(() => {
        upload.write(body.subarray(sent, (sent += 10_000)))
        if (sent < body.length) return
        clearInterval(timer)
        upload.end()
      }, 10)
    })
    for (let revision = 1; revision <= 1_000; revision++) {
      test.runtime.set(revisionOf(port, revision))
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    const result = await load.stop()
    assert.deepEqual(result.failures, [])
    assert.ok(result.ok > 1_000, `${result.ok} requests`)
    assert.equal(result.connectionsOpened, 8)
    assert.equal(await uploaded, createHash('sha256').update(body).digest('hex'))
    assert.equal(events.socket.destroyed, false)
    const count = events.received().match(/data: /g)?.length ?? 0
    await until('the stream goes on', () => (events.received().match(/data: /g)?.length ?? 0) > count)
    events.socket.destroy()
    await test.line.stop()
    assert.equal(test.exchanges.filter((exchange) => exchange.flags.some((flag) => flag !== 'DC')).length, 0)
    await until('everything is closed', () => test.openConnections() === 0)
  })
})

describe('listeners', () => {
  it('a taken port is reported and tried again, others go on', async () => {
    const [taken, free] = [await freePort(), await freePort()]
    const blocker = createServer().listen(taken, '127.0.0.1')
    await new Promise((resolve) => blocker.once('listening', resolve))
    const config = revisionOf(free, 0)
    const listeners = new Map(config.listeners).set(
      'second',
      listenerOn(taken, { kind: 'rds', name: 'routes' }, { name: 'second' }),
    )
    const test: TestLine = await start({ ...config, listeners })
    const state = test.line.listening.value.get('second')
    assert.ok(state instanceof Error)
    assert.match(state.message, new RegExp(`listener second cannot be opened on 127.0.0.1:${taken}: .*EADDRINUSE`))
    assert.equal((await send({ address: `127.0.0.1:${free}`, target: '/' })).status, 200)
    await new Promise((resolve) => blocker.close(resolve))
    await until('the second is open', () => test.line.listening.value.get('second') === 'listening')
    assert.equal((await send({ address: `127.0.0.1:${taken}`, target: '/' })).status, 200)
  })

  it('a removed one finishes what it carries, and ends idle connections', async () => {
    const [first, second] = [await freePort(), await freePort()]
    const test = await start(revisionOf(first, 0))
    const idle = await rawClient(first)
    idle.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await idle.waitFor('\r\n\r\nt')
    const busy = await rawClient(first)
    busy.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab')
    await until(
      'it is under way',
      () =>
        test.line
          .clusters()
          .get('app')
          ?.some((endpoint) => endpoint.activeRequests > 0) === true,
    )
    test.runtime.set(revisionOf(second, 0))
    await until('the new one is open', () => test.line.listening.value.get('outbound') === 'listening')
    await assert.rejects(rawClient(first))
    busy.write('cd')
    assert.match(await busy.closed(), /Connection: close\r\n\r\n[0-9a-f]{64}$/)
    // A request that is on its way when the drain begins is still answered.
    idle.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.match(await idle.closed(), /Connection: close\r\n\r\n\w+$/)
    assert.equal((await send({ address: `127.0.0.1:${second}`, target: '/' })).status, 200)
  })

  it('a drain waits for what is under way, no longer than its deadline', async () => {
    const port = await freePort()
    const test = await start(revisionOf(port, 0))
    const busy = await rawClient(port)
    busy.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab')
    const stuck = await rawClient(port)
    stuck.write('GET /events HTTP/1.1\r\nHost: a\r\n\r\n')
    await stuck.waitFor('data: 1')
    const drained = test.line.drain(300)
    busy.write('cd')
    assert.match(await busy.closed(), /Connection: close/)
    await drained
    await stuck.closed()
    assert.equal(test.openConnections(), 0)
  })
})
