// The trust bundle as others read it: a JWK set with the roots of X.509-SVIDs and the keys of JWT-SVIDs (SPIFFE Trust Domain and Bundle standard).
import type { X509Certificate } from 'node:crypto'

import type { TrustBundleDocument } from '../../contracts/control-api.ts'
import type { BundleKey } from '../../contracts/identity/jwt-svid.ts'
import type { JwtKey } from './jwt-svid.ts'

export function spiffeBundle(
  roots: readonly X509Certificate[],
  jwtKeys: readonly BundleKey[],
  { sequence, refreshHintMs }: { readonly sequence: number; readonly refreshHintMs: number },
): TrustBundleDocument {
  return {
    keys: [
      ...roots.map(({ publicKey, raw }): BundleKey => ({
        use: 'x509-svid',
        ...publicKey.export({ format: 'jwk' }),
        x5c: [raw.toString('base64')],
      })),
      ...jwtKeys,
    ],
    spiffe_sequence: sequence,
    spiffe_refresh_hint: Math.ceil(refreshHintMs / 1000),
  }
}

export function jwtBundleKey({ publicJwk, kid }: JwtKey): BundleKey {
  return { use: 'jwt-svid', ...publicJwk, kid }
}
