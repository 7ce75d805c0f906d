// The outbound proxy port: absolute-form requests and CONNECT, services of the mesh found by name, everything else passed on.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createServer as createHttpServer, type Server } from 'node:http'
import { connect as h2connect, createServer as createH2Server } from 'node:http2'
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'

import { systemClock } from '../../src/core/clock.ts'
import type { Connection, IoBackend } from '../../src/proxy/io/connection.ts'
import { createNetBackend } from '../../src/proxy/io/net-backend.ts'
import { send } from '../kit/http-client.ts'
import { rawClient } from '../kit/raw-client.ts'
import { clusterOf, configOf, freePort, listenerOn, routesTo, startLine, type TestLine } from '../kit/request-line.ts'
import { until } from '../kit/until.ts'

const searchDomains = ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local']
let port: number
let test: TestLine
let application: Server
let outside: Server
let banner: NetServer
const h2c = createH2Server((_, response) => void response.end('over http2'))
const demanded: string[][] = []
const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port

before(async () => {
  application = createHttpServer((incoming, response) => {
    incoming.resume().on('end', () => response.end(`mesh ${incoming.headers.host} ${incoming.url}`))
  })
  application.on('upgrade', (_, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    socket.pipe(socket)
  })
  outside = createHttpServer((incoming, response) => response.end(`outside ${incoming.headers.host} ${incoming.url}`))
  banner = createServer((socket: Socket) => {
    socket.on('error', () => {})
    socket.write('220 at your service\r\n')
    socket.pipe(socket)
  })
  for (const server of [application, outside, banner, h2c]) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  }
  port = await freePort()
  const reviews = 'reviews.default.svc.cluster.local:80'
  const ratings = 'ratings.other.svc.cluster.local:9080'
  test = await startLine(
    configOf({
      listeners: [listenerOn(port, { kind: 'forward-proxy', searchDomains, allowAny: true })],
      routes: [routesTo(reviews, {}, reviews)],
      clusters: [
        clusterOf(reviews, [{ port: portOf(application) }]),
        clusterOf(ratings, [{ port: portOf(application) }]),
      ],
    }),
    {
      demand: (candidates) => {
        demanded.push([...candidates])
        if (!candidates.includes(ratings)) return Promise.resolve(undefined)
        const { value } = test.runtime
        const routeConfigurations = new Map(value.routeConfigurations).set(ratings, routesTo(ratings, {}, ratings))
        test.runtime.set({ ...value, routeConfigurations })
        return Promise.resolve(ratings)
      },
    },
  )
})

after(async () => {
  await test.line.stop()
  for (const server of [application, outside]) server.closeAllConnections()
  for (const server of [application, outside, banner, h2c]) server.close()
})

const through = (target: string, method = 'GET', body?: string) =>
  send({
    address: `127.0.0.1:${port}`,
    target,
    method,
    headers: { host: 'ignored' },
    ...(body !== undefined && { body }),
  })

describe('absolute-form requests', () => {
  it('find a service by its short name', async () => {
    for (const host of ['reviews', 'Reviews:80', 'reviews.default', 'reviews.default.svc.cluster.local']) {
      const response = await through(`http://${host}/a?b=c`)
      assert.equal(response.body, `mesh ${host.toLowerCase()} /a?b=c`)
    }
    assert.deepEqual(demanded, [])
    assert.equal(test.exchanges.at(-1)?.routeConfiguration, 'reviews.default.svc.cluster.local:80')
  })

  it('ask the control plane for what is not there yet, once', async () => {
    const bodies = await Promise.all([1, 2].map(() => through('http://ratings.other:9080/', 'POST', 'body')))
    assert.deepEqual(
      bodies.map((response) => response.body),
      Array(2).fill('mesh ratings.other:9080 /'),
    )
    assert.deepEqual(demanded[0], [
      'ratings.other.default.svc.cluster.local:9080',
      'ratings.other.svc.cluster.local:9080',
      'ratings.other.cluster.local:9080',
      'ratings.other:9080',
    ])
    demanded.length = 0
    await through('http://ratings.other:9080/')
    assert.deepEqual(demanded, [])
  })

  it('go out of the mesh when nothing knows the name', async () => {
    const host = `127.0.0.1:${portOf(outside)}`
    const response = await through(`http://${host}/x`)
    assert.equal(response.body, `outside ${host} /x`)
    assert.equal(test.exchanges.at(-1)?.cluster, 'passthrough')
  })

  it('never go round in circles', async () => {
    for (const host of ['127.0.0.1', 'localhost']) {
      const response = await through(`http://${host}:${port}/`)
      assert.equal(response.status, 508)
      assert.match(response.body, /this proxy itself/)
    }
  })

  it('are refused outside the mesh where only the registry counts', async () => {
    const known = test.runtime.value
    test.runtime.set({
      ...known,
      listeners: new Map([['outbound', listenerOn(port, { kind: 'forward-proxy', searchDomains, allowAny: false })]]),
    })
    const response = await through(`http://127.0.0.1:${portOf(outside)}/`)
    assert.equal(response.status, 502)
    assert.match(response.body, /no service of the mesh: add a Service/)
    const client = await rawClient(port)
    const authority = `127.0.0.1:${portOf(outside)}`
    client.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
    assert.match(await client.waitFor('\r\n\r\n'), /^HTTP\/1.1 502 /)
    test.runtime.set(known)
  })
})

async function connected(authority: string) {
  const client = await rawClient(port)
  client.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
  assert.match(await client.waitFor('\r\n\r\n'), /^HTTP\/1.1 200 OK\r\n\r\n$/)
  return client
}

