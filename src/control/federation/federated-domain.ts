// One other trust domain: its bundle, from a file or an endpoint, and the last good one on disk for when there is neither.
import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

import type { FederatedDomainStatus } from '../../contracts/control-api.ts'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import { backoffMs } from '../../core/backoff.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import { errorCode, errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { Random } from '../../core/random.ts'
import { leastRefreshMs } from '../../policies/federation/federation.schema.ts'
import type { FederatedTrustDomainSpec } from '../../policies/federation/federation.spec.ts'
import { maxBundleBytes, parseSpiffeBundle } from '../../policies/federation/spiffe-bundle.schema.ts'
import type { ForeignBundle } from '../../policies/federation/spiffe-bundle.schema.ts'
import type { fetchBundle } from './bundle-fetch.ts'

export interface FederatedDomainDeps {
  /** Where last good bundles are kept. */
  readonly folder: string
  readonly fetch: typeof fetchBundle
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** The bundle is another one. */
  readonly changed: () => void
}

/** The last good bundle, as it came. */
interface Kept {
  readonly text: string
  /** Of what the operator gave when it came: something else there is the operator's newest word. */
  readonly givenDigest: string | undefined
}

const filePollMs = 1_000
const fetchTimeoutMs = 10_000
/** SPIFFE Trust Domain and Bundle, section 4.1.2, leaves it open. */
const defaultRefreshMs = 300_000
const mostRefreshMs = 24 * 3_600_000
const retryBackoff = { baseMs: 1_000, maxMs: 60_000 }

/** Keeps trying until stopped; starts with what is on disk, so that a domain that is away is trusted as before. */
export class FederatedDomain {
  readonly spec: FederatedTrustDomainSpec
  readonly #deps: FederatedDomainDeps
  readonly #keptFile: string
  readonly #aborted = new AbortController()
  readonly #timers = new Map<'file' | 'endpoint', Timer>()
  #bundle: ForeignBundle | undefined
  #kept: Kept | undefined
  #seenStamp = ''
  /** Of the file, of the endpoint: what is wrong now. */
  readonly #faults = new Map<'file' | 'endpoint', string>()
  #failures = 0
  #updatedAtMs: number | undefined

  constructor(spec: FederatedTrustDomainSpec, deps: FederatedDomainDeps) {
    this.spec = spec
    this.#deps = deps
    this.#keptFile = join(deps.folder, `${spec.trustDomain}.json`)
    this.#readKept()
    if (spec.trustDomainBundle !== undefined) this.#given(spec.trustDomainBundle)
    if (spec.trustDomainBundleFile !== undefined) this.#lookAtFile(spec.trustDomainBundleFile)
    if (spec.bundleEndpointURL !== undefined) this.#schedule('endpoint', 0, () => void this.#ask())
  }

  /** Undefined until the first one has come: nobody of the domain is trusted. */
  get bundle(): ForeignBundle | undefined {
    return this.#bundle
  }

