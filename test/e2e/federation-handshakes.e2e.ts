// Several trust domains: a peer is accepted only by a root of its own domain, in real handshakes, on both sides of them.
import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { after, describe, it } from 'node:test'
import { connect as tlsConnect, createServer as createTlsServer } from 'node:tls'

import { certificatesToPem } from '../../src/contracts/identity/pem.ts'
import { systemClock } from '../../src/core/clock.ts'
import { loadStreamBindings } from '../../src/core/stream-bindings.ts'
import type { IoBackend, TlsCredentials, TlsInfo } from '../../src/proxy/io/connection.ts'
import { createNetBackend } from '../../src/proxy/io/net-backend.ts'
import { createRawBackend } from '../../src/proxy/io/raw-backend.ts'
import { IoPairs } from '../compliance/io-pairs.ts'
import { createSigner, issueSvid, type CertificateSigner } from '../kit/trust-domains.ts'

const host = '127.0.0.1'
const own = 'mesh.local'
const a = 'a.example'
const b = 'b.example'
const idOf = (trustDomain: string): string => `spiffe://${trustDomain}/ns/default/sa/web`

const ownRoot = createSigner({ trustDomain: own })
const rootA = createSigner({ trustDomain: a })
const rootB = createSigner({ trustDomain: b })
const strangers = createSigner({ trustDomain: a })
const below = (issuer: CertificateSigner): CertificateSigner =>
  createSigner({ trustDomain: issuer.trustDomain, issuer })

/** An intermediate of A whose key B has certified too, under the same name. */
const crossedKey = below(rootA)
const crossedByA = crossedKey
const crossedByB = createSigner({ trustDomain: a, issuer: rootB, key: crossedKey.privateKey })
/** The root of A as B has certified it. */
const rootAByB = createSigner({ trustDomain: a, commonName: 'root', issuer: rootB, key: rootA.privateKey })
/** One that both publish. */
const sharedRoot = createSigner({ trustDomain: 'shared' })
/** Ended, though its key has another certificate in B's bundle that has not. */
const endedRootOfA = createSigner({ trustDomain: a, commonName: 'ended', notAfterMs: Date.now() - 60_000 })
const endedKeyAtB = createSigner({ trustDomain: a, commonName: 'ended', key: endedRootOfA.privateKey })

const pem = (...signers: readonly CertificateSigner[]): string => certificatesToPem(signers.map(({ der }) => der))
const trusting: TlsCredentials = {
  ...issueSvid(idOf(own), below(ownRoot)),
  rootsPem: pem(ownRoot),
  federatedBundles: [
    { trustDomain: a, rootsPem: pem(rootA, sharedRoot, endedRootOfA) },
    { trustDomain: b, rootsPem: pem(rootB, sharedRoot, endedKeyAtB) },
  ],
}

const accepted: readonly (readonly [string, TlsCredentials, string])[] = [
  ['our own domain by our own root', issueSvid(idOf(own), below(ownRoot)), own],
  ['A by a root of A', issueSvid(idOf(a), below(rootA)), a],
  ['B by a root of B', issueSvid(idOf(b), below(rootB)), b],
  ['A by a root that A and B publish', issueSvid(idOf(a), below(sharedRoot)), a],
  ['B by a root that A and B publish', issueSvid(idOf(b), below(sharedRoot)), b],
  [
    'A by its root, though the chain shows that root as B has certified it',
    issueSvid(idOf(a), below(rootA), [rootAByB]),
    a,
  ],
  ['A by its own certificate of a key that B has certified too', issueSvid(idOf(a), crossedByA), a],
]

const notSigned = /is not signed by its own trust domain/
const refused: readonly (readonly [string, TlsCredentials, RegExp])[] = [
  ['our own domain by a root of A', issueSvid(idOf(own), below(rootA)), notSigned],
  ['A by our own root', issueSvid(idOf(a), below(ownRoot)), notSigned],
  ['A by a root of B', issueSvid(idOf(a), below(rootB)), notSigned],
  ['B by a root of A', issueSvid(idOf(b), below(rootA)), notSigned],
  ['our own domain by a root that A and B publish', issueSvid(idOf(own), below(sharedRoot)), notSigned],
  ['A by an intermediate that only B has certified', issueSvid(idOf(a), crossedByB), notSigned],
  ['A by a root that has ended, of a key that B trusts', issueSvid(idOf(a), endedKeyAtB), notSigned],
  ['a domain that is not trusted by a root of A', issueSvid(idOf('c.example'), below(rootA)), /not trusted/],
  ['a subdomain of A by a root of A', issueSvid(idOf(`x.${a}`), below(rootA)), /not trusted/],
  ['A by a root that nobody publishes', issueSvid(idOf(a), below(strangers)), /verify|certificate|closed/i],
]

describe('a peer where several trust domains are trusted', () => {
  for (const io of [createNetBackend(systemClock), createRawBackend(systemClock, loadStreamBindings())]) {
    for (const [side, judge] of [
      ['client', asClient],
      ['server', asServer],
    ] as const) {
      describe(`a ${side} that trusts A and B, on ${io.name} sockets`, () => {
        for (const [what, shown, trustDomain] of accepted) {
          it(`accepts ${what}`, async () => {
            assert.equal((await judge(io, shown)).peerSpiffeId, idOf(trustDomain))
          })
        }
        for (const [what, shown, why] of refused) {
          it(`refuses ${what}`, async () => {
            await assert.rejects(judge(io, shown), why)
          })
        }
      })
    }

    it(`a client that trusts A and B takes none of A for one of B, on ${io.name} sockets`, async () => {
      await assert.rejects(
        asClient(io, issueSvid(idOf(a), below(rootA)), [idOf(b)]),
        /the peer is .*a\.example.*expected/,
      )
    })
  }
})

const closers: (() => void)[] = []
after(() => {
  for (const close of closers) close()
})

/** The proxy connects to a server that shows `shown`. */
async function asClient(
  io: IoBackend,
  shown: TlsCredentials,
  expected: readonly string[] = [own, a, b, 'c.example', `x.${a}`].map(idOf),
): Promise<TlsInfo> {
  const { certificateChainPem: cert, privateKeyPem: key } = shown
  const server = createTlsServer({ cert, key, minVersion: 'TLSv1.3' }, (socket) => socket.on('error', () => {}))
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  closers.push(() => server.close())
  const tls = { kind: 'mesh', credentials: trusting, peerSpiffeIds: expected, alpn: [] } as const
  const connection = await io.connect({ host, port: (server.address() as AddressInfo).port, timeoutMs: 5_000, tls })
  const info = connection.tls
  connection.destroy()
  assert.ok(info)
  return info
}

/** The proxy accepts a client that shows `shown`. */
async function asServer(io: IoBackend, shown: TlsCredentials): Promise<TlsInfo> {
  const pairs = new IoPairs(io)
  const { port, secured } = await pairs.acceptSecured({
    credentials: trusting,
    clientCertificate: 'required',
    alpn: [],
  })
  const { certificateChainPem: cert, privateKeyPem: key } = shown
  const client = tlsConnect({ host, port, cert, key, rejectUnauthorized: false })
  client.on('error', () => {})
  try {
    const { tls } = await secured
    assert.ok(tls)
    return tls
  } finally {
    client.destroy()
    await pairs.close()
    pairs.authority.remove()
  }
}
