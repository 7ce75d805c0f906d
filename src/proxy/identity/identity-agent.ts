// Keeps one proxy's X.509-SVID: joins with a token, renews at half-life with the SVID itself, never lets the key out.
import { X509Certificate, createPrivateKey } from 'node:crypto'

import { spiffeIdOf } from '../../contracts/identity/certificate-spiffe-id.ts'
import { certificatesToPem } from '../../contracts/identity/pem.ts'
import type { TrustBundle } from '../../contracts/identity/svid.ts'
import { backoffMs } from '../../core/backoff.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { Random } from '../../core/random.ts'
import { WatchableValue } from '../../core/watchable.ts'
import type { Watchable } from '../../core/watchable.ts'
import type { TlsCredentials } from '../io/connection.ts'
import type { RevokedSvids } from '../io/revoked-peers.ts'
import { createCertificateRequest } from './certificate-request.ts'
import type { CertificateRequest } from './certificate-request.ts'

/** How the proxy shows who it is. */
export type CertificateProof =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'svid'; readonly credentials: TlsCredentials }

export interface SignedCertificate {
  /** Leaf first. */
  readonly chainDer: readonly Uint8Array[]
  readonly bundleDer: readonly Uint8Array[]
  /** Of other trust domains; absent: none. */
  readonly federatedBundles?: readonly TrustBundle[]
  /** As of when it was signed. */
  readonly revoked?: RevokedSvids | undefined
}

/** Rejects with CertificateRefused when the control plane said no, with another error when it said nothing within `timeoutMs` (5 s). */
export type SignCertificate = (
  csrDer: Uint8Array,
  proof: CertificateProof,
  timeoutMs?: number,
) => Promise<SignedCertificate>

export class CertificateRefused extends Error {}

export interface IdentityAgentOptions {
  readonly spiffeId: string
  readonly sign: SignCertificate
  /** Reads the join token anew. */
  readonly token: () => Promise<string>
  /** The join token serves no more: another one is needed. */
  readonly tokenRefused?: () => void
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

export interface IdentityAgent {
  /** Undefined before the first certificate and once the last one has expired. */
  readonly credentials: Watchable<TlsCredentials | undefined>
  readonly revoked: Watchable<RevokedSvids>
  /** When the present certificate ends, milliseconds since the Unix epoch; undefined without one. */
  readonly notAfterMs: number | undefined
  start(): void
  /** Renews at a random time within so many milliseconds, unless it would sooner anyway. */
  renewWithin(withinMs: number): void
  /** What is revoked from now on, in place of what was before. */
  revoke(revoked: RevokedSvids): void
  stop(): void
}

export const nothingRevoked: RevokedSvids = { version: 0, notBeforeMs: {} }

const backoff = { baseMs: 100, maxMs: 5_000 }
const longestTryMs = 5_000
const shortestTryMs = 500

export function createIdentityAgent(options: IdentityAgentOptions): IdentityAgent {
  return new SvidKeeper(options)
}

class SvidKeeper implements IdentityAgent {
  readonly credentials = new WatchableValue<TlsCredentials | undefined>(undefined)
  readonly revoked = new WatchableValue<RevokedSvids>(nothingRevoked)
  notAfterMs: number | undefined
  readonly #options: IdentityAgentOptions
  /** Kept until it is answered: a join token may be redeemed again only with the same key. */
  #request: CertificateRequest | undefined
  #svidRefused = false
  #failures = 0
  #lastFailure = ''
  #next: Timer | undefined
  #nextAtMs = 0
  #renewing = false
  #expiry: Timer | undefined
  #stopped = false

  constructor(options: IdentityAgentOptions) {
    this.#options = options
  }

  start(): void {
    void this.#renew()
  }

