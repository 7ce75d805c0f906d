// One word for what a proxy's certificate hangs on: equal on both sides when a renewal would change nothing but the key.
import { createHash } from 'node:crypto'

import { certificatesFromPem } from './pem.ts'
import type { TrustBundle } from './svid.ts'

/** Of the certificates between SVID and root, and of the trust bundles, DER. The order within a bundle, and of other domains, does not count. */
export function trustFingerprint(
  issuersDer: readonly Uint8Array[],
  bundleDer: readonly Uint8Array[],
  federated: readonly TrustBundle[] = [],
): string {
  const others = federated.toSorted((a, b) => (a.trustDomain < b.trustDomain ? -1 : 1))
  const lines = [
    ...issuersDer.map(digest),
    '',
    ...bundleDer.map(digest).toSorted(),
    ...others.flatMap(({ trustDomain, rootsPem }) => [
      trustDomain,
      ...certificatesFromPem(rootsPem).map(digest).toSorted(),
    ]),
  ]
  return createHash('sha256').update(lines.join('\n')).digest('hex')
}

function digest(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex')
}
