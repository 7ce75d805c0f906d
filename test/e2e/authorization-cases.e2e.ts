// The table of authorization cases once more, through real sockets: mutual TLS or none, real addresses, real tokens, HTTP and bytes.
import assert from 'node:assert/strict'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { connect as connectTls } from 'node:tls'

import { exportJWK, generateKeyPair, SignJWT } from 'jose'

import { FilterSchema } from '../../src/contracts/xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { HttpFilterSchema } from '../../src/contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import {
  decodeAuthorization,
  decodeNetworkAuthorization,
  encodeAuthorization,
  encodeNetworkAuthorization,
} from '../../src/policies/authorization/authorization.xds.ts'
import type { TlsCredentials } from '../../src/proxy/io/connection.ts'
import type { ClusterConfig, FilterChainConfig, HttpFilterConfig } from '../../src/proxy/runtime/runtime-config.ts'
import type { AuthorizationCase, CaseRequest, CaseToken } from '../authorization/authorization-case.ts'
import { authorizationCases } from '../authorization/cases.ts'
import { applied } from '../authorization/engine.ts'
import { greetingServer, listenOn } from '../kit/greeting-server.ts'
import { overTheWire } from '../kit/over-the-wire.ts'
import { clusterOf, configOf, freePort, listenerWith, routesTo, startLine, type TestLine } from '../kit/request-line.ts'
import { testAuthority } from '../kit/svids.ts'
import { until } from '../kit/until.ts'

const authority = testAuthority()
const { privateKey, publicKey } = await generateKeyPair('ES256')
const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }] })

let application: Server
let greeter: Server
let line: TestLine
let port = 0
const clusters = (): ClusterConfig[] => [
  clusterOf('http', [{ port: (application.address() as AddressInfo).port }]),
  clusterOf('tcp', [{ port: (greeter.address() as AddressInfo).port }]),
]

before(async () => {
  // node:http knows only some methods
  application = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'))
  })
  await listenOn(0, application)
  greeter = greetingServer('ready')
  await listenOn(0, greeter)
  port = await freePort()
  const config = configOf({ listeners: [listenerOf([])], clusters: clusters() })
  line = await startLine(config, { credentials: authority.issue('spiffe://mesh.local/ns/default/sa/server') })
})

after(async () => {
  await line.line.stop()
  application.close()
  greeter.close()
  authority.remove()
})

function listenerOf(filterChains: readonly FilterChainConfig[]): ReturnType<typeof listenerWith> {
  return listenerWith(port, filterChains, { name: 'inbound|8080', direction: 'inbound', host: '0.0.0.0' })
}