  renewWithin(withinMs: number): void {
    const { clock, random } = this.#options
    // whoever asks sees what comes of the one under way, and asks again
    if (this.#stopped || this.#renewing) return
    const delayMs = withinMs * random.next()
    if (clock.nowMs() + delayMs < this.#nextAtMs) this.#schedule(delayMs)
  }

  revoke(revoked: RevokedSvids): void {
    this.revoked.set(revoked)
  }

  stop(): void {
    this.#stopped = true
    this.#next?.cancel()
    this.#expiry?.cancel()
  }

  #schedule(delayMs: number): void {
    const { clock } = this.#options
    this.#next?.cancel()
    this.#nextAtMs = clock.nowMs() + delayMs
    this.#next = clock.setTimer(delayMs, () => void this.#renew())
  }

  async #renew(): Promise<void> {
    const { spiffeId, sign, random } = this.#options
    this.#renewing = true
    this.#request ??= createCertificateRequest(spiffeId)
    let proof: CertificateProof | undefined
    try {
      proof = await this.#proof()
      const signed = await sign(this.#request.csrDer, proof, this.#timeoutMs())
      this.#renewing = false
      if (this.#stopped) return
      this.#install(signed, this.#request.privateKeyPem)
    } catch (error) {
      this.#renewing = false
      if (this.#stopped) return
      // next time with the token if the SVID was refused, and the other way round while there is one
      const refused = error instanceof CertificateRefused
      this.#svidRefused = proof?.kind === 'svid' && refused
      if (proof?.kind === 'token' && refused) this.#options.tokenRefused?.()
      this.#logFailure(errorMessage(error))
      this.#schedule(backoffMs(backoff, this.#failures++, random))
    }
  }

  /** A try that hangs leaves time for others before the certificate ends. */
  #timeoutMs(): number {
    const leftMs = (this.notAfterMs ?? Infinity) - this.#options.clock.nowMs()
    return Math.min(longestTryMs, Math.max(shortestTryMs, leftMs / 4))
  }

  async #proof(): Promise<CertificateProof> {
    const credentials = this.credentials.value
    if (credentials !== undefined && !this.#svidRefused) return { kind: 'svid', credentials }
    return { kind: 'token', token: await this.#options.token() }
  }

  #install(signed: SignedCertificate, privateKeyPem: string): void {
    const { spiffeId, clock, random, logger } = this.#options
    const nowMs = clock.nowMs()
    const notAfterMs = checkCertificate(signed, privateKeyPem, spiffeId, nowMs)
    const lifetimeMs = notAfterMs - nowMs
    const { federatedBundles = [] } = signed
    this.#request = undefined
    this.#svidRefused = false
    this.#failures = 0
    this.#lastFailure = ''
    this.notAfterMs = notAfterMs
    this.#expiry?.cancel()
    this.#expiry = clock.setTimer(lifetimeMs, () => this.#expire())
    // ± 10 %, so that proxies that started together do not renew together
    this.#schedule((lifetimeMs / 2) * (0.9 + 0.2 * random.next()))
    logger.debug('has a new certificate', { spiffeId, notAfterMs })
    // the answer may have been overtaken by what came since
    if ((signed.revoked?.version ?? 0) > this.revoked.value.version) this.revoke(signed.revoked as RevokedSvids)
    this.credentials.set({
      certificateChainPem: certificatesToPem(signed.chainDer),
      privateKeyPem,
      rootsPem: certificatesToPem(signed.bundleDer),
      // absent where there are none: what they cost is only paid where there are some
      ...(federatedBundles.length > 0 && { federatedBundles }),
    })
  }

  #expire(): void {
    const { spiffeId, logger } = this.#options
    logger.error('the certificate has expired and could not be renewed', { spiffeId, reason: this.#lastFailure })
    this.notAfterMs = undefined
    this.credentials.set(undefined)
  }

  #logFailure(reason: string): void {
    const { spiffeId, logger } = this.#options
    const fields = { spiffeId, reason, has: this.credentials.value === undefined ? 'none' : 'one that is still valid' }
    // once a reason: a control plane that is away says the same again and again
    if (reason === this.#lastFailure) logger.debug('cannot get a certificate', fields)
    else logger.warn('cannot get a certificate', fields)
    this.#lastFailure = reason
  }
}

/** When the certificate ends. Throws when it is not the one that was asked for. */
function checkCertificate(signed: SignedCertificate, privateKeyPem: string, spiffeId: string, nowMs: number): number {
  const [leafDer] = signed.chainDer
  if (leafDer === undefined || signed.bundleDer.length === 0) throw new Error('the control plane sent no certificate')
  const leaf = new X509Certificate(leafDer)
  if (spiffeIdOf(leaf) !== spiffeId || !leaf.checkPrivateKey(createPrivateKey(privateKeyPem))) {
    throw new Error("the control plane sent somebody else's certificate")
  }
  const notAfterMs = leaf.validToDate.getTime()
  if (notAfterMs <= nowMs) {
    throw new Error('the control plane sent a certificate that has already expired: compare the clocks of both hosts')
  }
  return notAfterMs
}
