// A deadline holds over all hops: each proxy is told what is left of it, waits no longer, and tells the next.
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'

import type { RouteConfiguration } from '../../src/proxy/runtime/runtime-config.ts'
import { send, type WireResponse } from '../kit/http-client.ts'
import { forwardTo, routesTo } from '../kit/request-line.ts'
import { startSidecarPair, type SidecarPair } from '../kit/sidecar-pair.ts'
import { testAuthority } from '../kit/svids.ts'

const header = 'x-envoy-expected-rq-timeout-ms'
const told: (string | undefined)[] = []
const authority = testAuthority()
let application: Server
let pair: SidecarPair | undefined

before(async () => {
  application = createServer((request, response) => {
    told.push(request.headers[header] as string | undefined)
    if (request.url !== '/hang') response.end('ok')
  })
  await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve))
})
beforeEach(() => {
  told.length = 0
})
afterEach(async () => {
  await pair?.stop()
})
after(() => {
  application.closeAllConnections()
  application.close()
})

async function front(timeouts: { requestMs?: number; backendRequestMs?: number } = {}): Promise<SidecarPair> {
  const applicationPort = (application.address() as AddressInfo).port
  const routes: RouteConfiguration = routesTo('reviews', { action: { ...forwardTo('reviews'), timeouts } })
  pair = await startSidecarPair({ authority, applicationPort, routes })
  return pair
}

async function timed(
  { port }: SidecarPair,
  target: string,
  headers: Record<string, string> = {},
): Promise<WireResponse & { readonly tookMs: number }> {
  const startMs = performance.now()
  const response = await send({ address: `127.0.0.1:${port}`, target, headers })
  return { ...response, tookMs: performance.now() - startMs }
}

function within(text: string | undefined, least: number, most: number): void {
  const ms = Number(text)
  assert.ok(ms >= least && ms <= most, `${text} is not between ${least} and ${most}`)
}

describe('a request with a deadline', () => {
  it('of its route tells the application what is left of it', async () => {
    await timed(await front({ requestMs: 5_000 }), '/')
    within(told[0], 4_000, 5_000)
  })

  it('of its caller is over in time at every hop, whatever the route allows', async () => {
    const sidecars = await front({ requestMs: 60_000 })
    const { status, tookMs } = await timed(sidecars, '/hang', { [header]: '400' })
    assert.equal(status, 504)
    assert.ok(tookMs >= 380 && tookMs < 2_000, `${tookMs} ms`)
    within(told[0], 1, 400)
  })

  it('of its route is not made longer by its caller', async () => {
    const { status, tookMs } = await timed(await front({ requestMs: 300 }), '/hang', { [header]: '60000' })
    assert.equal(status, 504)
    assert.ok(tookMs < 2_000, `${tookMs} ms`)
    within(told[0], 1, 300)
  })

  it('tells what is left of an attempt where that is bounded', async () => {
    await timed(await front({ requestMs: 5_000, backendRequestMs: 1_000 }), '/')
    within(told[0], 500, 1_000)
  })
})

it('a request without one is not given one, nor by what is no time', async () => {
  const sidecars = await front()
  assert.equal((await timed(sidecars, '/')).status, 200)
  assert.equal((await timed(sidecars, '/', { [header]: '0' })).status, 200)
  assert.equal((await timed(sidecars, '/', { [header]: 'soon' })).status, 200)
  assert.deepEqual(told, [undefined, '0', 'soon'])
})
