// The trust bundle as others read it: a JWK set with the roots of X.509-SVIDs and the keys of JWT-SVIDs (SPIFFE Trust Domain and Bundle standard).
import type { X509Certificate } from 'node:crypto'

import type { BundleKey } from '../../contracts/identity/jwt-svid.ts'
import type { JwtKey } from './jwt-svid.ts'

export interface SpiffeBundle {
  readonly keys: readonly BundleKey[]
  /** Grows with every change. */
  readonly spiffe_sequence: number
  /** Seconds after which whoever uses it should look again. */
  readonly spiffe_refresh_hint: number
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
      ...jwtKeys.map(jwtBundleKey),
    ],
    spiffe_sequence: sequence,
    spiffe_refresh_hint: refreshHintSeconds,
  }
}

export function jwtBundleKey({ publicJwk, kid }: JwtKey): BundleKey {
  return { use: 'jwt-svid', ...publicJwk, kid }
}
