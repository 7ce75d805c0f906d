// What stands above the authority and lets it sign: the embedded root, or somebody's own certificate authority.
import type { KeyObject, X509Certificate } from 'node:crypto'

import { buildCertificate, subjectOf } from './certificate-builder.ts'
import type { CertificateContent } from './certificate-builder.ts'
import type { KeyPair } from './key-pair.ts'
import type { Signer } from './signer-files.ts'

/**
 * One certificate authority, for as long as it is the same: another object with another root starts a rotation. It signs at once, or is asked
 * ahead of time and takes as long as it takes; one whose key is gone does neither.
 */
export interface UpstreamSigner {
  /** What all proxies must trust before the first SVID below it is shown. */
  readonly root: X509Certificate
  /** From the one that signs intermediates up to the last below the root; empty when the root signs them itself. */
  readonly issuers: readonly X509Certificate[]
  /** DER of a signing certificate for `publicKey`, valid until `notAfterMs` or less. */
  readonly signIntermediate?: (publicKey: KeyObject, notAfterMs: number) => Uint8Array
  /** The same from somebody who wants the request signed by the key. Rejects with the reason. */
  readonly askForIntermediate?: (keys: KeyPair, notAfterMs: number) => Promise<Uint8Array>
}

/** Peers whose clocks are this much behind still accept a certificate at once. */
export const backDatedMs = 60_000

/** With a key that is at hand. */
export function signIntermediateWith(
  signer: Signer,
  content: { readonly publicKey: KeyObject; readonly notAfterMs: number; readonly trustDomain: string },
  nowMs: number,
): Buffer {
  const { publicKey, notAfterMs, trustDomain } = content
  const { validFromDate, validToDate } = signer.certificate
  return signedBy(signer, {
    publicKey,
    // a chain is only valid where all of it is
    notBeforeMs: Math.max(nowMs - backDatedMs, validFromDate.getTime()),
    notAfterMs: Math.min(notAfterMs, validToDate.getTime()),
    uri: `spiffe://${trustDomain}`,
    kind: { role: 'signer', commonName: 'Heddle intermediate', trustDomain, pathLength: 0 },
  })
}

export function signedBy(signer: Signer, content: CertificateContent): Buffer {
  return buildCertificate(content, {
    privateKey: signer.privateKey,
    publicKey: signer.certificate.publicKey,
    subjectDer: subjectOf(signer.certificate.raw),
  })
}
