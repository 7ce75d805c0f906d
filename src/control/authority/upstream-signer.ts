// What stands above the authority and lets it sign: the embedded root, or somebody's own certificate authority.
import type { KeyObject, X509Certificate } from 'node:crypto'

import { buildCertificate, subjectOf } from './certificate-builder.ts'
import type { CertificateContent } from './certificate-builder.ts'
import type { Signer } from './signer-files.ts'

/**
 * One certificate authority, for as long as it is the same. What Vault (`pki/root/sign-intermediate`) or cert-manager (a CertificateRequest with
 * `isCA`) must answer: who asks them does it before this object exists, for the key of the next intermediate, and makes a new object for each
 * answer; the authority never waits. A new object with another root starts a rotation.
 */
export interface UpstreamSigner {
  /** What all proxies must trust before the first SVID below it is shown. */
  readonly root: X509Certificate
  /** From the one that signs intermediates up to the last below the root; empty when the root signs them itself. */
  readonly issuers: readonly X509Certificate[]
  /** DER of a signing certificate for `publicKey`, valid until `notAfterMs` or less. Throws, with the way out, when it can sign no more. */
  signIntermediate(publicKey: KeyObject, notAfterMs: number): Uint8Array
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
