// Thousands of requests through two sidecars, broken off at random by the caller, the application, or both: nothing of them stays.
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'

import { createRandom } from '../../src/core/random.ts'
import { type SidecarPair, startSidecarPair } from '../kit/sidecar-pair.ts'
import { testAuthority } from '../kit/svids.ts'
import { until } from '../kit/until.ts'

const requests = 5_000
const atOnce = 64
const authority = testAuthority()
const random = createRandom(11)
const within = (most: number): number => Math.floor(random.next() * most)
let application: Server
let pair: SidecarPair | undefined

before(async () => {
  application = createServer((incoming, response) => {
    incoming.on('error', () => {}).resume()
    const { socket } = incoming
    const act = within(6)
    if (act === 0) socket.destroy()
    else if (act === 1) socket.resetAndDestroy()
    else if (act === 2) {
      response.writeHead(200, { 'content-length': '40000' })
      response.write(Buffer.alloc(within(40_000)))
      setImmediate(() => socket.destroy())
    } else if (act === 3) setTimeout(() => response.end('late'), within(20))
    else response.end(Buffer.alloc(within(200_000)))
  })
  application.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve))
})

afterEach(async () => {
  await pair?.stop()
})

after(() => {
  application.closeAllConnections()
  application.close()
  authority.remove()
})

/** Sends one request in some way, and goes away at some time. */
function call(port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket: Socket = connect({ host: '127.0.0.1', port })
    const leave = (): void => {
      if (within(2) === 0) socket.destroy()
      else socket.resetAndDestroy()
    }
    socket.on('error', () => {}).once('close', () => resolve())
    const length = within(3) === 0 ? within(100_000) : 0
    const head = `POST / HTTP/1.1\r\nHost: reviews\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n`
    const act = within(5)
    if (act === 0) socket.write(head.slice(0, within(head.length)), leave)
    else if (act === 1 && length > 0) socket.write(head + 'x'.repeat(within(length)), leave)
    else socket.write(head + 'x'.repeat(length))
    if (act === 2) setTimeout(leave, within(20))
    if (act === 3) socket.once('data', leave)
    socket.resume()
  })
}

async function calls(port: number, count: number): Promise<void> {
  let left = count
  const next = async (): Promise<void> => {
    while (left-- > 0) await call(port)
  }
  await Promise.all(Array.from({ length: atOnce }, next))
}

/** Handles of sockets that are open in this process. */
const handles = (): number => process.getActiveResourcesInfo().filter((name) => /TCP|TLS|Pipe/.test(name)).length

for (const link of ['HTTP/1.1', 'HTTP/2'] as const) {
  describe(`over a link of ${link}`, () => {
    it(`${requests} requests leave nothing`, async () => {
      pair = await startSidecarPair({
        authority,
        applicationPort: (application.address() as AddressInfo).port,
        upgradeToHttp2: link === 'HTTP/2',
      })
      const { client, server, port } = pair
      const states = () => [client, server].flatMap(({ line }) => [...line.clusters().values()].flat())
      const handlesBefore = handles()
      await calls(port, requests)
      await until('all requests are over', () => states().every(({ activeRequests }) => activeRequests === 0), 10_000)
      const { exchanges } = client
      assert.ok(exchanges.length > requests / 2)
      assert.ok(
        exchanges.some(({ flags }) => flags.includes('DC')) && exchanges.some(({ flags }) => flags.includes('UC')),
      )
      await until('no caller is left', () => client.openConnections() === 0)
      for (const { connections } of states()) {
        assert.equal(connections.pending, 0)
        assert.equal(connections.connecting, 0)
        assert.equal(connections.open, connections.idle)
      }
      // What is open at the server's proxy is what the client's keeps.
      const [kept, toApplication] = states().map(({ connections }) => connections.open)
      await until('the proxies agree', () => server.openConnections() === kept)
      await pair.stop()
      application.closeAllConnections()
      await until('all sockets are closed', () => handles() <= handlesBefore - 2, 10_000)
      assert.ok((toApplication as number) <= atOnce)
      assert.equal(client.openConnections() + server.openConnections(), 0)
      for (const { connections } of states()) assert.equal(connections.open, 0)
    })
  })
}
