// A peer that has vanished without a word, on real sockets: the connection to it is given up, and what waits there is answered.
import assert from 'node:assert/strict'
import { createServer, type Server, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { after, afterEach, it } from 'node:test'

import { send } from '../kit/http-client.ts'
import { clusterOf, configOf, freePort, listenerOn, routesTo, startLine, type TestLine } from '../kit/request-line.ts'

const lines: TestLine[] = []
const sockets: Socket[] = []
/** Takes what it gets, and says nothing any more once it has greeted. */
const server: Server = createServer((socket) => {
  sockets.push(socket)
  socket.on('error', () => {}).resume()
  socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]))
})

afterEach(async () => {
  for (const { line } of lines.splice(0)) await line.stop()
})

after(() => {
  for (const socket of sockets) socket.destroy()
  server.close()
})

it('gives up an HTTP/2 connection on which pings are not answered', async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const port = await freePort()
  const keepAlive = { intervalMs: 200, timeoutMs: 200 }
  const line = await startLine(
    configOf({
      listeners: [listenerOn(port, { kind: 'rds', name: 'routes' })],
      routes: [routesTo('app')],
      clusters: [
        clusterOf('app', [{ port: (server.address() as AddressInfo).port }], { httpProtocol: 'http2', keepAlive }),
      ],
    }),
  )
  lines.push(line)
  // not idempotent: it may have been worked on, and is asked once
  const { status, body } = await send({ address: `127.0.0.1:${port}`, target: '/', method: 'POST', body: 'x' })
  assert.equal(status, 503)
  assert.match(body, /the peer does not answer/)
  assert.equal(sockets.length, 1)
})
