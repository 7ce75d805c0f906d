// Signs JWT-SVIDs of the mesh, with a key of its own that lies in <stateDir>/ca.
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

import type { BundleKey } from '../../contracts/identity/jwt-svid.ts'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import type { Clock } from '../../core/clock.ts'
import { errorCode, errorMessage } from '../../core/errors.ts'
import { jwtKey, signJwtSvid } from './jwt-svid.ts'
import { newKeyPair } from './key-pair.ts'
import { jwtBundleKey } from './spiffe-bundle.ts'

export interface JwtAuthorityOptions {
  readonly stateDir: string
  readonly clock: Clock
  /** Of X.509-SVIDs: no token lives longer than one. */
  readonly svidLifetimeMs: () => number
}

export interface JwtAuthority {
  /** The public part, as the trust bundle has it. */
  readonly keys: readonly BundleKey[]
  /** Throws a TypeError when there is no audience. */
  sign(spiffeId: string, audience: readonly string[]): string
}

/** Whoever gets hold of a token is the workload to its audience until it ends. */
const mostLifetimeMs = 5 * 60_000

/** Makes the key where there is none. Throws when what is there cannot be used, with the way out. */
export function createJwtAuthority({ stateDir, clock, svidLifetimeMs }: JwtAuthorityOptions): JwtAuthority {
  const key = jwtKey(readOrCreateKey(join(stateDir, 'ca', 'jwt-key.pem')))
  return {
    keys: [jwtBundleKey(key)],
    sign(spiffeId, audience) {
      const issuedAtMs = clock.nowMs()
      const expiresAtMs = issuedAtMs + Math.min(mostLifetimeMs, svidLifetimeMs())
      return signJwtSvid(key, { spiffeId, audience, issuedAtMs, expiresAtMs })
    },
  }
}

function readOrCreateKey(file: string): KeyObject {
  try {
    const mode = statSync(file).mode & 0o777
    if ((mode & 0o077) !== 0) throw new Error(`others may read it (mode ${mode.toString(8)})`)
    return createPrivateKey(readFileSync(file))
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') {
      throw new Error(
        `cannot use the key ${file}: ${errorMessage(error)}; remove it, and the next start makes another one`,
        { cause: error },
      )
    }
  }
  const { privateKey } = newKeyPair()
  writeFileAtomic(file, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
  return privateKey
}
