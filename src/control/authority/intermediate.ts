// The intermediate that signs SVIDs: made below an upstream signer, kept in a file, replaced before it ends.
import { X509Certificate } from 'node:crypto'

import type { Clock } from '../../core/clock.ts'
import { newKeyPair } from './key-pair.ts'
import { createSigner, readSigner, replaceSigner } from './signer-files.ts'
import type { Signer } from './signer-files.ts'
import type { UpstreamSigner } from './upstream-signer.ts'

const lifetimeMs = 365 * 86_400_000

export class Intermediate {
  readonly upstream: UpstreamSigner
  readonly #file: string
  readonly #clock: Clock
  #signer: Signer | undefined

  constructor(upstream: UpstreamSigner, file: string, clock: Clock) {
    this.upstream = upstream
    this.#file = file
    this.#clock = clock
  }

  /** Makes the next one when a third of the present one's life is left; SVIDs carry theirs with them, so nobody need know. */
  current(): Signer {
    this.#signer ??= readSigner(this.#file) ?? createSigner(this.#file, this.#make())
    const { certificate } = this.#signer
    const parent = this.upstream.issuers[0] ?? this.upstream.root
    const ageing = this.#clock.nowMs() >= certificate.validToDate.getTime() - lifetimeMs / 3
    // an intermediate that already lives as long as its issuer cannot be bettered
    const renewable = certificate.validToDate.getTime() < parent.validToDate.getTime()
    if ((ageing && renewable) || !certificate.verify(parent.publicKey)) return this.replace()
    return this.#signer
  }

  replace(): Signer {
    this.#signer = this.#make()
    replaceSigner(this.#file, this.#signer)
    return this.#signer
  }

  #make(): Signer {
    const { publicKey, privateKey } = newKeyPair()
    const der = this.upstream.signIntermediate(publicKey, this.#clock.nowMs() + lifetimeMs)
    return { privateKey, certificate: new X509Certificate(der) }
  }
}
