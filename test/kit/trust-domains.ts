// Trust domains whose authorities sign whatever a test asks for: each other's certificates, and identities that are not theirs.
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

import { certificatesToPem } from '../../src/contracts/identity/pem.ts'
import { buildCertificate, subjectOf } from '../../src/control/authority/certificate-builder.ts'
import type { TlsCredentials } from '../../src/proxy/io/connection.ts'

export interface CertificateSigner {
  readonly trustDomain: string
  readonly privateKey: KeyObject
  readonly der: Buffer
}

export interface SignerOptions {
  readonly trustDomain: string
  readonly commonName?: string
  /** Absent: a root. */
  readonly issuer?: CertificateSigner
  /** Whose key it certifies; absent: a new one. */
  readonly key?: KeyObject
  readonly notAfterMs?: number
}

const hourMs = 3_600_000

export function createSigner({ trustDomain, commonName, issuer, key, notAfterMs }: SignerOptions): CertificateSigner {
  const privateKey = key ?? newKey()
  const publicKey = createPublicKey(privateKey)
  const der = buildCertificate(
    {
      publicKey,
      notBeforeMs: Date.now() - 2 * hourMs,
      notAfterMs: notAfterMs ?? Date.now() + hourMs,
      uri: `spiffe://${trustDomain}`,
      kind: {
        role: 'signer',
        commonName: commonName ?? (issuer === undefined ? 'root' : 'intermediate'),
        trustDomain,
        pathLength: 2,
      },
    },
    issuerOf(issuer) ?? { privateKey, publicKey, subjectDer: undefined },
  )
  return { trustDomain, privateKey, der }
}

/** With a chain of the issuer and what is `above` it, in that order. Trusts nobody. */
export function issueSvid(
  spiffeId: string,
  issuer: CertificateSigner,
  above: readonly CertificateSigner[] = [],
  notBeforeMs: number = Date.now() - 60_000,
): TlsCredentials {
  const privateKey = newKey()
  const leaf = buildCertificate(
    {
      publicKey: createPublicKey(privateKey),
      notBeforeMs,
      notAfterMs: Date.now() + hourMs,
      uri: spiffeId,
      kind: { role: 'leaf' },
    },
    issuerOf(issuer) as NonNullable<ReturnType<typeof issuerOf>>,
  )
  return {
    certificateChainPem: certificatesToPem([leaf, issuer.der, ...above.map(({ der }) => der)]),
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    rootsPem: '',
  }
}

function issuerOf(issuer: CertificateSigner | undefined) {
  if (issuer === undefined) return undefined
  const { privateKey, der } = issuer
  return { privateKey, publicKey: createPublicKey(privateKey), subjectDer: subjectOf(der) }
}

function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
}
