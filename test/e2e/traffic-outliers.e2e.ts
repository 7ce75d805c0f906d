// Outlier detection on real sockets: endpoints that fail are passed over, tried by one request, and taken back.
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, it } from 'node:test'

import { defaultOutlierDetection } from '../../src/policies/outlier-detection/outlier-detection.schema.ts'
import { send, type WireResponse } from '../kit/http-client.ts'
import { clusterOf, configOf, freePort, listenerOn, routesTo, startLine, type TestLine } from '../kit/request-line.ts'

interface Application {
  readonly name: string
  readonly port: number
  status: number
  asked: number
  readonly server: Server
}

let applications: Application[] = []
let test: TestLine | undefined

afterEach(async () => {
  await test?.line.stop()
  for (const { server } of applications) {
    server.closeAllConnections()
    server.close()
  }
  applications = []
})

async function application(name: string): Promise<Application> {
  const server = createServer((request, response) => {
    request.resume()
    own.asked++
    response.writeHead(own.status).end(name)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const own: Application = { name, port: (server.address() as AddressInfo).port, status: 200, asked: 0, server }
  applications.push(own)
  return own
}

const baseEjectionMs = 300

async function front(count: number): Promise<() => Promise<WireResponse>> {
  for (let i = 0; i < count; i++) await application(`app-${i}`)
  const port = await freePort()
  const endpoints = applications.map((one) => ({ port: one.port }))
  test = await startLine(
    configOf({
      listeners: [listenerOn(port, { kind: 'rds', name: 'routes' })],
      routes: [routesTo('app')],
      clusters: [clusterOf('app', endpoints, { outlierDetection: { ...defaultOutlierDetection, baseEjectionMs } })],
    }),
  )
  return () => send({ address: `127.0.0.1:${port}`, target: '/', method: 'POST', body: 'not to be repeated' })
}

async function statuses(call: () => Promise<WireResponse>, count: number): Promise<number[]> {
  const seen: number[] = []
  for (let i = 0; i < count; i++) seen.push((await call()).status)
  return seen
}

async function callUntil(call: () => Promise<WireResponse>, done: () => boolean): Promise<number[]> {
  const endMs = performance.now() + 10_000
  const seen: number[] = []
  while (!done()) {
    if (performance.now() > endMs) throw new Error('not within 10 s')
    seen.push((await call()).status)
  }
  return seen
}

const failed = (seen: readonly number[]): number => seen.filter((status) => status !== 200).length

describe('an endpoint that answers 503', () => {
  it('costs five requests, is then passed over, is tried by one request, and comes back when it is well', async () => {
    const call = await front(3)
    const bad = applications[0] as Application
    bad.status = 503
    assert.equal(failed(await statuses(call, 60)), 5)
    assert.equal(bad.asked, 5)

    const whileOut = await callUntil(call, () => bad.asked > 5)
    bad.status = 200
    assert.deepEqual([failed(whileOut), bad.asked], [1, 6], 'one request tries it')
    const triedMs = performance.now()
    assert.equal(failed(await callUntil(call, () => bad.asked > 6)), 0)
    const pausedMs = performance.now() - triedMs
    assert.ok(pausedMs > 1.5 * baseEjectionMs, `its second ejection is longer: ${pausedMs} ms`)
    assert.equal(failed(await statuses(call, 60)), 0)
    assert.ok(bad.asked > 10, `it is asked again like the others: ${bad.asked}`)
  })

  it('is asked all the same when it is the last one', async () => {
    const call = await front(1)
    const only = applications[0] as Application
    only.status = 503
    assert.equal(failed(await statuses(call, 20)), 20)
    assert.equal(only.asked, 20)
  })
})

describe('an endpoint that cannot be connected to', () => {
  it('is passed over after five tries, and nobody notices', async () => {
    const call = await front(3)
    const gone = applications[0] as Application
    await new Promise((resolve) => gone.server.close(resolve))
    assert.equal(failed(await statuses(call, 60)), 0)
    const tries = test?.exchanges.flatMap(({ attempts }) => attempts).filter((one) => one.outcome === 'connect-failure')
    assert.equal(tries?.length, 5)
  })
})
