// Whether a certificate leads to a root of its own trust domain, where several are trusted. A handshake verifies against the roots of all of
// them at once, and does not tell by which way: the way is found again, among the roots of the one domain.
import { X509Certificate } from 'node:crypto'

import { certificatesFromPem } from '../../contracts/identity/pem.ts'
import type { TlsCredentials } from './connection.ts'

const rootsByDomain = new WeakMap<TlsCredentials, ReadonlyMap<string, readonly X509Certificate[]>>()

/** Undefined when the domain is not trusted. Read once for each credentials object. */
export function rootsOf(
  credentials: TlsCredentials,
  ownTrustDomain: string,
  trustDomain: string,
): readonly X509Certificate[] | undefined {
  let roots = rootsByDomain.get(credentials)
  if (roots === undefined) {
    const { rootsPem, federatedBundles = [] } = credentials
    // the own one last: nothing that came from elsewhere stands for it
    const bundles = [...federatedBundles, { trustDomain: ownTrustDomain, rootsPem }]
    roots = new Map(bundles.map((bundle) => [bundle.trustDomain, certificates(bundle.rootsPem)]))
    rootsByDomain.set(credentials, roots)
  }
  return roots.get(trustDomain)
}

/** Whether one of the roots issued the leaf, over those of the intermediates that it needs. */
export function leadsTo(
  roots: readonly X509Certificate[],
  leaf: X509Certificate,
  intermediatesDer: readonly Uint8Array[],
  nowMs: number,
): boolean {
  const left = intermediatesDer.map((der) => new X509Certificate(der)).filter((one) => isValid(one, nowMs))
  const valid = roots.filter((root) => isValid(root, nowMs))
  for (let certificate = leaf; ;) {
    const below = certificate
    if (valid.some((root) => hasIssued(root, below))) return true
    const next = left.findIndex((one) => hasIssued(one, below))
    if (next === -1) return false
    certificate = left.splice(next, 1)[0] as X509Certificate
  }
}

/** By name, key usage and signature. */
function hasIssued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}

function isValid({ validFromDate, validToDate }: X509Certificate, nowMs: number): boolean {
  return validFromDate.getTime() <= nowMs && nowMs < validToDate.getTime()
}

function certificates(pem: string): X509Certificate[] {
  return certificatesFromPem(pem).map((der) => new X509Certificate(der))
}
