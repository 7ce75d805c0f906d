// The trust bundle as others read it: a JWK set with the roots of X.509-SVIDs and the keys of JWT-SVIDs (SPIFFE Trust Domain and Bundle standard).
import type { JsonWebKey, X509Certificate } from 'node:crypto'

import type { JwtKey } from './jwt-svid.ts'

export interface SpiffeBundle {
  readonly keys: readonly BundleKey[]
  /** Grows with every change. */
  readonly spiffe_sequence: number
  /** Seconds after which whoever uses it should look again. */
  readonly spiffe_refresh_hint: number
}

/** Of either use; a reader passes over what it does not know. */
export interface BundleKey extends JsonWebKey {
  readonly use: 'x509-svid' | 'jwt-svid'
  /** Of a JWT-SVID key. */
  readonly kid?: string
  /** Of a root: the certificate itself, DER in base64. */
  readonly x5c?: readonly [string]
}

const refreshHintSeconds = 300

export function spiffeBundle(
  roots: readonly X509Certificate[],
  jwtKeys: readonly JwtKey[],
  sequence: number,
): SpiffeBundle {
  return {
    keys: [
      ...roots.map(({ publicKey, raw }): BundleKey => ({
        use: 'x509-svid',
        ...publicKey.export({ format: 'jwk' }),
        x5c: [raw.toString('base64')],
      })),
      ...jwtKeys.map(({ publicJwk, kid }): BundleKey => ({ use: 'jwt-svid', ...publicJwk, kid })),
    ],
    spiffe_sequence: sequence,
    spiffe_refresh_hint: refreshHintSeconds,
  }
}
