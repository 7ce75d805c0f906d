// The intermediate that signs SVIDs: made below an upstream signer, kept in a file, replaced before it ends.
import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'

import type { Clock } from '../../core/clock.ts'
import { newKeyPair } from './key-pair.ts'
import { createSigner, moveFile, readSigner, replaceSigner } from './signer-files.ts'
import type { Signer } from './signer-files.ts'
import type { UpstreamSigner } from './upstream-signer.ts'

const lifetimeMs = 365 * 86_400_000

export class Intermediate {
  readonly upstream: UpstreamSigner
  readonly #file: string
  /** Of an upstream that has been asked: what it answered, until it is taken. */
  readonly #nextFile: string
  readonly #clock: Clock
  #signer: Signer | undefined

  constructor(upstream: UpstreamSigner, folder: string, clock: Clock) {
    this.upstream = upstream
    this.#file = join(folder, 'intermediate.pem')
    this.#nextFile = join(folder, 'next-intermediate.pem')
    this.#clock = clock
  }

  /** Makes the next one when a third of the present one's life is left; SVIDs carry theirs with them, so nobody need know. */
  current(): Signer {
    const present = this.present()
    return !this.#isBelow(present) || (this.isAgeing && this.canReplace) ? this.replace() : present
  }

  /** However old it is. */
  present(): Signer {
    this.#signer ??= readSigner(this.#file) ?? this.#first()
    return this.#signer
  }

  /** Whether the present one is near its end, and another could live longer. */
  get isAgeing(): boolean {
    this.#signer ??= readSigner(this.#file)
    if (this.#signer === undefined) return false
    const { validFromDate, validToDate } = this.#signer.certificate
    const [fromMs, toMs] = [validFromDate.getTime(), validToDate.getTime()]
    // an intermediate that already lives as long as its issuer cannot be bettered
    return this.#clock.nowMs() >= toMs - (toMs - fromMs) / 3 && toMs < this.#parent.validToDate.getTime()
  }

  /** Whether the next one is there, or can be had at once. */
  get canReplace(): boolean {
    return this.upstream.signIntermediate !== undefined || this.#next() !== undefined
  }

  /** Whether one below this upstream is there, or can be had at once. */
  get isReady(): boolean {
    if (this.canReplace) return true
    this.#signer ??= readSigner(this.#file)
    return this.#signer !== undefined && this.#isBelow(this.#signer)
  }

  /** Throws when there is no other. */
  replace(): Signer {
    const next = this.#next()
    const signer = next ?? this.#make()
    if (next === undefined) replaceSigner(this.#file, signer)
    else moveFile(this.#nextFile, this.#file)
    this.#signer = signer
    return signer
  }

  /** Rejects with the reason why there is none. */
  async ask(): Promise<Signer> {
    const keys = newKeyPair()
    if (this.upstream.askForIntermediate === undefined) throw this.#nobodySigns()
    const der = await this.upstream.askForIntermediate(keys, this.#clock.nowMs() + lifetimeMs)
    return { privateKey: keys.privateKey, certificate: new X509Certificate(der) }
  }

  /** For the next time that one is needed, over restarts too. */
  keep(answer: Signer): void {
    replaceSigner(this.#nextFile, answer)
  }

  #first(): Signer {
    return this.#next() === undefined ? createSigner(this.#file, this.#make()) : this.replace()
  }

  #make(): Signer {
    const { publicKey, privateKey } = newKeyPair()
    const der = this.upstream.signIntermediate?.(publicKey, this.#clock.nowMs() + lifetimeMs)
    if (der === undefined) throw this.#nobodySigns()
    return { privateKey, certificate: new X509Certificate(der) }
  }

  #next(): Signer | undefined {
    try {
      const next = readSigner(this.#nextFile)
      const isUsable =
        next !== undefined && this.#isBelow(next) && this.#clock.nowMs() < next.certificate.validToDate.getTime()
      return isUsable ? next : undefined
    } catch {
      // another is asked for in its place: it must not stop what works
      return undefined
    }
  }

  get #parent(): X509Certificate {
    return this.upstream.issuers[0] ?? this.upstream.root
  }

  #isBelow({ certificate }: Signer): boolean {
    return certificate.verify(this.#parent.publicKey)
  }

  #nobodySigns(): Error {
    return new Error(
      this.upstream.askForIntermediate === undefined
        ? 'the certificate authority that was replaced cannot sign any more: its key is not here'
        : 'the program of --ca-command has not given an intermediate yet',
    )
  }
}
