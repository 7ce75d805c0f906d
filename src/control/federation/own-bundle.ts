// The mesh's own trust bundle for other trust domains. Its sequence grows with each change, over restarts too: <stateDir>/ca/bundle-sequence.json.
import { X509Certificate, createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { TrustBundleDocument } from '../../contracts/control-api.ts'
import type { BundleKey } from '../../contracts/identity/jwt-svid.ts'
import { certificatesFromPem } from '../../contracts/identity/pem.ts'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import type { Clock } from '../../core/clock.ts'
import type { Authority } from '../authority/authority.ts'
import { spiffeBundle } from '../authority/spiffe-bundle.ts'

export interface OwnBundleOptions {
  readonly stateDir: string
  readonly authority: Pick<Authority, 'trustBundle'>
  readonly jwtKeys: () => readonly BundleKey[]
  /** When others are asked to look again. */
  readonly refreshHintMs: () => number
  readonly clock: Clock
}

interface Sequence {
  readonly digest: string
  readonly sequence: number
}

export class OwnBundle {
  readonly #options: OwnBundleOptions
  readonly #file: string
  #sequence: Sequence | undefined

  constructor(options: OwnBundleOptions) {
    this.#options = options
    this.#file = join(options.stateDir, 'ca', 'bundle-sequence.json')
    this.#sequence = readSequence(this.#file)
  }

  /** As it is now. */
  current(): TrustBundleDocument {
    const { authority, jwtKeys, refreshHintMs } = this.#options
    const roots = certificatesFromPem(authority.trustBundle.rootsPem).map((der) => new X509Certificate(der))
    const bundle = spiffeBundle(roots, jwtKeys(), { sequence: 0, refreshHintMs: refreshHintMs() })
    return { ...bundle, spiffe_sequence: this.#sequenceOf(bundle) }
  }

  #sequenceOf({ keys }: TrustBundleDocument): number {
    const digest = createHash('sha256').update(JSON.stringify(keys)).digest('hex')
    if (this.#sequence?.digest === digest) return this.#sequence.sequence
    // no less than the time: a state directory that was lost must not begin below what others have seen
    const seconds = Math.floor(this.#options.clock.nowMs() / 1000)
    this.#sequence = { digest, sequence: Math.max((this.#sequence?.sequence ?? 0) + 1, seconds) }
    writeFileAtomic(this.#file, `${JSON.stringify(this.#sequence)}\n`)
    return this.#sequence.sequence
  }
}

function readSequence(file: string): Sequence | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Sequence
  } catch {
    // missing or damaged: the time is the next one
    return undefined
  }
}
