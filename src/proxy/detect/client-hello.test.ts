import { connect, createServer, type AddressInfo } from 'node:net'
import { connect as tlsConnect } from 'node:tls'

import { describe, expect, it } from 'vitest'

import { handshakeOf, helloOf, recordsOf } from '../../../test/kit/client-hellos.ts'
import { type ClientHello, clientHelloBytes, ClientHelloReader } from './client-hello.ts'

function read(bytes: Uint8Array, pieceBytes = bytes.length): ClientHello | 'invalid' | undefined {
  const reader = new ClientHelloReader()
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const found = reader.push(bytes.subarray(at, at + pieceBytes))
    if (found !== undefined) return found
  }
  return undefined
}

/** What OpenSSL sends. */
async function realHello(options: { servername?: string; ALPNProtocols?: string[] }): Promise<Buffer> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const bytes = new Promise<Buffer>((resolve) => server.once('connection', (socket) => socket.once('data', resolve)))
  const raw = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const client = tlsConnect({ socket: raw, rejectUnauthorized: false, ...options })
  client.on('error', () => {})
  try {
    return await bytes
  } finally {
    client.destroy()
    raw.destroy()
    server.close()
  }
}

describe('the reader of a ClientHello', () => {
  it('reads what a real client sends, whole or byte by byte', async () => {
    const bytes = await realHello({ servername: 'Reviews.Example.com', ALPNProtocols: ['h2', 'http/1.1'] })
    for (const pieceBytes of [bytes.length, 1, 7]) {
      expect(read(bytes, pieceBytes)).toEqual({
        serverName: 'reviews.example.com',
        alpn: ['h2', 'http/1.1'],
        versions: [0x0304, 0x0303],
      })
    }
  })

  it('knows a client that names nothing', async () => {
    expect(read(await realHello({}))).toMatchObject({ serverName: undefined, alpn: [] })
  })

  it('joins a message that is spread over records', () => {
    const message = handshakeOf(helloOf({ serverName: 'a.test', alpn: ['h2'] }))
    for (const fragmentBytes of [1, 3, 100]) {
      expect(read(recordsOf(message, fragmentBytes))).toMatchObject({ serverName: 'a.test', alpn: ['h2'] })
      expect(read(recordsOf(message, fragmentBytes), 1)).toMatchObject({ serverName: 'a.test', alpn: ['h2'] })
    }
  })

  it('reads a hello without extensions', () => {
    expect(read(recordsOf(handshakeOf(helloOf({ extensions: undefined }))))).toEqual({
      serverName: undefined,
      alpn: [],
      versions: [0x0303],
    })
  })

  it.each([
    ['another record type', () => Buffer.from('1703010005', 'hex')],
    ['another handshake message', () => recordsOf(handshakeOf(helloOf({}), 2))],
    ['an empty record', () => Buffer.from('1603010000', 'hex')],
    ['bytes after the message', () => recordsOf(Buffer.concat([handshakeOf(helloOf({})), Buffer.alloc(1)]))],
    ['a cut message', () => recordsOf(handshakeOf(helloOf({ serverName: 'a.test' }).subarray(0, -1)))],
    ['an extension that comes twice', () => recordsOf(handshakeOf(helloOf({ extensions: '0010000000100000' })))],
    ['a server name with a NUL', () => recordsOf(handshakeOf(helloOf({ serverName: 'a\0.test' })))],
    ['a server name with an empty label', () => recordsOf(handshakeOf(helloOf({ serverName: 'a..test' })))],
    ['an empty protocol name', () => recordsOf(handshakeOf(helloOf({ alpn: [''] })))],
    ['more than the bound', () => recordsOf(handshakeOf(helloOf({ padding: clientHelloBytes })), 4_000)],
  ])('refuses %s', (_, bytes) => {
    expect(read(bytes())).toBe('invalid')
    expect(read(bytes(), 1)).toBe('invalid')
  })
})
