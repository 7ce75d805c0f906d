// Hedging on real sockets: what one endpoint is slow to answer is asked of another as well.
import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, it } from 'node:test'

import { defaultOutlierDetection } from '../../src/policies/outlier-detection/outlier-detection.schema.ts'
import { send, type WireRequest, type WireResponse } from '../kit/http-client.ts'
import { clusterOf, configOf, freePort, listenerOn, routesTo, startLine, type TestLine } from '../kit/request-line.ts'
import { until } from '../kit/until.ts'

let test: TestLine | undefined
let servers: Server[] = []

afterEach(async () => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  servers = []
  await test?.line.stop()
})

type Answer = (request: IncomingMessage, response: ServerResponse, nth: number) => void

/** Two applications that share `answer`, which is told how many requests came before, over both. */
async function front(answer: Answer): Promise<(request?: Partial<WireRequest>) => Promise<WireResponse>> {
  let count = 0
  const open = async (): Promise<{ port: number }> => {
    const server = createServer((request, response) => answer(request, response, count++))
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return { port: (server.address() as AddressInfo).port }
  }
  const endpoints = [await open(), await open()]
  const port = await freePort()
  const hedging = { percentile: 99, factor: 3, minDelayMs: 100 }
  test = await startLine(
    configOf({
      listeners: [listenerOn(port, { kind: 'rds', name: 'routes' })],
      routes: [routesTo('app')],
      clusters: [clusterOf('app', endpoints, { hedging, outlierDetection: defaultOutlierDetection })],
    }),
  )
  return (request = {}) => send({ address: `127.0.0.1:${port}`, target: '/', ...request })
}

function attempts(): unknown[] {
  return (test?.exchanges.at(-1)?.attempts ?? []).map(({ outcome, status, retriedBecause }) => [
    outcome,
    status,
    retriedBecause,
  ])
}

describe('a request that is slow to be answered', () => {
  it('is answered by another endpoint, and the first is given up', async () => {
    let abandoned = 0
    const call = await front((request, response, nth) => {
      if (nth > 0) response.end('second')
      else request.on('close', () => abandoned++)
    })
    assert.equal((await call()).body, 'second')
    assert.deepEqual(attempts(), [
      ['cancelled', undefined, 'slow'],
      ['response', 200, undefined],
    ])
    await until('the first hears that nobody waits', () => abandoned === 1)
  })

  it('is answered by the first after all when that is faster, and the second is given up', async () => {
    let first: ServerResponse | undefined
    let abandoned = 0
    const call = await front((request, response, nth) => {
      if (nth === 0) first = response
      else {
        request.on('close', () => abandoned++)
        first?.end('first')
      }
    })
    assert.equal((await call()).body, 'first')
    assert.deepEqual(attempts(), [
      ['response', 200, 'slow'],
      ['cancelled', undefined, undefined],
    ])
    await until('the second hears that nobody waits', () => abandoned === 1)
  })

  it('is not answered with the failure of the second while the first may have an answer', async () => {
    let first: ServerResponse | undefined
    const call = await front((_, response, nth) => {
      if (nth === 0) first = response
      else response.writeHead(500).end(() => setTimeout(() => first?.end('first'), 50))
    })
    assert.equal((await call()).body, 'first')
    assert.deepEqual(attempts(), [
      ['response', 500, undefined],
      ['response', 200, undefined],
    ])
  })

  it('is answered by the second when the first fails meanwhile', async () => {
    let first: ServerResponse | undefined
    const call = await front((_, response, nth) => {
      if (nth === 0) first = response
      else {
        first?.destroy()
        setTimeout(() => response.end('second'), 50)
      }
    })
    assert.equal((await call()).body, 'second')
    assert.deepEqual(attempts(), [
      ['reset', undefined, 'slow'],
      ['response', 200, undefined],
    ])
  })

  it('is left alone when it is not safe', async () => {
    let asked = 0
    const call = await front((request, response) => {
      asked++
      request.resume()
      setTimeout(() => response.end('slow'), 300)
    })
    assert.equal((await call({ method: 'PUT', body: 'x' })).body, 'slow')
    assert.equal(asked, 1)
  })

  it('makes its endpoint an outlier when that hangs', async () => {
    let hung: number | undefined
    const call = await front((request, response) => {
      hung ??= request.socket.localPort
      if (request.socket.localPort !== hung) response.end('well')
    })
    for (let i = 0; i < 40; i++) assert.equal((await call()).body, 'well')
    const states = test?.line.clusters().get('app') ?? []
    const ejected = states.filter((state) => state.ejected !== undefined).map(({ address }) => address)
    assert.deepEqual(ejected, [`127.0.0.1:${hung}`])
  })
})