  status(): FederatedDomainStatus {
    const { trustDomain, bundleEndpointURL, trustDomainBundleFile } = this.spec
    const [fault] = this.#faults.values()
    const roots = this.#bundle?.rootsPem.match(/-----BEGIN/g)?.length ?? 0
    return {
      trustDomain,
      source: bundleEndpointURL ?? trustDomainBundleFile ?? 'MeshConfig',
      roots,
      jwtKeys: this.#bundle?.jwtKeys.length ?? 0,
      ...(this.#bundle?.sequence !== undefined && { sequence: this.#bundle.sequence }),
      ...(this.#updatedAtMs !== undefined && { updatedAtMs: this.#updatedAtMs }),
      ...(fault !== undefined && { fault }),
    }
  }

  stop(): void {
    this.#aborted.abort()
    for (const timer of this.#timers.values()) timer.cancel()
  }

  #schedule(what: 'file' | 'endpoint', delayMs: number, action: () => void): void {
    if (!this.#aborted.signal.aborted) this.#timers.set(what, this.#deps.clock.setTimer(delayMs, action))
  }

  #readKept(): void {
    try {
      const kept = JSON.parse(readFileSync(this.#keptFile, 'utf8')) as Kept
      this.#bundle = parseSpiffeBundle(kept.text).bundle
      if (this.#bundle !== undefined) this.#kept = kept
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return
      const fields = { file: this.#keptFile, reason: errorMessage(error) }
      this.#deps.logger.warn('the last good trust bundle cannot be read: waiting for another', fields)
    }
  }

  /** What the operator gives counts when it is another than last time, whatever its sequence: the word of whoever runs the mesh. */
  #given(text: string): void {
    const givenDigest = createHash('sha256').update(text).digest('hex')
    if (this.#kept?.givenDigest === givenDigest) {
      this.#recovered('file')
      return
    }
    const { bundle, fault } = parseSpiffeBundle(text)
    if (bundle === undefined) this.#failed('file', `no trust bundle: ${fault}`)
    else this.#take('file', bundle, { text, givenDigest })
  }

  /** Looking is cheaper than being told: mounted files are replaced by renaming a folder above them. */
  #lookAtFile(file: string): void {
    this.#schedule('file', filePollMs, () => this.#lookAtFile(file))
    try {
      const { ino, size, mtimeMs } = statSync(file)
      const stamp = `${ino}:${size}:${mtimeMs}`
      if (stamp === this.#seenStamp) return
      if (size > maxBundleBytes) throw new Error(`it is larger than ${maxBundleBytes} bytes`)
      const text = readFileSync(file, 'utf8')
      this.#seenStamp = stamp
      this.#given(text)
    } catch (error) {
      this.#seenStamp = ''
      this.#failed('file', `cannot read ${file}: ${errorMessage(error)}`)
    }
  }

  async #ask(): Promise<void> {
    const { random } = this.#deps
    try {
      const text = await this.#fetch()
      if (this.#aborted.signal.aborted) return
      this.#answered(text)
      this.#failures = 0
      // earlier by up to 10 %, so that those who began together do not ask together
      this.#schedule('endpoint', this.#refreshMs() * (1 - 0.1 * random.next()), () => void this.#ask())
    } catch (error) {
      if (this.#aborted.signal.aborted) return
      this.#failed('endpoint', errorMessage(error))
      const delayMs = Math.min(this.#refreshMs(), 500 + backoffMs(retryBackoff, this.#failures++, random))
      this.#schedule('endpoint', delayMs, () => void this.#ask())
    }
  }

  #fetch(): Promise<string> {
    const { bundleEndpointURL, bundleEndpointProfile } = this.spec
    const { fetch, clock } = this.#deps
    const options = { clock, signal: this.#aborted.signal, timeoutMs: fetchTimeoutMs }
    const url = new URL(bundleEndpointURL as string)
    if (bundleEndpointProfile?.type !== 'https_spiffe') return fetch(url, options)
    if (this.#bundle === undefined) {
      return Promise.reject(new Error('there is no bundle yet that the endpoint could be verified with'))
    }
    const { rootsPem } = this.#bundle
    return fetch(url, { ...options, spiffe: { rootsPem, endpointSpiffeId: bundleEndpointProfile.endpointSPIFFEID } })
  }

  #answered(text: string): void {
    const { bundle, fault } = parseSpiffeBundle(text)
    if (bundle === undefined) throw new Error(`the answer is no trust bundle: ${fault}`)
    const known = this.#bundle?.sequence
    if (known !== undefined && (bundle.sequence ?? -1) < known) {
      throw new Error(`spiffe_sequence went back from ${known} to ${bundle.sequence ?? 'none'}`)
    }
    this.#take('endpoint', bundle, { text, givenDigest: this.#kept?.givenDigest })
  }

  #take(from: 'file' | 'endpoint', bundle: ForeignBundle, kept: Kept): void {
    const { clock, logger, changed } = this.#deps
    const isKnown = kept.text === this.#kept?.text && kept.givenDigest === this.#kept.givenDigest
    // written before it counts: after a restart nothing older is believed
    if (!isKnown) writeFileAtomic(this.#keptFile, `${JSON.stringify(kept)}\n`)
    this.#recovered(from)
    this.#updatedAtMs = clock.nowMs()
    if (isKnown) return
    this.#bundle = bundle
    this.#kept = kept
    const { trustDomain } = this.spec
    logger.info('has a new trust bundle of another domain', { trustDomain, from, sequence: bundle.sequence })
    changed()
  }

  #refreshMs(): number {
    return Math.min(Math.max(this.#bundle?.refreshHintMs ?? defaultRefreshMs, leastRefreshMs), mostRefreshMs)
  }

  #failed(from: 'file' | 'endpoint', fault: string): void {
    const { trustDomain } = this.spec
    // once a reason: an endpoint that is away says the same again and again
    if (this.#faults.get(from) !== fault) {
      const has = this.#bundle === undefined ? 'none' : 'the last good one'
      this.#deps.logger.warn('cannot get the trust bundle of another domain', { trustDomain, from, reason: fault, has })
    }
    this.#faults.set(from, fault)
  }

  #recovered(from: 'file' | 'endpoint'): void {
    this.#faults.delete(from)
  }
}
