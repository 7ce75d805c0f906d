// Where the authority's right to sign comes from: the embedded root, or somebody's own certificate authority.
import type { X509Certificate } from 'node:crypto'

import type { Signer } from './signer-files.ts'

/** Signs SVIDs, and what leads from it to the root. */
export interface SigningCertificate extends Signer {
  /** Between the signing certificate and the root, lowest first; mostly empty. */
  readonly issuers: readonly X509Certificate[]
}

/**
 * What stands above the authority. Answers at once, from what it holds: one that asks a server (Vault's `pki/root/sign-intermediate`, a
 * cert-manager `CertificateRequest` with `isCA`) sends the request for a key that it made ahead of time, keeps what came, and replaces it well before
 * its end.
 */
export interface UpstreamSigner {
  /** What all proxies must trust before the first SVID below it is shown. */
  readonly root: X509Certificate
  /** The newest; throws, with the way out, when there is none that may sign. */
  signing(): SigningCertificate
}
