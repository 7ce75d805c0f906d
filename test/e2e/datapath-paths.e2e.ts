// Paths that mean another path, against a prefix rule; and what a gateway believes of what callers say about themselves.
import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'

import type { ForwardedHeadersSpec } from '../../src/policies/forwarded-headers/forwarded-headers.spec.ts'
import type { PathNormalizationSpec } from '../../src/policies/path-normalization/path-normalization.spec.ts'
import type { ListenerConfig, Route } from '../../src/proxy/runtime/runtime-config.ts'
import { send } from '../kit/http-client.ts'
import { rawClient } from '../kit/raw-client.ts'
import { clusterOf, configOf, forwardTo, freePort, listenerOn, startLine, type TestLine } from '../kit/request-line.ts'

let application: Server
let seen: IncomingMessage | undefined
const running: TestLine[] = []

before(async () => {
  application = createServer((incoming, response) => {
    seen = incoming
    response.end(incoming.url)
  })
  await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve))
})

after(async () => {
  await Promise.all(running.map(({ line }) => line.stop()))
  application.closeAllConnections()
  application.close()
})

interface Settings {
  readonly direction?: ListenerConfig['direction']
  readonly paths?: PathNormalizationSpec
  readonly forwarding?: ForwardedHeadersSpec
}

function route(name: string, value: string, action: Route['action']): Route {
  return { name, match: { path: { kind: 'prefix', value }, headers: [], queryParams: [] }, action }
}

/** /admin is closed to everybody. Returns the proxy's port. */
async function startProxy({ direction = 'outbound', ...settings }: Settings): Promise<number> {
  const port = await freePort()
  const routes = [
    route('closed', '/admin', { kind: 'direct-response', status: 403 }),
    route('open', '/', forwardTo('app')),
  ]
  const listener = listenerOn(port, { kind: 'rds', name: 'routes' }, { direction })
  const filterChains = listener.filterChains.map((chain) => ({
    ...chain,
    filter: { ...chain.filter, ...settings } as typeof chain.filter,
  }))
  running.push(
    await startLine(
      configOf({
        listeners: [{ ...listener, filterChains }],
        routes: [{ name: 'routes', virtualHosts: [{ name: '*', domains: ['*'], routes }] }],
        clusters: [clusterOf('app', [{ port: (application.address() as AddressInfo).port }])],
      }),
    ),
  )
  return port
}

/** Status and body for a target that is sent as it stands. */
async function get(port: number, target: string): Promise<string> {
  const client = await rawClient(port)
  client.write(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
  const answer = await client.closed()
  client.socket.destroy()
  return `${answer.slice(9, 12)} ${answer.slice(answer.indexOf('\r\n\r\n') + 4).trim()}`
}

const ways = [
  '/public/../admin',
  '/public/%2e%2e/admin',
  '/public/.%2E/admin/x',
  '/./admin',
  '/%61dmin',
  '/public\\..\\admin',
  '/\\../admin',
  '/../../admin',
  'http://a/public/../admin',
] as const

describe('a prefix rule', () => {
  it('is not passed by', async () => {
    const port = await startProxy({})
    for (const target of ways) assert.match(await get(port, target), /^403 /, target)
    for (const target of ['/public/..;/admin', '/public/..%2fadmin', '/x%2f..%2fadmin', '/admin%00', '/%zz/admin'])
      assert.match(await get(port, target), /^400 /, target)
  })

  it('is asked about the path that the application gets', async () => {
    const port = await startProxy({})
    assert.equal(await get(port, '/a/./b/%7Ec%3a?d=/../%2e'), '200 /a/b/~c%3A?d=/../%2e')
    assert.equal(await get(port, '/public/%252e%252e/admin'), '200 /public/%252e%252e/admin')
    assert.equal(await get(port, '/x%2fadmin'), '200 /x%2Fadmin')
  })

  it('takes escaped slashes and repeated ones as they are set', async () => {
    const decoding = await startProxy({ paths: { normalize: true, mergeSlashes: true, escapedSlashes: 'decode' } })
    for (const target of ['/x%2f..%2fadmin', '//admin', '/x/..//admin', '/x%5c..%5cadmin']) {
      assert.match(await get(decoding, target), /^403 /, target)
    }
    const rejecting = await startProxy({ paths: { normalize: true, mergeSlashes: false, escapedSlashes: 'reject' } })
    assert.match(await get(rejecting, '/x%2fy'), /^400 /)
    const off = await startProxy({ paths: { normalize: false, mergeSlashes: false, escapedSlashes: 'keep' } })
    assert.equal(await get(off, '/public/../x%zz'), '200 /public/../x%zz')
  })
})

describe('a gateway', () => {
  const claims = {
    'x-forwarded-for': '6.6.6.6, 198.51.100.1',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-client-cert': 'By=spiffe://evil',
    'x-heddle-anything': '1',
  }

  it('believes nobody in front of it unless told so', async () => {
    const port = await startProxy({ direction: 'gateway' })
    await send({ address: `127.0.0.1:${port}`, target: '/', headers: claims })
    const { headers } = seen as IncomingMessage
    assert.equal(headers['x-forwarded-for'], '127.0.0.1')
    assert.equal(headers['x-forwarded-proto'], 'http')
    for (const name of ['x-forwarded-host', 'x-forwarded-client-cert', 'x-heddle-anything']) {
      assert.equal(headers[name], undefined, name)
    }
  })

  it('says what it is told to say', async () => {
    const forwarding = { appendForwardedFor: true, forwardedHeader: true, via: 'edge', trustedHops: 1 }
    const port = await startProxy({ direction: 'gateway', forwarding })
    await send({ address: `127.0.0.1:${port}`, target: '/', headers: claims })
    const { headers } = seen as IncomingMessage
    assert.equal(headers['x-forwarded-for'], '198.51.100.1, 127.0.0.1')
    assert.equal(headers['x-forwarded-proto'], 'https')
    assert.equal(headers['via'], '1.1 edge')
    assert.equal(headers['forwarded'], `for=127.0.0.1;host="127.0.0.1:${port}";proto=http`)
    assert.equal(headers['x-heddle-anything'], undefined)
  })
})