/** Addresses of documentation become some that every machine has; blocks keep their meaning. */
function onLoopback(one: AuthorizationCase): AuthorizationCase {
  const text = JSON.stringify(one)
    .replaceAll(/(["'])192\.0\./g, '$1127.1.')
    .replaceAll('"198.51.', '"127.51.')
    .replaceAll('"203.0.', '"127.20.')
  return JSON.parse(text) as AuthorizationCase
}

/** Why a case cannot be had with real sockets here. */
function obstacle({ request, policies }: AuthorizationCase): string | undefined {
  const { address = '127.0.0.1', remoteAddress = address, principal, headers } = request
  if (![address, remoteAddress].every((one) => one.startsWith('127.'))) return 'an address that is not of this machine'
  if (/"10\.|"192\.|::/.test(JSON.stringify(policies))) return 'a block of other addresses'
  if (remoteAddress !== address && principal === undefined) return 'another remote address needs a proxy of the mesh'
  if (principal !== undefined && !/^spiffe:\/\/[a-z0-9.-]+\/ns\/[^/]+\/sa\/[^/]+$/.test(principal))
    return 'no identity of a workload'
  if (principal !== undefined && !principal.startsWith('spiffe://mesh.local/'))
    return 'another trust domain: refused in the handshake'
  if (headers.some(([name]) => name.startsWith(':'))) return 'a pseudo-header'
  return undefined
}

function chainsOf({ policies, settings, request }: AuthorizationCase): FilterChainConfig[] {
  const place = { port: request.port, defaultAction: settings.default, trustDomains: settings.trustDomains }
  const all = policies.map(applied)
  const tls = { kind: 'mesh', requireClientCertificate: false, alpn: ['http/1.1'] } as const
  const match = { serverNames: [], applicationProtocols: [] }
  const authorization = encodeNetworkAuthorization(all, { ...place, protocol: 'tcp' }).map((filter) =>
    decodeNetworkAuthorization(overTheWire(FilterSchema, filter)),
  )
  const filters: HttpFilterConfig[] = [
    ...(request.token === undefined ? [] : [authenticationOf(request.token)]),
    ...encodeAuthorization(all, { ...place, protocol: 'http' }).map((filter): HttpFilterConfig => ({
      kind: 'authorization',
      spec: decodeAuthorization(overTheWire(HttpFilterSchema, filter)),
    })),
  ]
  const filter: FilterChainConfig['filter'] =
    request.protocol === 'tcp'
      ? { kind: 'tcp', backends: [{ cluster: 'tcp', weight: 1 }], route: 'default', authorization }
      : { kind: 'http', routes: { kind: 'inline', routeConfiguration: routesTo('http') }, filters }
  return [
    { name: 'tls', match: { ...match, transport: 'tls' }, tls, filter },
    { name: 'plaintext', match: { ...match, transport: request.protocol === 'tcp' ? 'any' : 'plaintext' }, filter },
  ]
}

function authenticationOf({ issuer }: CaseToken): HttpFilterConfig {
  const locations = { fromHeaders: [], fromParams: [], fromCookies: [], outputClaimToHeaders: [] }
  const rule = { issuer, audiences: [], jwks, timeoutMs: 1000, forwardOriginalToken: false, ...locations }
  return { kind: 'request-authentication', spec: { rules: [rule] } }
}

function sign({ issuer, subject, audiences, claims }: CaseToken): Promise<string> {
  return new SignJWT({ ...claims, ...(audiences.length === 0 ? {} : { aud: [...audiences] }) })
    .setProtectedHeader({ alg: 'ES256', kid: 'one' })
    .setIssuer(issuer)
    .setSubject(subject)
    .setExpirationTime('5m')
    .sign(privateKey)
}

const issued = new Map<string, TlsCredentials>()

function credentialsOf(principal: string): TlsCredentials {
  const known = issued.get(principal) ?? authority.issue(principal)
  issued.set(principal, known)
  return known
}

function open({ principal, address = '127.0.0.1', localAddress = '127.1.2.80', sni }: CaseRequest): Socket {
  const where = { host: localAddress, port, localAddress: address }
  if (principal === undefined && sni === undefined) return connect(where)
  const own = principal === undefined ? undefined : credentialsOf(principal)
  return connectTls({
    socket: connect(where),
    rejectUnauthorized: false,
    ...(own === undefined ? {} : { cert: own.certificateChainPem, key: own.privateKeyPem }),
    ...(sni === undefined ? {} : { servername: sni }),
  })
}

/** Everything that comes until the peer ends, or until its first words. */
function answerTo(socket: Socket, text: string): Promise<string> {
  return new Promise((resolve) => {
    socket.setTimeout(5_000, () => resolve('nothing within 5 s'))
    socket.on('data', (bytes: Buffer) => resolve(bytes.toString('latin1')))
    socket.on('error', () => resolve(''))
    socket.on('close', () => resolve(''))
    socket.write(text)
  })
}

async function outcomeOf(one: AuthorizationCase): Promise<{ allowed: boolean; policy: string | undefined }> {
  const { request } = one
  const { method, path, host, headers, token, address = '127.0.0.1', remoteAddress = address } = request
  line.runtime.set(configOf({ listeners: [listenerOf(chainsOf(one))], clusters: clusters() }))
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `host: ${host}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(token === undefined ? [] : [`authorization: Bearer ${await sign(token)}`]),
    ...(remoteAddress === address ? [] : [`x-forwarded-for: ${remoteAddress}`]),
    'connection: close',
  ]
  const count = line.exchanges.length
  const socket = open(request)
  const answer = await answerTo(socket, request.protocol === 'tcp' ? 'words\r\n' : `${lines.join('\r\n')}\r\n\r\n`)
  socket.destroy()
  await until(`an exchange for ${one.name}: ${line.refused.at(-1)}`, () => line.exchanges.length > count)
  const { authorization } = line.exchanges.at(-1) ?? {}
  const first = answer.split('\r\n', 1)[0] ?? ''
  if (request.protocol === 'tcp') assert.ok(['220 ready', ''].includes(first), first)
  else assert.match(first, /^HTTP\/1\.1 (200|403) /)
  return { allowed: /^(220 ready|HTTP\/1\.1 200 )/.test(first), policy: authorization?.policy }
}

describe('authorization cases through real sockets', () => {
  const all = authorizationCases.map(onLoopback)
  const groups = Map.groupBy(all, ({ name }) => name.split(':', 1)[0] as string)
  for (const [feature, members] of groups) {
    const possible = members.filter((one) => obstacle(one) === undefined)
    if (possible.length === 0) continue
    it(`${feature} (${possible.length})`, async () => {
      for (const one of possible) {
        const { allowed, policy } = one.expect
        assert.deepEqual(await outcomeOf(one), { allowed, policy }, one.name)
      }
    })
  }

  it('are nearly all of them', () => {
    const impossible = all.map(obstacle).filter((why) => why !== undefined)
    const reasons = Map.groupBy(impossible, (why) => why)
    for (const [why, { length }] of reasons) console.error(`NOT RUN through sockets: ${length} cases: ${why}`)
    assert.ok(all.length - impossible.length >= 900, `${all.length - impossible.length} of ${all.length}`)
  })
})
