// One word for what a proxy's certificate hangs on: equal on both sides when a renewal would change nothing but the key.
import { createHash } from 'node:crypto'

/** Of the certificates between SVID and root, and of the trust bundle, DER. The order of the bundle does not count. */
export function trustFingerprint(issuersDer: readonly Uint8Array[], bundleDer: readonly Uint8Array[]): string {
  const lines = [...issuersDer.map(digest), '', ...bundleDer.map(digest).toSorted()]
  return createHash('sha256').update(lines.join('\n')).digest('hex')
}

function digest(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex')
}