describe('CONNECT', () => {
  it('to a service: requests inside are the same traffic', async () => {
    const client = await connected('reviews:80')
    client.write(
      'GET /1 HTTP/1.1\r\nHost: reviews\r\n\r\nGET /2 HTTP/1.1\r\nHost: reviews\r\nConnection: close\r\n\r\n',
    )
    assert.match(await client.closed(), /mesh reviews \/1[^]*mesh reviews \/2$/)
    assert.equal(test.exchanges.at(-1)?.routeConfiguration, 'reviews.default.svc.cluster.local:80')
  })

  it('may come in one piece with what is inside', async () => {
    const client = await rawClient(port)
    client.write(
      'CONNECT reviews:80 HTTP/1.1\r\nHost: reviews:80\r\n\r\nGET /3 HTTP/1.1\r\nHost: reviews\r\nConnection: close\r\n\r\n',
    )
    assert.match(await client.closed(), /mesh reviews \/3$/)
  })

  it('carries a WebSocket', async () => {
    const client = await connected('reviews:80')
    client.write('GET /chat HTTP/1.1\r\nHost: reviews\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    await client.waitFor('101 Switching')
    client.write('ping')
    await client.waitFor('ping')
    client.socket.end()
    await client.closed()
  })

  it('to a service with something else inside: closed and counted', async () => {
    const client = await connected('reviews:80')
    client.write(Buffer.from('1603010005010000000000', 'hex'))
    await client.closed()
    assert.equal(test.refused.at(-1), 'tls inside CONNECT to a service that carries HTTP')
  })

  it('to elsewhere: any protocol passes, also when the server speaks first', async () => {
    const client = await connected(`127.0.0.1:${portOf(banner)}`)
    await client.waitFor('220 at your service')
    client.write('EHLO\r\n')
    await client.waitFor('EHLO')
    client.socket.end()
    await client.closed()
    await until('the tunnel is over', () => test.exchanges.at(-1)?.request.method === 'CONNECT')
    assert.equal(test.exchanges.at(-1)?.responseBytes, '220 at your service\r\nEHLO\r\n'.length)
  })

  it('to elsewhere with HTTP/2 inside', async () => {
    const client = await connected(`127.0.0.1:${portOf(h2c)}`)
    client.socket.removeAllListeners('data')
    const session = h2connect('http://outside', { createConnection: () => client.socket })
    const stream = session.request({ ':path': '/' })
    let text = ''
    for await (const bytes of stream) text += String(bytes)
    assert.equal(text, 'over http2')
    session.close()
  })

  it('to nowhere: closed, and told to the sink', async () => {
    const client = await connected(`127.0.0.1:${await freePort()}`)
    client.write('\x01\x02')
    await client.closed()
    assert.deepEqual(test.exchanges.at(-1)?.flags, ['UF'])
  })

  it('to elsewhere, given up before there was a connection: that one ends too', async () => {
    const net = createNetBackend(systemClock)
    const dialled = Promise.withResolvers<Connection>()
    const release = Promise.withResolvers<void>()
    const io: IoBackend = {
      ...net,
      connect: async (options) => {
        const connection = await net.connect(options)
        dialled.resolve(connection)
        await release.promise
        return connection
      },
    }
    const ownPort = await freePort()
    const routes = { kind: 'forward-proxy', searchDomains, allowAny: true } as const
    const own = await startLine(configOf({ listeners: [listenerOn(ownPort, routes)] }), { io })
    const client = await rawClient(ownPort)
    client.write(`CONNECT 127.0.0.1:${portOf(banner)} HTTP/1.1\r\nHost: a\r\n\r\n`)
    await client.waitFor('200')
    client.write('\x01\x02')
    const upstream = await dialled.promise
    await own.line.stop()
    release.resolve()
    await until('it has ended', () => upstream.closed)
    assert.deepEqual(own.exchanges.at(-1)?.flags, ['UF'])
  })

  it('leaves no connection behind', async () => {
    await until('only the keep-alive client is left', () => test.openConnections() <= 16)
  })
})

describe('clients', () => {
  const environment = { ...process.env, http_proxy: '', HTTP_PROXY: '', NO_PROXY: '', no_proxy: '' }

  function run(command: string, args: readonly string[]): Promise<string> {
    const proxy = `http://127.0.0.1:${port}`
    const env = { ...environment, http_proxy: proxy, HTTP_PROXY: proxy, NODE_USE_ENV_PROXY: '1' }
    return new Promise((resolve, reject) => {
      execFile(command, [...args], { env, timeout: 10_000 }, (error, out, err) => {
        if (error === null) resolve(out.trim())
        else reject(new Error(`${error.message} ${err}`))
      })
    })
  }

  it('curl', async (context) => {
    try {
      await run('curl', ['--version'])
    } catch {
      context.skip('no curl here')
      return
    }
    assert.equal(await run('curl', ['-s', 'http://reviews/curl']), 'mesh reviews /curl')
    assert.equal(await run('curl', ['-s', '--proxytunnel', 'http://reviews/tunnel']), 'mesh reviews /tunnel')
    const upload = ['-s', '-X', 'POST', '-d', 'x'.repeat(3000), '-H', 'Expect: 100-continue', 'http://reviews/upload']
    assert.equal(await run('curl', upload), 'mesh reviews /upload')
  })

  it('the fetch and http of this Node', async () => {
    const fetching = `console.log(await (await fetch('http://reviews/fetch')).text())`
    assert.equal(await run(process.execPath, ['--input-type=module', '-e', fetching]), 'mesh reviews /fetch')
    const getting = `require('http').get('http://reviews/get', r => r.setEncoding('utf8').on('data', console.log))`
    assert.equal(await run(process.execPath, ['-e', getting]), 'mesh reviews /get')
  })
})
