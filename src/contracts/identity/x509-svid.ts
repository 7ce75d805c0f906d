// What makes a certificate an X.509-SVID (X509-SVID standard, sections 2 to 5), beyond what every TLS handshake checks: dates, signatures, path.
import { certificateExtensions, elementsOf, hex, onlyElement } from './certificate-extensions.ts'
import type { CertificateExtension } from './certificate-extensions.ts'
import { spiffeIdFault, splitSpiffeId } from './spiffe-id.ts'

const extensions = {
  keyUsage: '551d0f',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
  extKeyUsage: '551d25',
} as const
const purposes = [
  ['serverAuth', '2b06010505070301'],
  ['clientAuth', '2b06010505070302'],
] as const
const tags = { boolean: 0x01, bitString: 0x03, oid: 0x06, sequence: 0x30, uri: 0x86 } as const
/** Bits of the first byte of KeyUsage (RFC 5280, section 4.2.1.3). */
const keyUsages = { digitalSignature: 0x80, keyCertSign: 0x04, cRLSign: 0x02 } as const

/** Exactly one of the two is there. */
export interface SvidReading {
  readonly spiffeId?: string
  /** Which rule the certificate breaks. */
  readonly fault?: string
}

/** Reads a leaf: the certificate of a workload. */
export function readLeafSvid(certificateDer: Uint8Array): SvidReading {
  try {
    const svid = readSvid(certificateDer)
    const [spiffeId] = svid.uris
    const fault = spiffeId === undefined ? 'it has no SPIFFE ID' : leafFault(svid, spiffeId)
    return fault === undefined && spiffeId !== undefined ? { spiffeId } : { fault: fault ?? '' }
  } catch {
    return { fault: 'it cannot be read' }
  }
}

/** Why the certificate may not sign SVIDs; undefined when it may. */
export function signingCertificateFault(certificateDer: Uint8Array): string | undefined {
  try {
    const svid = readSvid(certificateDer)
    const [spiffeId] = svid.uris
    return (
      svid.fault ??
      (svid.ca ? undefined : 'its CA flag is not set') ??
      ((svid.keyUsage & keyUsages.keyCertSign) === 0 ? 'its key usage has no keyCertSign' : undefined) ??
      // a signing certificate need not have one
      (spiffeId === undefined ? undefined : spiffeIdFault(spiffeId)) ??
      (spiffeId !== undefined && splitSpiffeId(spiffeId).path !== '' ? 'its SPIFFE ID has a path' : undefined)
    )
  } catch {
    return 'it cannot be read'
  }
}

interface Svid {
  readonly uris: readonly string[]
  readonly ca: boolean
  /** First byte of the bits. */
  readonly keyUsage: number
  readonly extKeyUsage: readonly string[] | undefined
  /** What is wrong with leaves and signing certificates alike. */
  readonly fault: string | undefined
}

function leafFault(svid: Svid, spiffeId: string): string | undefined {
  if (svid.fault !== undefined) return svid.fault
  if (svid.ca) return 'its CA flag is set: it is a signing certificate'
  if ((svid.keyUsage & keyUsages.digitalSignature) === 0) return 'its key usage has no digitalSignature'
  if ((svid.keyUsage & keyUsages.keyCertSign) !== 0) return 'its key usage has keyCertSign'
  if ((svid.keyUsage & keyUsages.cRLSign) !== 0) return 'its key usage has cRLSign'
  const missing = purposes.find(([, oid]) => svid.extKeyUsage?.includes(oid) === false)
  if (missing !== undefined) return `its extended key usage has no ${missing[0]}`
  return spiffeIdFault(spiffeId) ?? (splitSpiffeId(spiffeId).path === '' ? 'its SPIFFE ID has no path' : undefined)
}

function readSvid(certificateDer: Uint8Array): Svid {
  const all = certificateExtensions(certificateDer)
  const find = (oid: string): CertificateExtension | undefined => all.find((extension) => extension.oid === oid)
  const keyUsage = find(extensions.keyUsage)
  const uris = readUris(find(extensions.subjectAltName))
  return {
    uris,
    ca: readCaFlag(find(extensions.basicConstraints)),
    // the first byte of a bit string counts its unused bits
    keyUsage: keyUsage === undefined ? 0 : (onlyElement(keyUsage.value, tags.bitString)[1] ?? 0),
    extKeyUsage: readPurposes(find(extensions.extKeyUsage)),
    fault:
      (new Set(all.map(({ oid }) => oid)).size < all.length ? 'it has an extension twice' : undefined) ??
      (keyUsage === undefined ? 'it has no key usage' : undefined) ??
      (keyUsage?.critical === false ? 'its key usage is not critical' : undefined) ??
      (uris.length > 1 ? 'it has more than one URI' : undefined),
  }
}

function readUris(extension: CertificateExtension | undefined): string[] {
  if (extension === undefined) return []
  return elementsOf(onlyElement(extension.value, tags.sequence))
    .filter(({ tag }) => tag === tags.uri)
    .map(({ content }) => Buffer.from(content).toString('latin1'))
}

/** Absent, and an empty sequence, mean no (RFC 5280, section 4.2.1.9). */
function readCaFlag(extension: CertificateExtension | undefined): boolean {
  if (extension === undefined) return false
  const [flag] = elementsOf(onlyElement(extension.value, tags.sequence))
  return flag?.tag === tags.boolean && flag.content[0] !== 0
}

function readPurposes(extension: CertificateExtension | undefined): string[] | undefined {
  return extension && elementsOf(onlyElement(extension.value, tags.sequence)).map(({ content }) => hex(content))
}
