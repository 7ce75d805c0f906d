// HTTPS, TLS and TCP at the gateways of a running mesh: certificates by SNI and their rotation, HTTP/2 by ALPN, 421, TLSRoute, TCPRoute.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2'
import type { Server } from 'node:net'
import { after, before, describe, it } from 'node:test'
import {
  connect as connectTls,
  createServer as createTlsServer,
  type ConnectionOptions,
  type TLSSocket,
} from 'node:tls'

import { freePorts } from '../kit/free-ports.ts'
import { greetingServer, listenOn } from '../kit/greeting-server.ts'
import { rawClient } from '../kit/raw-client.ts'
import { runCommand } from '../kit/run-command.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { webCertificate } from '../kit/web-certificates.ts'

type Certificate = ReturnType<typeof webCertificate>

const certificates = {
  shop: webCertificate('shop.example'),
  blog: webCertificate('blog.example'),
  one: webCertificate('one.many.example'),
  two: webCertificate('two.many.example'),
  sql: webCertificate('sql.example'),
  backend: webCertificate('inner.example'),
}
const servers: Server[] = []
let mesh: RunningMesh
let file = ''
let ports: Readonly<Record<'https' | 'tls' | 'tcp' | 'shop' | 'blog' | 'bytes' | 'other' | 'inner', number>>
/** As the document has it; a test changes it. */
let secrets: Record<string, string>

function indented(pem: string): string {
  return pem.trimEnd().replaceAll('\n', '\n    ')
}

function secret(name: string, { certificateChainPem, privateKeyPem }: Certificate, key = privateKeyPem): string {
  return `
apiVersion: v1
kind: Secret
metadata: { name: ${name} }
type: kubernetes.io/tls
stringData:
  tls.crt: |
    ${indented(certificateChainPem)}
  tls.key: |
    ${indented(key)}
`
}

function backend(name: string, port: number, appProtocol: string): string {
  return `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name}, labels: { app: ${name} } }
spec: { serviceAccount: ${name}, address: 127.0.0.1, ports: [{ name: main, port: ${port}, appProtocol: ${appProtocol} }] }
---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ name: main, port: 80, targetPort: main, appProtocol: ${appProtocol} }] }
`
}

function listener(name: string, port: number, protocol: string, hostname: string | undefined, tls: string): string {
  const host = hostname === undefined ? '' : `, hostname: '${hostname}'`
  return `    - { name: ${name}, port: ${port}, protocol: ${protocol}${host}${tls === '' ? '' : `, tls: ${tls}`} }\n`
}

function route(kind: string, name: string, section: string, backends: string): string {
  const version = kind === 'HTTPRoute' ? 'v1' : kind === 'TLSRoute' ? 'v1alpha3' : 'v1alpha2'
  const hostnames = kind === 'TLSRoute' ? `, hostnames: ['${section}.example']` : ''
  return `
apiVersion: gateway.networking.k8s.io/${version}
kind: ${kind}
metadata: { name: ${name} }
spec: { parentRefs: [{ name: edge, sectionName: ${section} }], rules: [{ backendRefs: [${backends}] }]${hostnames} }
`
}

function terminate(...names: string[]): string {
  return `{ certificateRefs: [${names.map((name) => `{ name: ${name} }`).join(', ')}] }`
}

function documents(): string {
  const { https, tls, tcp, shop, blog, bytes, other, inner } = ports
  return [
    ...Object.values(secrets),
    `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: heddle
  listeners:
${[
  listener('shop', https, 'HTTPS', 'shop.example', terminate('shop')),
  listener('blog', https, 'HTTPS', 'blog.example', terminate('blog')),
  listener('broken', https, 'HTTPS', 'broken.example', terminate('broken')),
  listener('many', https, 'HTTPS', '*.many.example', terminate('one', 'two')),
  listener('inner', tls, 'TLS', 'inner.example', '{ mode: Passthrough }'),
  listener('sql', tls, 'TLS', 'sql.example', `{ mode: Terminate, certificateRefs: [{ name: sql }] }`),
  listener('raw', tcp, 'TCP', undefined, ''),
].join('')}`,
    backend('shop-app', shop, 'http'),
    backend('blog-app', blog, 'http'),
    backend('bytes', bytes, 'tcp'),
    backend('other', other, 'tcp'),
    backend('inner', inner, 'tls'),
    route('HTTPRoute', 'shop', 'shop', '{ name: shop-app, port: 80 }'),
    route('HTTPRoute', 'blog', 'blog', '{ name: blog-app, port: 80 }'),
    route('HTTPRoute', 'many', 'many', '{ name: shop-app, port: 80 }'),
    route('TLSRoute', 'inner', 'inner', '{ name: inner, port: 80 }'),
    route('TLSRoute', 'sql', 'sql', '{ name: bytes, port: 80 }'),
    route('TCPRoute', 'raw', 'raw', '{ name: bytes, port: 80, weight: 1 }, { name: other, port: 80, weight: 1 }'),
  ].join('---\n')
}

