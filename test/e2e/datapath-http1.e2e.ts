// The request line over plaintext HTTP/1.1 on real sockets: ordinary clients and servers of Node on both ends.
import assert from 'node:assert/strict'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'

import { send } from '../kit/http-client.ts'
import { clusterOf, configOf, freePort, listenerOn, routesTo, startLine, type TestLine } from '../kit/request-line.ts'

let port: number
let test: TestLine
let server: Server
let answer: RequestListener

before(async () => {
  server = createServer((incoming, response) => answer(incoming, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = await freePort()
  test = await startLine(
    configOf({
      listeners: [listenerOn(port, { kind: 'rds', name: 'routes' })],
      routes: [routesTo('app')],
      clusters: [clusterOf('app', [{ port: (server.address() as AddressInfo).port }])],
    }),
  )
})

after(async () => {
  await test.line.stop()
  server.closeAllConnections()
  server.close()
})

const echo: RequestListener = (incoming, response) => {
  const chunks: Buffer[] = []
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
  incoming.on('end', () => {
    response.setHeader('x-method', incoming.method ?? '')
    response.end(Buffer.concat(chunks))
  })
}

describe('plaintext HTTP/1.1', () => {
  it('forwards a request and its answer', async () => {
    answer = echo
    const response = await send({ address: `127.0.0.1:${port}`, target: '/', method: 'POST', body: 'hello' })
    assert.equal(response.status, 200)
    assert.equal(response.body, 'hello')
    assert.equal(response.headers['x-method'], 'POST')
    const exchange = test.exchanges.at(-1)
    assert.equal(exchange?.status, 200)
    assert.equal(exchange?.requestBytes, 5)
    assert.deepEqual(exchange?.flags, [])
  })
})
