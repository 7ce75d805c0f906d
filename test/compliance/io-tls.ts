// What every I/O back end owes to secured connections: who may speak, what is agreed on, and what breaks them off.
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { connect as tlsConnect, createServer as createTlsServer, type SecureContextOptions } from 'node:tls'

import type { ClientTls, OriginatedTls, ServerTls, TlsCredentials } from '../../src/proxy/io/connection.ts'
import { serverCertificate } from '../kit/server-certificate.ts'
import { testAuthority } from '../kit/svids.ts'
import { until } from '../kit/until.ts'
import { host, type IoPairs, Recorder, reviews, web } from './io-pairs.ts'

const keysOf = ({ certificateChainPem, privateKeyPem }: TlsCredentials): SecureContextOptions => ({
  cert: certificateChainPem,
  key: privateKeyPem,
})

export function describeTls(pairs: IoPairs): void {
  const { io, authority } = pairs
  const dial = (port: number, tls: ClientTls = pairs.near) => io.connect({ host, port, timeoutMs: 2_000, tls })

  describe(`${io.name}, mutual TLS`, () => {
    it('refuses a server with another identity', async () => {
      const { port } = await pairs.acceptSecured(pairs.far)
      await assert.rejects(
        dial(port, { ...pairs.near, peerSpiffeIds: [web] }),
        /peer not accepted: the peer is .*reviews/,
      )
    })

    it('refuses a client without a certificate, and a certificate of somebody else', async () => {
      const stranger = testAuthority()
      try {
        for (const keys of [{}, keysOf(stranger.issue(web))]) {
          const { port, secured } = await pairs.acceptSecured(pairs.far)
          const client = tlsConnect({ host, port, rejectUnauthorized: false, ...keys })
          client.on('error', () => {})
          await assert.rejects(secured)
          await until('the client is dropped', () => client.destroyed)
        }
        const { port } = await pairs.acceptSecured({ ...pairs.far, credentials: stranger.issue(reviews) })
        await assert.rejects(dial(port), /peer not accepted: its certificate does not verify/)
      } finally {
        stranger.remove()
      }
    })

    it('lets a client without a certificate in where one is only requested', async () => {
      const { port, secured } = await pairs.acceptSecured({ ...pairs.far, clientCertificate: 'requested' })
      const client = tlsConnect({ host, port, rejectUnauthorized: false })
      client.on('error', () => {})
      assert.equal((await secured).tls?.peerSpiffeId, undefined)
      client.destroy()
    })

    it('refuses certificates that have expired, on either side', async () => {
      const expired = { near: authority.issue(web, 1_000), far: authority.issue(reviews, 1_000) }
      const endMs = new X509Certificate(expired.far.certificateChainPem).validToDate.getTime()
      await until('the certificates expire', () => Date.now() > endMs + 1_000, 10_000)
      const old = await pairs.acceptSecured({ ...pairs.far, credentials: expired.far })
      await assert.rejects(dial(old.port), /CERT_HAS_EXPIRED/)
      const current = await pairs.acceptSecured(pairs.far)
      dial(current.port, { ...pairs.near, credentials: expired.near }).then(
        (connection) => pairs.open.push(connection),
        () => {},
      )
      await assert.rejects(current.secured)
    })

    it('speaks TLS 1.3 only', async () => {
      const { port, secured } = await pairs.acceptSecured(pairs.far)
      const keys = keysOf(pairs.near.credentials)
      const client = tlsConnect({ host, port, rejectUnauthorized: false, maxVersion: 'TLSv1.2', ...keys })
      client.on('error', () => {})
      await assert.rejects(secured)
      client.destroy()
    })

    it('agrees on a protocol, the server choosing, and refuses when there is none in common', async () => {
      const far: ServerTls = { ...pairs.far, alpn: ['h2', 'http/1.1'] }
      for (const [offered, agreed] of [
        [['http/1.1', 'h2'], 'h2'],
        [['http/1.1'], 'http/1.1'],
        [[], undefined],
      ] as const) {
        const { port, secured } = await pairs.acceptSecured(far)
        const near = await dial(port, { ...pairs.near, alpn: offered })
        pairs.open.push(near)
        assert.equal(near.tls?.alpn, agreed)
        assert.equal((await secured).tls?.alpn, agreed)
      }
      const { port, secured } = await pairs.acceptSecured(far)
      await assert.rejects(dial(port, { ...pairs.near, alpn: ['spdy/3'] }))
      await assert.rejects(secured)
    })

    it('hands over what came with the end of the handshake, once somebody listens', async () => {
      const { port, secured } = await pairs.acceptSecured(pairs.far)
      const { rootsPem } = pairs.near.credentials
      const client = tlsConnect({
        host,
        port,
        ca: rootsPem,
        checkServerIdentity: () => undefined,
        ...keysOf(pairs.near.credentials),
      })
      client.on('error', () => {})
      client.write('at once')
      client.end(', and the end')
      const connection = await secured
      await new Promise((resolve) => setTimeout(resolve, 20))
      const far = new Recorder(connection)
      await until('the end', () => far.events.includes('end'))
      assert.equal(far.text, 'at once, and the end')
      assert.deepEqual(far.events, ['data', 'end'])
      client.destroy()
    })

    it('is handed a hello in pieces of one byte', async () => {
      const { port, secured } = await pairs.acceptSecured(pairs.far)
      const slow = createServer((client) => trickle(client, connect({ host, port, noDelay: true })))
      await new Promise<void>((resolve) => slow.listen(0, host, resolve))
      const near = await dial((slow.address() as AddressInfo).port)
      pairs.open.push(near)
      assert.equal((await secured).tls?.peerSpiffeId, web)
      slow.close()
    })

    it('rejects what is no TLS, and peers that leave in the middle', async () => {
      const { port, secured } = await pairs.acceptSecured(pairs.far)
      const client = connect(port, host, () => client.write('GET / HTTP/1.1\r\n\r\n'))
      client.on('error', () => {})
      await assert.rejects(secured)
      const { port: second, accepted } = await pairs.accept()
      const leaving = connect(second, host)
      const securing = io.secure(await accepted, new Uint8Array(0), pairs.far, 2_000)
      leaving.end()
      await assert.rejects(securing, /closed during the TLS handshake/)
      client.destroy()
    })

    it('ends a handshake whose connection is destroyed beneath it', async () => {
      const { port, accepted } = await pairs.accept()
      const client = connect(port, host)
      client.on('error', () => {})
      const connection = await accepted
      const securing = io.secure(connection, new Uint8Array(0), pairs.far, 2_000)
      connection.destroy()
      await assert.rejects(securing, /closed during the TLS handshake/)
      client.destroy()
    })

    it('takes a reset for an error, and garbage as well', async () => {
      for (const breakOff of [
        (tcp: Socket) => tcp.resetAndDestroy(),
        (tcp: Socket) => tcp.write(Buffer.alloc(100, 0x17)),
      ]) {
        const { port, secured } = await pairs.acceptSecured(pairs.far)
        const tcp = connect(port, host)
        const { rootsPem } = pairs.near.credentials
        const client = tlsConnect({
          socket: tcp,
          ca: rootsPem,
          checkServerIdentity: () => undefined,
          ...keysOf(pairs.near.credentials),
        })
        client.on('error', () => {})
        client.write('half a')
        const far = new Recorder(await secured)
        await until('the bytes', () => far.text === 'half a')
        breakOff(tcp)
        await until('the close', () => far.events.includes('close'))
        assert.ok(far.error)
        assert.equal(far.events.includes('end'), false)
        tcp.destroy()
      }
    })
  })

  describe(`${io.name}, TLS with those outside the mesh`, () => {
    const certificate = serverCertificate(['shop.example', '*.wild.example'])
    const gateway: ServerTls = { credentials: certificate, clientCertificate: 'none', alpn: ['http/1.1'] }
    const originate = (serverName: string, more: Partial<OriginatedTls> = {}): OriginatedTls => ({
      kind: 'originate',
      serverName,
      subjectAltNames: [],
      rootsPem: certificate.certificateChainPem,
      alpn: ['http/1.1'],
      ...more,
    })

    it('verifies a server by name', async () => {
      for (const [name, accepted] of [
        ['shop.example', true],
        ['a.wild.example', true],
        ['a.b.wild.example', false],
        ['wild.example', false],
        ['other.example', false],
      ] as const) {
        const { port, secured } = await pairs.acceptSecured(gateway)
        const dialled = dial(port, originate(name))
        if (!accepted) {
          await assert.rejects(dialled, /its certificate is for .*, not for/)
          continue
        }
        const near = await dialled
        pairs.open.push(near)
        const { tls } = await secured
        assert.equal(tls?.sni, name)
        assert.equal(tls.alpn, 'http/1.1')
        assert.equal(tls.peerSpiffeId, undefined)
        assert.equal(near.tls?.notAfterMs, new X509Certificate(certificate.certificateChainPem).validToDate.getTime())
      }
    })

    it('takes one of the other names where they are given, and only those', async () => {
      const first = await pairs.acceptSecured(gateway)
      const near = await dial(
        first.port,
        originate('front.example', { subjectAltNames: ['no.example', 'shop.example'] }),
      )
      pairs.open.push(near)
      assert.equal((await first.secured).tls?.sni, 'front.example')
      const second = await pairs.acceptSecured(gateway)
      await assert.rejects(dial(second.port, originate('shop.example', { subjectAltNames: ['no.example'] })), /not for/)
    })

    it('trusts the roots that the runtime ships where none are given', async () => {
      const { port } = await pairs.acceptSecured(gateway)
      await assert.rejects(dial(port, originate('shop.example', { rootsPem: undefined })), /does not verify/)
    })

    it('sends no address as a name', async () => {
      const { port, secured } = await pairs.acceptSecured(gateway)
      pairs.open.push(await dial(port, originate(host, { subjectAltNames: ['shop.example'] })))
      assert.equal((await secured).tls?.sni, undefined)
      const second = await pairs.acceptSecured(gateway)
      await assert.rejects(dial(second.port, originate(host)), /not for 127/)
    })

    it('speaks TLS 1.2 as well, both ways', async () => {
      const { port, secured } = await pairs.acceptSecured(gateway)
      const client = tlsConnect({
        host,
        port,
        rejectUnauthorized: false,
        maxVersion: 'TLSv1.2',
        servername: 'shop.example',
      })
      client.on('error', () => {})
      client.write('older')
      const far = new Recorder(await secured)
      await until('the bytes', () => far.text === 'older')
      client.destroy()

      const server = createTlsServer({ ...keysOf(certificate), maxVersion: 'TLSv1.2' }, (socket) => socket.end('older'))
      await new Promise<void>((resolve) => server.listen(0, host, resolve))
      const near = await dial((server.address() as AddressInfo).port, originate('shop.example', { alpn: [] }))
      pairs.open.push(near)
      const recorder = new Recorder(near)
      await until('the bytes', () => recorder.text === 'older')
      near.destroy()
      server.close()
    })
  })
}

/** Passes on what comes in pieces of one byte, and answers whole. */
function trickle(from: Socket, to: Socket): void {
  to.pipe(from)
  from.on('error', () => {})
  to.on('error', () => {})
  const waiting: number[] = []
  const next = (): void => {
    const byte = waiting.shift()
    if (byte === undefined) return
    to.write(Uint8Array.of(byte))
    setImmediate(next)
  }
  from.on('data', (bytes: Buffer) => {
    waiting.push(...bytes)
    next()
  })
}