function page(name: string): Server {
  return createHttpServer(({ headers }, response) => {
    response.end(JSON.stringify({ name, host: headers.host, proto: headers['x-forwarded-proto'] }))
  })
}

before(async () => {
  const names = ['https', 'tls', 'tcp', 'shop', 'blog', 'bytes', 'other', 'inner'] as const
  const free = await freePorts(names.length)
  ports = Object.fromEntries(names.map((name, index) => [name, free[index]])) as typeof ports
  secrets = Object.fromEntries(
    (['shop', 'blog', 'one', 'two', 'sql'] as const).map((name) => [name, secret(name, certificates[name])]),
  )
  // a key that is not its own
  secrets['broken'] = secret('broken', certificates.shop, certificates.blog.privateKeyPem)
  const own = certificates.backend
  const tlsServer = createTlsServer({ cert: own.certificateChainPem, key: own.privateKeyPem }, (socket) =>
    socket.on('error', () => {}).end('own TLS'),
  )
  const listening: readonly (readonly [Server, number])[] = [
    [page('shop'), ports.shop],
    [page('blog'), ports.blog],
    [greetingServer('bytes'), ports.bytes],
    [greetingServer('other'), ports.other],
    [tlsServer, ports.inner],
  ]
  for (const [server, port] of listening) {
    servers.push(await listenOn(port, server))
  }
  file = await meshFile(documents())
  mesh = await startMesh({ files: [file] })
  await eventually(async () => (await handshake('shop.example')).destroy(), 5_000)
})

after(async () => {
  if (mesh !== undefined) assert.equal(await mesh.stop(), 0)
  for (const server of servers) server.close()
})

function handshake(servername: string, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const { https: port } = ports
    const socket: TLSSocket = connectTls(
      { host: '127.0.0.1', port, servername, rejectUnauthorized: false, ...options },
      () => resolve(socket),
    )
    socket.on('error', reject)
  })
}

async function shown(servername: string, options?: ConnectionOptions): Promise<string> {
  const socket = await handshake(servername, options)
  const names = socket.getPeerX509Certificate()?.subjectAltName ?? ''
  socket.destroy()
  return names
}

