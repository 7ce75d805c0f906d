// The X.509-SVID standard, rule by rule: a certificate that breaks exactly one is refused in a real handshake, on both sides of it.
import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { after, describe, it } from 'node:test'
import { connect as tlsConnect, createServer as createTlsServer } from 'node:tls'

import { BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsageFlags } from '@peculiar/asn1-x509'

import { systemClock } from '../../src/core/clock.ts'
import { loadStreamBindings } from '../../src/core/stream-bindings.ts'
import type { IoBackend, TlsCredentials, TlsInfo } from '../../src/proxy/io/connection.ts'
import { createNetBackend } from '../../src/proxy/io/net-backend.ts'
import { createRawBackend } from '../../src/proxy/io/raw-backend.ts'
import { IoPairs } from '../compliance/io-pairs.ts'
import {
  CarelessAuthority,
  without,
  withExtension,
  withNames,
  type Change,
  type SvidShape,
} from '../kit/svid-with-faults.ts'

const id = 'spiffe://mesh.local/ns/default/sa/reviews'
const authority = new CarelessAuthority()
const good = authority.issue({ uri: 'spiffe://mesh.local/ns/default/sa/web' })
const host = '127.0.0.1'

const keyUsage = '2.5.29.15'
const constraints = '2.5.29.19'
const purposes = '2.5.29.37'
const [serverAuth, clientAuth] = ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']
const { digitalSignature, keyEncipherment, keyCertSign, cRLSign } = KeyUsageFlags

const usage = (flags: number, critical = true): Change => withExtension(keyUsage, critical, new KeyUsage(flags))
const longPath = (bytes: number): string => `${id}/`.padEnd(bytes, 'x')
const longDomain = (bytes: number): string => `spiffe://${'d'.repeat(bytes)}/ns/default/sa/reviews`

const accepted: readonly (readonly [string, SvidShape, string?])[] = [
  ['the certificate of our own authority', {}],
  ['2048 bytes of SPIFFE ID', { uri: longPath(2048) }],
  ['every character that a path may have', { uri: 'spiffe://mesh.local/aZ09.-_/..a/...' }],
  ['a DNS name beside the URI', { leaf: withNames({ uri: id }, { dns: 'reviews.default' }) }],
  ['no extended key usage', { leaf: without(purposes) }],
  ['no basic constraints', { leaf: without(constraints) }],
  ['a key usage of more than signatures', { leaf: usage(digitalSignature | keyEncipherment) }],
  ['an intermediate without a SPIFFE ID', { intermediate: without('2.5.29.17') }],
]

/** What OpenSSL refuses by itself is not ours to word. */
const byOpenSsl = /verify|certificate|expired|purpose|not yet valid|closed/i

const refused: readonly (readonly [string, SvidShape, RegExp])[] = [
  ['no URI', { leaf: withNames({ dns: 'reviews.default' }) }, /it has no SPIFFE ID/],
  ['no name at all', { leaf: without('2.5.29.17') }, /it has no SPIFFE ID/],
  ['two URIs', { leaf: withNames({ uri: id }, { uri: 'spiffe://mesh.local/other' }) }, /more than one URI/],
  ['the same URI twice', { leaf: withNames({ uri: id }, { uri: id }) }, /more than one URI/],
  ['another scheme', { uri: 'https://mesh.local/ns/default/sa/reviews' }, /does not start with spiffe:/],
  ['a scheme in capitals', { uri: 'SPIFFE://mesh.local/ns/default/sa/reviews' }, /does not start with spiffe:/],
  ['no trust domain', { uri: 'spiffe:///ns/default/sa/reviews' }, /its trust domain has other characters/],
  ['a trust domain in capitals', { uri: 'spiffe://Mesh.local/reviews' }, /its trust domain has other characters/],
  ['a user', { uri: 'spiffe://u@mesh.local/reviews' }, /its trust domain has other characters/],
  ['a port', { uri: 'spiffe://mesh.local:1/reviews' }, /its trust domain has other characters/],
  ['a trust domain of 256 bytes', { uri: longDomain(256) }, /its trust domain is longer than 255 bytes/],
  ['an empty segment', { uri: 'spiffe://mesh.local/ns//reviews' }, /empty segment/],
  ['a slash at the end', { uri: `${id}/` }, /empty segment/],
  ['the segment "."', { uri: 'spiffe://mesh.local/ns/./reviews' }, /the segment "\."/],
  ['the segment ".."', { uri: 'spiffe://mesh.local/ns/../reviews' }, /the segment "\.\."/],
  ['an escaped character', { uri: 'spiffe://mesh.local/ns/a%41/reviews' }, /its path has other characters/],
  ['a query', { uri: `${id}?a=b` }, /its path has other characters/],
  ['a fragment', { uri: `${id}#a` }, /its path has other characters/],
  ['2049 bytes of SPIFFE ID', { uri: longPath(2049) }, /longer than 2048 bytes/],
  ['no path', { uri: 'spiffe://mesh.local' }, /its SPIFFE ID has no path/],
  ['another trust domain', { uri: longDomain(255) }, /is of another trust domain/],
  ['the CA flag', { leaf: withExtension(constraints, true, new BasicConstraints({ cA: true })) }, /its CA flag is set/],
  ['no key usage', { leaf: without(keyUsage) }, /it has no key usage/],
  ['a key usage that is not critical', { leaf: usage(digitalSignature, false) }, /its key usage is not critical/],
  ['no digitalSignature', { leaf: usage(keyEncipherment) }, /no digitalSignature|verify|closed/],
  ['keyCertSign', { leaf: usage(digitalSignature | keyCertSign) }, /its key usage has keyCertSign/],
  ['cRLSign', { leaf: usage(digitalSignature | cRLSign) }, /its key usage has cRLSign/],
  ['serverAuth only', { leaf: withExtension(purposes, false, new ExtendedKeyUsage([serverAuth])) }, byOpenSsl],
  ['clientAuth only', { leaf: withExtension(purposes, false, new ExtendedKeyUsage([clientAuth])) }, byOpenSsl],
  ['an end in the past', { notAfterMs: Date.now() - 2_000 }, byOpenSsl],
  ['a beginning in the future', { notBeforeMs: Date.now() + 600_000 }, byOpenSsl],
  [
    'an intermediate without the CA flag',
    { intermediate: withExtension(constraints, true, new BasicConstraints({ cA: false })) },
    byOpenSsl,
  ],
  [
    'an intermediate without key usage',
    { intermediate: without(keyUsage) },
    /by one that may not: it has no key usage/,
  ],
  ['an intermediate without keyCertSign', { intermediate: usage(cRLSign) }, byOpenSsl],
  [
    'an intermediate whose key usage is not critical',
    { intermediate: usage(keyCertSign, false) },
    /by one that may not: its key usage is not critical/,
  ],
  [
    'an intermediate whose SPIFFE ID has a path',
    { intermediate: withNames({ uri: 'spiffe://mesh.local/signer' }) },
    /by one that may not: its SPIFFE ID has a path/,
  ],
  [
    'an intermediate of two URIs',
    { intermediate: withNames({ uri: 'spiffe://mesh.local' }, { uri: 'spiffe://other.local' }) },
    /by one that may not: it has more than one URI/,
  ],
  ['an intermediate that has ended', { intermediateNotAfterMs: Date.now() - 2_000 }, byOpenSsl],
]

