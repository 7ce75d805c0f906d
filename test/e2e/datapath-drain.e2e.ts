// What a drain does with connections on which no request is open: none stays for long, and none that is in use is cut.
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'

import { rawClient } from '../kit/raw-client.ts'
import { clusterOf, configOf, freePort, listenerOn, routesTo, startLine, type TestLine } from '../kit/request-line.ts'

describe('a drain', () => {
  let application: Server
  before(async () => {
    application = createServer((_, response) => response.end('answer'))
    await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve))
  })
  after(() => {
    application.closeAllConnections()
    application.close()
  })

  async function line(): Promise<{ readonly test: TestLine; readonly port: number }> {
    const port = await freePort()
    const test = await startLine(
      configOf({
        listeners: [listenerOn(port, { kind: 'rds', name: 'routes' })],
        routes: [routesTo('app')],
        clusters: [clusterOf('app', [{ port: (application.address() as AddressInfo).port }])],
      }),
    )
    return { test, port }
  }

  it('ends connections that were opened and never used within the grace', async () => {
    const { test, port } = await line()
    const silent = await rawClient(port)
    const begun = await rawClient(port)
    begun.write('G')
    const startMs = performance.now()
    await test.line.drain(20_000)
    const tookMs = performance.now() - startMs
    assert.ok(tookMs > 1_500 && tookMs < 4_000, `${tookMs} ms`)
    assert.equal(await silent.closed(), '')
    assert.equal(await begun.closed(), '')
    assert.equal(test.openConnections(), 0)
  })

  it('answers the first request of such a connection, and the next one of an idle connection, as the last', async () => {
    const { test, port } = await line()
    const fresh = await rawClient(port)
    const idle = await rawClient(port)
    const request = 'GET / HTTP/1.1\r\nHost: app\r\n\r\n'
    idle.write(request)
    await idle.waitFor('answer')
    const drained = test.line.drain(20_000)
    // Longer than an idle connection is given where there is little time.
    await new Promise((resolve) => setTimeout(resolve, 1_300))
    fresh.write(request)
    idle.write(request)
    assert.match(await fresh.closed(), /Connection: close[^]*answer$/i)
    assert.match(await idle.closed(), /answer[^]*Connection: close[^]*answer$/i)
    await drained
  })
})