function http1(socket: TLSSocket, host: string, extra = ''): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    socket.on('data', (bytes: Buffer) => (text += String(bytes))).once('close', () => resolve(text))
    socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n${extra}Connection: close\r\n\r\n`)
  })
}

async function http2(session: ClientHttp2Session, authority: string): Promise<{ status: number; body: string }> {
  const stream = session.request({ ':authority': authority, ':path': '/' })
  let status = 0
  stream.on('response', (headers) => (status = Number(headers[':status'])))
  let body = ''
  for await (const bytes of stream) body += String(bytes)
  return { status, body }
}

async function change(changed: Record<string, string>): Promise<void> {
  secrets = { ...secrets, ...changed }
  await writeFile(file, documents())
}

/** About keys that do not fit, so far. */
function complaints(): number {
  return [...mesh.output().matchAll(/HDL005.*not that of the certificate/g)].length
}

describe('HTTPS at a gateway', () => {
  it('shows each hostname its own certificate, and serves it', async () => {
    for (const name of ['shop', 'blog']) {
      const socket = await handshake(`${name}.example`)
      assert.equal(socket.getPeerX509Certificate()?.subjectAltName, `DNS:${name}.example`)
      const answer = await http1(socket, `${name}.example`)
      assert.match(answer, /^HTTP\/1.1 200 /)
      assert.match(answer, new RegExp(`"name":"${name}","host":"${name}.example","proto":"https"`))
    }
  })

  it('chooses among several certificates of one listener', async () => {
    assert.equal(await shown('one.many.example'), 'DNS:one.many.example')
    assert.equal(await shown('two.many.example'), 'DNS:two.many.example')
    assert.equal(await shown('three.many.example'), 'DNS:one.many.example')
  })

  it('speaks HTTP/2 and HTTP/1.1, as the client offers', async () => {
    const socket = await handshake('shop.example', { ALPNProtocols: ['h2', 'http/1.1'] })
    assert.equal(socket.alpnProtocol, 'h2')
    const session = connectHttp2('https://shop.example', { createConnection: () => socket })
    const answers = await Promise.all([1, 2, 3].map(() => http2(session, 'shop.example')))
    for (const { status, body } of answers) {
      assert.equal(status, 200)
      assert.match(body, /"name":"shop","host":"shop.example","proto":"https"/)
    }
    session.close()
    const older = await handshake('shop.example', { ALPNProtocols: ['http/1.1'] })
    assert.equal(older.alpnProtocol, 'http/1.1')
    older.destroy()
  })

  it('serves curl in both', async () => {
    for (const version of ['2', '1.1']) {
      const { stdout } = await runCommand('curl', [
        '-sk',
        `--http${version}`,
        '--resolve',
        `blog.example:${ports.https}:127.0.0.1`,
        '-w',
        ' %{http_version}',
        `https://blog.example:${ports.https}/`,
      ])
      assert.match(stdout, new RegExp(`"name":"blog".*"proto":"https"} ${version.replace('.', '\\.')}$`))
    }
  })

  it('answers 421 to a request for the host of another listener, and serves the next', async () => {
    assert.match(
      await http1(await handshake('shop.example'), 'blog.example'),
      /^HTTP\/1.1 421 [^]*opened for another name/,
    )
    const socket = await handshake('shop.example', { ALPNProtocols: ['h2'] })
    const session = connectHttp2('https://shop.example', { createConnection: () => socket })
    assert.equal((await http2(session, 'blog.example')).status, 421)
    assert.equal((await http2(session, 'shop.example')).status, 200)
    session.close()
  })

  it('refuses names that no listener has', async () => {
    await assert.rejects(handshake('nobody.example'))
  })

  it('leaves out a listener whose certificate is broken from the beginning, until it is not', async () => {
    assert.equal(complaints(), 1)
    await assert.rejects(handshake('broken.example'))
    await change({ broken: secret('broken', certificates.blog) })
    await eventually(async () => assert.equal(await shown('broken.example'), 'DNS:blog.example'), 5_000)
  })

  it('shows a renewed certificate to new connections, and keeps those that are open', async () => {
    const open = await handshake('shop.example')
    const renewed = webCertificate('shop.example', 'www.shop.example')
    await change({ shop: secret('shop', renewed) })
    await eventually(
      async () => assert.equal(await shown('shop.example'), 'DNS:shop.example, DNS:www.shop.example'),
      5_000,
    )
    assert.match(await http1(open, 'shop.example'), /"name":"shop"/)
  })

  it('loses only the listener whose certificate is broken', async () => {
    const good = secrets['blog'] ?? ''
    await change({ blog: secret('blog', certificates.blog, certificates.shop.privateKeyPem) })
    await eventually(() => assert.ok(complaints() >= 2), 5_000)
    // the last good document stays in force
    assert.equal(await shown('blog.example'), 'DNS:blog.example')
    await change({ blog: '' })
    await eventually(() => assert.rejects(handshake('blog.example')), 5_000)
    assert.match(await http1(await handshake('shop.example'), 'shop.example'), /"name":"shop"/)
    await change({ blog: good })
    await eventually(async () => assert.equal(await shown('blog.example'), 'DNS:blog.example'), 5_000)
  })
})

async function readAll(socket: TLSSocket): Promise<string> {
  let text = ''
  for await (const bytes of socket) text += String(bytes)
  return text
}

describe('TLS at a gateway', () => {
  it('passes through to a backend with its own certificate', async () => {
    const { certificateChainPem: ca } = certificates.backend
    const socket = await handshake('inner.example', { port: ports.tls, ca, rejectUnauthorized: true })
    assert.equal(socket.getPeerX509Certificate()?.subjectAltName, 'DNS:inner.example')
    assert.equal(await readAll(socket), 'own TLS')
  })

  it('ends where it is to end, and the server may speak first', async () => {
    const { certificateChainPem: ca } = certificates.sql
    const socket = await handshake('sql.example', { port: ports.tls, ca, rejectUnauthorized: true })
    const [greeting] = await new Promise<string[]>((resolve) =>
      socket.once('data', (b: Buffer) => resolve([String(b)])),
    )
    assert.equal(greeting, '220 bytes\r\n')
    socket.destroy()
  })

  it('refuses other names', async () => {
    await assert.rejects(handshake('shop.example', { port: ports.tls }))
  })
})

describe('TCP at a gateway', () => {
  it('is split by weight; the server is heard at once', async () => {
    const seen = { bytes: 0, other: 0 }
    for (let i = 0; i < 30; i++) {
      const client = await rawClient(ports.tcp)
      const startMs = performance.now()
      const text = await client.waitFor('\r\n')
      assert.ok(performance.now() - startMs < 1_000)
      seen[text.includes('220 bytes') ? 'bytes' : 'other']++
      client.socket.destroy()
    }
    assert.ok(seen.bytes > 3 && seen.other > 3, JSON.stringify(seen))
  })
})