for (const io of [createNetBackend(systemClock), createRawBackend(systemClock, loadStreamBindings())]) {
  for (const [side, judge] of [
    ['client', asClient],
    ['server', asServer],
  ] as const) {
    describe(`a ${side} on ${io.name} sockets`, () => {
      for (const [what, shape] of accepted) {
        it(`accepts ${what}`, async () => {
          const info = await judge(io, authority.issue(shape), [shape.uri ?? id])
          assert.equal(info.peerSpiffeId, shape.uri ?? id)
        })
      }
      for (const [what, shape, why] of refused) {
        it(`refuses ${what}`, async () => {
          await assert.rejects(judge(io, authority.issue(shape), [shape.uri ?? id]), why)
        })
      }
    })
  }

  it(`a session of somebody else's is not resumed on ${io.name} sockets`, async () => {
    const sessions: Buffer[] = []
    const first = await asServer(io, authority.issue(), [], { onSession: (session) => sessions.push(session) })
    assert.equal(first.peerSpiffeId, id)
    assert.ok(sessions.length > 0, 'there is something to resume')
    for (const session of sessions) {
      const mine = authority.issue({ uri: 'spiffe://mesh.local/ns/default/sa/thief' })
      const second = await asServer(io, mine, [], { session })
      assert.equal(second.peerSpiffeId, 'spiffe://mesh.local/ns/default/sa/thief')
      const pathless = authority.issue({ uri: 'spiffe://mesh.local' })
      await assert.rejects(asServer(io, pathless, [], { session }), /has no path/)
    }
  })
}

const closers: (() => void)[] = []
after(() => {
  for (const close of closers) close()
})

/** The proxy connects to a server that shows `shown`. */
async function asClient(io: IoBackend, shown: TlsCredentials, expected: readonly string[]): Promise<TlsInfo> {
  const server = createTlsServer(
    { ...keysOf(shown), requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.3' },
    (socket) => socket.on('error', () => {}),
  )
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  closers.push(() => server.close())
  const tls = { kind: 'mesh', credentials: good, peerSpiffeIds: expected, alpn: [] } as const
  const connection = await io.connect({ host, port: (server.address() as AddressInfo).port, timeoutMs: 5_000, tls })
  const info = connection.tls
  connection.destroy()
  assert.ok(info)
  return info
}

/** The proxy accepts a client that shows `shown`. */
async function asServer(
  io: IoBackend,
  shown: TlsCredentials,
  _expected: readonly string[],
  resumption: { readonly session?: Buffer; readonly onSession?: (session: Buffer) => void } = {},
): Promise<TlsInfo> {
  const pairs = new IoPairs(io)
  const { port, secured } = await pairs.acceptSecured({ credentials: good, clientCertificate: 'required', alpn: [] })
  const client = tlsConnect({
    host,
    port,
    ...keysOf(shown),
    rejectUnauthorized: false,
    ...(resumption.session && { session: resumption.session }),
  })
  client.on('error', () => {})
  client.on('session', (session) => resumption.onSession?.(session))
  const settled = new Promise<void>((resolve) => client.once('session', () => resolve()).once('close', () => resolve()))
  try {
    const connection = await secured
    if (resumption.onSession !== undefined) await settled
    assert.ok(connection.tls)
    if (resumption.session !== undefined) assert.equal(client.isSessionReused(), false)
    return connection.tls
  } finally {
    client.destroy()
    await pairs.close()
    pairs.authority.remove()
  }
}

function keysOf({ certificateChainPem, privateKeyPem, rootsPem }: TlsCredentials): {
  readonly cert: string
  readonly key: string
  readonly ca: string
} {
  return { cert: certificateChainPem, key: privateKeyPem, ca: rootsPem }
}
