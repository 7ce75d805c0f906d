// What callers and applications may say in trailers, over HTTP/1.1 and HTTP/2 on either side: nothing about who somebody is, and nothing that
// only proxies say.
import assert from 'node:assert/strict'
import { createServer, request as httpRequest } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo, Server } from 'node:net'
import { after, before, describe, it } from 'node:test'

import type { ExternalAuthorizationSpec } from '../../src/policies/external-authorization/external-authorization.spec.ts'
import type { HttpFilterConfig } from '../../src/proxy/runtime/runtime-config.ts'
import { grpcAuthorizationServer } from '../kit/grpc-authorization-server.ts'
import { issuer, jwks } from '../kit/json-web-tokens.ts'
import {
  clusterOf,
  configOf,
  freePort,
  httpChain,
  listenerWith,
  routesTo,
  startLine,
  type TestLine,
} from '../kit/request-line.ts'

type Trailers = Readonly<Record<string, unknown>>

/** Said by a caller; only the last may arrive. */
const said = {
  'X-Forwarded-Client-Cert': 'By=spiffe://m/ns/a/sa/admin',
  x_forwarded_client_cert: 'By=spiffe://m/ns/a/sa/admin',
  'X-Heddle-Spoken': 'HTTP/1.1',
  'X-Heddle-Anything': '1',
  'X-Forwarded-For': '10.0.0.1',
  Forwarded: 'for=10.0.0.1',
  'X-Real-IP': '10.0.0.1',
  Authorization: 'Bearer forged',
  Cookie: 'session=forged',
  // by the filters of the listener
  'X-User': 'admin',
  x_user: 'admin',
  'X-Payload': 'forged',
  'X-Token': 'forged',
  'X-Group': 'admin',
  'X-Secret': 'forged',
  'X-Sum': '1',
}
const saidByApplications = { 'X-Heddle-Unprocessed': '1', 'Set-Cookie': 'a=b', 'X-Sum': '2' }

const servers: Server[] = []
let received: Trailers = {}
let line: TestLine
const ports = { http1: 0, http2: 0 }

async function listening(server: Server): Promise<number> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

before(async () => {
  const http1 = await listening(
    createServer((incoming, response) => {
      incoming.resume().on('end', () => {
        received = incoming.trailers
        response.writeHead(200, { trailer: Object.keys(saidByApplications).join(', ') })
        response.addTrailers(saidByApplications)
        response.end('ok')
      })
    }),
  )
  const http2 = await listening(
    createHttp2Server().on('stream', (stream) => {
      received = {}
      stream.on('trailers', (trailers: Trailers) => (received = trailers))
      stream.resume().on('end', () => {
        stream.on('wantTrailers', () => stream.sendTrailers(saidByApplications))
        stream.respond({ ':status': 200 }, { waitForTrailers: true })
        stream.end('ok')
      })
    }),
  )
  const { server, port: auth } = await grpcAuthorizationServer((_, reply) => {
    const headers = [{ header: { key: 'x-group', value: 'guests' } }]
    reply(null, { httpResponse: { case: 'okResponse', value: { headers, headersToRemove: ['x-secret'] } } })
  })
  closers.push(() => server.forceShutdown())

  const rule = {
    issuer,
    audiences: [],
    jwks,
    timeoutMs: 1_000,
    fromHeaders: [{ name: 'X-Token', prefix: '' }],
    fromParams: [],
    fromCookies: [],
    outputPayloadToHeader: 'X-Payload',
    forwardOriginalToken: false,
    outputClaimToHeaders: [{ header: 'X-User', claim: 'sub' }],
  }
  const asked = { kind: 'grpc', cluster: 'auth' } as const
  const question = { service: asked, timeoutMs: 5_000, failOpen: false, statusOnError: 403, headersInCheck: [] }
  // with the body the trailers come before the answer, without it after
  const requestBody = { maxRequestBytes: 100, allowPartialMessage: false, packAsBytes: true }
  const filtersOf = (spec: ExternalAuthorizationSpec): HttpFilterConfig[] => [
    { kind: 'request-authentication', spec: { rules: [rule] } },
    { kind: 'external-authorization', spec },
  ]
  const listeners = await Promise.all(
    (['http1', 'http2'] as const).map(async (name) => {
      ports[name] = await freePort()
      const routes = { kind: 'rds', name } as const
      const filters = filtersOf(name === 'http1' ? { ...question, requestBody } : question)
      const chain = httpChain(routes, {}, { filter: { kind: 'http', routes, filters } })
      return listenerWith(ports[name], [chain], { name, direction: 'gateway' })
    }),
  )
  line = await startLine(
    configOf({
      listeners,
      routes: [routesTo('http1', {}, 'http1'), routesTo('http2', {}, 'http2')],
      clusters: [
        clusterOf('http1', [{ port: http1 }], { httpProtocol: 'http1' }),
        clusterOf('http2', [{ port: http2 }], { httpProtocol: 'http2' }),
        clusterOf('auth', [{ port: auth }]),
      ],
    }),
  )
})

const closers: (() => void)[] = []

after(async () => {
  await line.line.stop()
  for (const close of closers) close()
  for (const server of servers) server.close()
})

/** Resolves with the trailers of the answer. */
function sayInHttp1(port: number): Promise<Trailers> {
  return new Promise((resolve, reject) => {
    const headers = { trailer: Object.keys(said).join(', ') }
    const outgoing = httpRequest({ host: '127.0.0.1', port, method: 'POST', agent: false, headers }, (incoming) => {
      assert.equal(incoming.statusCode, 200)
      incoming.resume().on('end', () => resolve(incoming.trailers))
    })
    outgoing.on('error', reject)
    outgoing.write('body')
    outgoing.addTrailers(said)
    outgoing.end()
  })
}

function sayInHttp2(port: number): Promise<Trailers> {
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  return new Promise<Trailers>((resolve, reject) => {
    session.on('error', reject)
    const stream = session.request({ ':method': 'POST' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers(said))
    stream.on('response', (head) => assert.equal(head[':status'], 200))
    let trailers: Trailers = {}
    stream.on('trailers', (seen: Trailers) => (trailers = seen))
    stream
      .resume()
      .on('end', () => resolve(trailers))
      .on('error', reject)
    stream.end('body')
  }).finally(() => session.close())
}

describe('trailers say nothing of who somebody is', () => {
  for (const [caller, say] of [
    ['HTTP/1.1', sayInHttp1],
    ['HTTP/2', sayInHttp2],
  ] as const) {
    for (const application of ['http1', 'http2'] as const) {
      it(`those of a caller of ${caller} to an application of ${application}, and those of the answer`, async () => {
        const answered = await say(ports[application])
        assert.deepEqual(Object.entries(received), [['x-sum', '1']])
        assert.deepEqual(Object.entries(answered), [['x-sum', '2']])
      })
    }
  }
})
