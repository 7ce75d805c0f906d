// A trust bundle of somebody else's, as text: a JWK set (SPIFFE Trust Domain and Bundle standard, section 4) or roots in PEM. Nothing in it is
// believed to be well-formed.
import { X509Certificate, createPublicKey } from 'node:crypto'

import type { BundleKey } from '../../contracts/identity/jwt-svid.ts'
import { certificatesFromPem, certificatesToPem } from '../../contracts/identity/pem.ts'
import { signingCertificateFault } from '../../contracts/identity/x509-svid.ts'

export interface ForeignBundle {
  /** PEM, one or more. */
  readonly rootsPem: string
  /** Keys of JWT-SVIDs, their public members alone. */
  readonly jwtKeys: readonly BundleKey[]
  readonly sequence?: number
  readonly refreshHintMs?: number
}

/** Exactly one of the two is there. */
export interface BundleReading {
  readonly bundle?: ForeignBundle
  /** Why it is none. */
  readonly fault?: string
}

export const maxBundleBytes: number = 256 * 1024
const maxRoots = 32
const maxJwtKeys = 64

class BundleFault extends Error {}

export function parseSpiffeBundle(text: string): BundleReading {
  try {
    if (Buffer.byteLength(text) > maxBundleBytes) throw new BundleFault(`it is larger than ${maxBundleBytes} bytes`)
    const bundle = text.trimStart().startsWith('-----BEGIN') ? readPem(text) : readJwkSet(text)
    return { bundle }
  } catch (error) {
    if (error instanceof BundleFault) return { fault: error.message }
    throw error
  }
}

function readPem(text: string): ForeignBundle {
  if (text.includes('PRIVATE KEY')) throw new BundleFault('it holds a private key')
  return { rootsPem: rootsPem(certificatesFromPem(text).map((der) => root(der, 'a certificate'))), jwtKeys: [] }
}

function readJwkSet(text: string): ForeignBundle {
  const document = members(parseJson(text), 'it')
  const { keys, spiffe_sequence: sequence, spiffe_refresh_hint: hint } = document
  if (!Array.isArray(keys)) throw new BundleFault('it has no list of keys')
  const roots: X509Certificate[] = []
  const jwtKeys: BundleKey[] = []
  for (const [index, one] of keys.entries()) {
    const place = `keys[${index}]`
    const key = members(one, place)
    if ('d' in key) throw new BundleFault(`${place}: it holds a private key`)
    // section 4.2.2: other uses are passed over
    if (key['use'] === 'x509-svid') roots.push(rootOf(key, place))
    else if (key['use'] === 'jwt-svid') jwtKeys.push(jwtKeyOf(key, place))
  }
  if (jwtKeys.length > maxJwtKeys) throw new BundleFault(`it has more than ${maxJwtKeys} keys of JWT-SVIDs`)
  if (sequence !== undefined && !(Number.isSafeInteger(sequence) && (sequence as number) >= 0))
    throw new BundleFault('spiffe_sequence is not a counter')
  if (hint !== undefined && !(typeof hint === 'number' && hint >= 0))
    throw new BundleFault('spiffe_refresh_hint is not a number of seconds')
  return {
    rootsPem: rootsPem(roots),
    jwtKeys,
    ...(sequence !== undefined && { sequence: sequence as number }),
    ...(hint !== undefined && { refreshHintMs: hint * 1000 }),
  }
}

/** Those that signed themselves: a handshake ends at no other. */
function rootsPem(found: readonly X509Certificate[]): string {
  const roots = new Map(
    found.filter((one) => one.verify(one.publicKey)).map(({ raw }) => [raw.toString('base64'), raw]),
  )
  if (roots.size === 0) throw new BundleFault('it has no root for X.509-SVIDs')
  if (roots.size > maxRoots) throw new BundleFault(`it has more than ${maxRoots} roots`)
  return certificatesToPem([...roots.values()])
}

function rootOf(key: Members, place: string): X509Certificate {
  const { x5c } = key
  const [base64, ...others] = Array.isArray(x5c) ? (x5c as unknown[]) : []
  if (typeof base64 !== 'string' || others.length > 0)
    throw new BundleFault(`${place}: x5c must hold exactly one certificate`)
  const certificate = root(Buffer.from(base64, 'base64'), place)
  const own = jwkOf(certificate, place)
  if (Object.entries(own).some(([name, value]) => key[name] !== value))
    throw new BundleFault(`${place}: its key is not that of its certificate`)
  return certificate
}

function jwkOf({ publicKey }: X509Certificate, place: string): Members {
  try {
    return publicKey.export({ format: 'jwk' })
  } catch {
    // DSA, and curves that JWK has no name for
    throw new BundleFault(`${place}: its key is of a kind that a JWK cannot hold`)
  }
}

function root(der: Buffer, place: string): X509Certificate {
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(der)
  } catch {
    throw new BundleFault(`${place}: it is no certificate`)
  }
  const fault = signingCertificateFault(certificate.raw)
  if (fault !== undefined) throw new BundleFault(`${place}: this certificate may not sign: ${fault}`)
  return certificate
}

function jwtKeyOf(key: Members, place: string): BundleKey {
  const { kid } = key
  if (typeof kid !== 'string' || kid === '') throw new BundleFault(`${place}: a key of JWT-SVIDs needs a kid`)
  try {
    const jwk = createPublicKey({ key, format: 'jwk' }).export({ format: 'jwk' })
    return { use: 'jwt-svid', ...jwk, kid }
  } catch {
    throw new BundleFault(`${place}: it is no public key`)
  }
}

type Members = Readonly<Record<string, unknown>>

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new BundleFault('it is neither JSON nor PEM')
  }
}

function members(value: unknown, place: string): Members {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Members
  throw new BundleFault(`${place} is no JSON object`)
}
