// A sidecar that refuses for its application, and what the caller's sidecar makes of it. The limit is set by hand: 1.
import assert from 'node:assert/strict'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, afterEach, test } from 'node:test'

import { defaultOutlierDetection } from '../../src/policies/outlier-detection/outlier-detection.schema.ts'
import { send, type WireResponse } from '../kit/http-client.ts'
import { clusterOf, configOf, freePort, listenerOn, routesTo, startLine, type TestLine } from '../kit/request-line.ts'
import { testAuthority } from '../kit/svids.ts'
import { until } from '../kit/until.ts'

const reviews = 'spiffe://mesh.local/ns/default/sa/reviews'
const one = {
  sampleAggregatePercentile: 50,
  maxConcurrencyLimit: 1,
  concurrencyUpdateIntervalMs: 100,
  minRtt: { intervalMs: 15_000, requestCount: 25, jitterPercent: 15, minConcurrency: 1, bufferPercent: 100 },
}

const authority = testAuthority()
const lines: TestLine[] = []
const applications: Application[] = []

after(() => authority.remove())

afterEach(async () => {
  for (const { line } of lines.splice(0)) await line.stop()
  for (const { server } of applications.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

interface Application {
  readonly server: Server
  /** Not answered yet. */
  readonly held: ServerResponse[]
  readonly inboundPort: number
}

/** Answers when it is told to. */
async function application(): Promise<Application> {
  const held: ServerResponse[] = []
  const server = createServer((request, response) => {
    request.resume()
    held.push(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const inboundPort = await freePort()
  const tls = { kind: 'mesh', requireClientCertificate: true, alpn: ['h2', 'http/1.1'] } as const
  const inline = { kind: 'inline', routeConfiguration: routesTo('inbound|9080') } as const
  const { port } = server.address() as AddressInfo
  lines.push(
    await startLine(
      configOf({
        listeners: [listenerOn(inboundPort, inline, { name: 'inbound|9080', direction: 'inbound', tls })],
        clusters: [clusterOf('inbound|9080', [{ port }], { adaptiveConcurrency: one })],
      }),
      { credentials: authority.issue(reviews) },
    ),
  )
  const made = { server, held, inboundPort }
  applications.push(made)
  return made
}

/** A sidecar that calls them, and how to call through it. */
async function caller(callees: readonly Application[]): Promise<(method?: string) => Promise<WireResponse>> {
  const port = await freePort()
  const routes = routesTo('reviews')
  const endpoints = callees.map(({ inboundPort }) => ({ port: inboundPort, tls: true }))
  const outlierDetection = { ...defaultOutlierDetection, consecutiveGatewayErrors: 1, maxEjectionPercent: 100 }
  const client = await startLine(
    configOf({
      listeners: [listenerOn(port, { kind: 'rds', name: routes.name })],
      routes: [routes],
      clusters: [clusterOf('reviews', endpoints, { peerSpiffeIds: [reviews], peerAlpn: ['h2'], outlierDetection })],
    }),
    { credentials: authority.issue('spiffe://mesh.local/ns/default/sa/web') },
  )
  lines.push(client)
  return (method = 'GET') => send({ address: `127.0.0.1:${port}`, target: '/', method })
}

const busy = (count: number, { held }: Application) => until(`${count} under way`, () => held.length === count)

test('what is beyond the limit is refused at once, and not asked of the only endpoint again', async () => {
  const callee = await application()
  const call = await caller([callee])
  const first = call()
  await busy(1, callee)
  const second = await call()
  assert.equal(second.status, 503)
  assert.match(second.body, /has as many requests under way as it can work on/)
  assert.equal(second.headers['x-heddle-unprocessed'], undefined)
  const [inbound, outbound] = lines
  assert.deepEqual(inbound?.exchanges.at(-1)?.flags, ['UO'])
  assert.equal(inbound?.exchanges.length, 1)
  assert.equal(outbound?.exchanges.at(-1)?.attempts.length, 1)
  callee.held[0]?.end('first')
  assert.equal((await first).body, 'first')
  // nothing was held against the endpoint, and there is room again
  const third = call()
  await busy(2, callee)
  callee.held[1]?.end('third')
  assert.equal((await third).body, 'third')
})

test('the sidecar of the caller takes it to another endpoint, whatever its method', async () => {
  const both = [await application(), await application()]
  const call = await caller(both)
  const answers = [call('POST'), call('POST')]
  await until('each has one', () => both.every(({ held }) => held.length === 1))
  for (const { held } of both) held[0]?.end('done')
  for (const answer of answers) assert.equal((await answer).status, 200)
  // balancing by requests under way would have them apart from the start: here one is busy with somebody else's
  const direct = await caller([both[0] as Application])
  const other = direct()
  await busy(2, both[0] as Application)
  for (let i = 0; i < 8; i++) {
    const answer = call('POST')
    await busy(2 + i, both[1] as Application)
    both[1]?.held.at(-1)?.end('elsewhere')
    assert.equal((await answer).body, 'elsewhere')
  }
  both[0]?.held.at(-1)?.end('done')
  await other
  const retried = lines[2]?.exchanges.filter(({ attempts }) => attempts.length === 2) ?? []
  assert.ok(retried.length > 0)
  for (const { attempts } of retried) {
    assert.equal(attempts[0]?.outcome, 'refused')
    assert.equal(attempts[0]?.retriedBecause, 'overloaded')
  }
})
