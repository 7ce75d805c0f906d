// The upstream signer that needs nothing installed: a root of our own, in a file.
import { X509Certificate } from 'node:crypto'
import { dirname } from 'node:path'

import type { Clock } from '../../core/clock.ts'
import { buildCertificate } from './certificate-builder.ts'
import { newKeyPair } from './key-pair.ts'
import { createSigner, readSigner } from './signer-files.ts'
import type { Signer } from './signer-files.ts'
import { backDatedMs, signIntermediateWith } from './upstream-signer.ts'
import type { UpstreamSigner } from './upstream-signer.ts'

const rootLifetimeMs = 3650 * 86_400_000

/** Creates the root where there is none. Throws when what is there cannot be used, with the way out. */
export function embeddedUpstream(rootFile: string, trustDomain: string, clock: Clock): UpstreamSigner {
  const root = readSigner(rootFile) ?? createSigner(rootFile, newRoot(trustDomain, clock.nowMs()))
  checkRoot(rootFile, root.certificate, trustDomain, clock.nowMs())
  return {
    root: root.certificate,
    issuers: [],
    signIntermediate: (publicKey, notAfterMs) =>
      signIntermediateWith(root, { publicKey, notAfterMs, trustDomain }, clock.nowMs()),
  }
}

function newRoot(trustDomain: string, nowMs: number): Signer {
  const { publicKey, privateKey } = newKeyPair()
  const der = buildCertificate(
    {
      publicKey,
      notBeforeMs: nowMs - backDatedMs,
      notAfterMs: nowMs + rootLifetimeMs,
      uri: `spiffe://${trustDomain}`,
      kind: { role: 'signer', commonName: 'Heddle root', trustDomain, pathLength: 1 },
    },
    { privateKey, publicKey, subjectDer: undefined },
  )
  return { privateKey, certificate: new X509Certificate(der) }
}

function checkRoot(file: string, root: X509Certificate, trustDomain: string, nowMs: number): void {
  const wayOut = `remove the folder ${dirname(file)} to begin anew; every proxy must then join again`
  if (root.subjectAltName !== `URI:spiffe://${trustDomain}`) {
    throw new Error(
      `the certificate authority in ${file} is for ${root.subjectAltName ?? 'no trust domain'}, not for trust domain "${trustDomain}": ` +
        `set the trust domain back, or ${wayOut}`,
    )
  }
  if (nowMs >= root.validToDate.getTime()) throw new Error(`the root certificate in ${file} has expired: ${wayOut}`)
}
