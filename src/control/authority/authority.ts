// The mesh's certificate authority: signs X.509-SVIDs below a root, and changes its root and intermediate without anybody noticing. Its keys and
// how far a rotation has come lie in <stateDir>/ca.
import { X509Certificate } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'

import type { AuthorityCertificate, Revocation, RotationKind, RotationPhase } from '../../contracts/control-api.ts'
import { controlPlaneSpiffeId } from '../../contracts/identity/control-plane-identity.ts'
import { certificatesFromPem, certificatesToPem } from '../../contracts/identity/pem.ts'
import { parseSpiffeId, spiffeIdFault, splitSpiffeId } from '../../contracts/identity/spiffe-id.ts'
import type { TrustBundle, X509Svid } from '../../contracts/identity/svid.ts'
import { trustFingerprint } from '../../contracts/identity/trust-fingerprint.ts'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import type { Clock } from '../../core/clock.ts'
import { WatchableValue } from '../../core/watchable.ts'
import type { Watchable } from '../../core/watchable.ts'
import { Intermediate } from './intermediate.ts'
import { IssuedSvids } from './issued-svids.ts'
import { newKeyPair } from './key-pair.ts'
import { Revocations } from './revocations.ts'
import { firstPhase, nextPhase, readRotation, writeRotation } from './rotation-state.ts'
import type { RotationState } from './rotation-state.ts'
import type { Signer } from './signer-files.ts'
import { SigningRefused, parseSigningRequest } from './signing-request.ts'
import { backDatedMs, signedBy } from './upstream-signer.ts'
import type { UpstreamSigner } from './upstream-signer.ts'
import { Upstreams } from './upstreams.ts'
import type { UpstreamFiles } from './upstreams.ts'

export interface AuthorityOptions {
  readonly stateDir: string
  readonly trustDomain: string
  readonly clock: Clock
  /** Asked at each signature, so that a changed setting holds from the next certificate on. */
  readonly svidLifetimeMs: () => number
  /** The user's own certificate authority in place of the embedded root. */
  readonly upstreamFiles?: UpstreamFiles | undefined
  /** Of other trust domains, handed out with each certificate; absent: none. */
  readonly federatedBundles?: Watchable<readonly TrustBundle[]>
}

export interface SignedSvid {
  /** Leaf first, then the intermediate. */
  readonly chainDer: readonly Uint8Array[]
  /** Roots of the trust domain. */
  readonly bundleDer: readonly Uint8Array[]
  /** Of other trust domains. */
  readonly federatedBundles: readonly TrustBundle[]
  readonly notAfterMs: number
}

export interface Authority {
  readonly trustDomain: string
  readonly trustBundle: TrustBundle
  /** What proxies are told as `trustBundleFile`; PEM. */
  readonly trustBundleFile: string
  /**
   * Signs a request of whoever was found to be `spiffeId`. Throws SigningRefused when the request is malformed, or asks for another
   * identity.
   */
  sign(csrDer: Uint8Array, spiffeId: string): SignedSvid
  /** A fresh key and certificate for the control plane itself. */
  issueServerSvid(): X509Svid
  /** A fresh key and certificate for somebody who makes no key; the caller has seen that it is who it says. */
  issueSvid(spiffeId: string): X509Svid
  readonly revocations: Revocations
  /**
   * From now on nothing counts that the identity was given so far; what it is given from now on does. Throws RevocationRefused when it is no
   * identity that a proxy of this trust domain can have, nor one of another that is trusted.
   */
  revoke(spiffeId: string, reason: string): Revocation
  /** Of what `sign` hands out now; another one after each step of a rotation. */
  readonly trustFingerprint: Watchable<string>
  /** Root and intermediate, and the next or the last root while a rotation is under way. */
  certificates(): readonly AuthorityCertificate[]
}

/** The part that is rotated. */
export interface RotatableAuthority extends Authority {
  /** SPIFFE IDs of which an SVID may be valid, the control plane's own left out; over restarts. */
  holders(): readonly string[]
  /** The mesh has no such identity any more: nobody waits for its holders. */
  forgetHolder(spiffeId: string): void
  /** Undefined when none is under way. */
  readonly rotation: RotationState | undefined
  /** The user's own certificate authority has another root than the one that is trusted: start a rotation. */
  readonly isNewRootWanted: boolean
  /** Takes what the user's own certificate authority is now. Throws, and changes nothing, when it cannot be used. */
  reload(): void
  /**
   * The certificate authority that must be asked for an intermediate: the present one's life is ending, or a rotation or other files need
   * another. Undefined: none, or it signs at once.
   */
  readonly asked: UpstreamSigner | undefined
  /** Asks it, and takes the answer. Rejects with the reason, and changes nothing, when there is none. */
  askForIntermediate(): Promise<void>
  /** Before `startRotation`: has at hand what it will need. Rejects with the reason when there is none. */
  prepareRotation(kind: RotationKind): Promise<void>
  /** The next step of the rotation needs an intermediate that has yet to come. */
  readonly isRotationHeldUp: boolean
  /** Throws RotationRefused, or why there is no new root or intermediate. */
  startRotation(kind: RotationKind): void
  /** Takes the next step, for good; the caller has seen that everybody is ready for it. Nothing happens when none is under way. */
  advanceRotation(): void
}

export class RotationRefused extends Error {}

export class RevocationRefused extends Error {}

/** Of the certificates of one identity. */
interface GivenSoFar {
  /** When the validity of the youngest began. */
  readonly notBeforeMs: number
  /** All have ended by then. */
  readonly endByMs: number
}

/** Creates the root and the intermediate where there are none. Throws when what is there cannot be used, with the way out. */
export function createAuthority(options: AuthorityOptions): RotatableAuthority {
  return new UpstreamAuthority(options)
}

class UpstreamAuthority implements RotatableAuthority {
  readonly trustDomain: string
  readonly trustBundleFile: string
  readonly trustFingerprint: WatchableValue<string> = new WatchableValue('')
  readonly #options: AuthorityOptions
  readonly #rotationFile: string
  readonly #folder: string
  readonly #issued: IssuedSvids
  readonly #upstreams: Upstreams
  readonly revocations: Revocations
  /** Of all certificates since the start: one that was signed while the clock was ahead is not younger than what comes after it. */
  #latestNotBeforeMs = 0
  #rotation: RotationState | undefined
  #intermediate: Intermediate

  constructor(options: AuthorityOptions) {
    const { stateDir, trustDomain, clock, upstreamFiles } = options
    this.#options = options
    this.trustDomain = trustDomain
    const folder = join(stateDir, 'ca')
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    chmodSync(folder, 0o700)
    this.trustBundleFile = join(folder, 'trust-bundle.pem')
    this.#rotationFile = join(folder, 'rotation.json')
    this.#folder = folder
    this.#issued = new IssuedSvids(join(folder, 'issued.json'), clock)
    this.revocations = new Revocations(join(folder, 'revocations.json'), clock)
    const isReady = (upstream: UpstreamSigner): boolean => this.#below(upstream).isReady
    this.#upstreams = new Upstreams({ folder, trustDomain, clock, files: upstreamFiles, isReady })
    this.#rotation = readRotation(this.#rotationFile)
    if (this.#rotation?.kind === 'root') this.#resumeRoot(this.#rotation)
    this.#intermediate = this.#intermediateNow()
    this.#takeEffect()
    options.federatedBundles?.subscribe(() => this.#tellFingerprint(this.#intermediate.current()))
  }

  get trustBundle(): TrustBundle {
    return { trustDomain: this.trustDomain, rootsPem: certificatesToPem(this.#bundle().map(({ raw }) => raw)) }
  }

  get rotation(): RotationState | undefined {
    return this.#rotation
  }

  sign(csrDer: Uint8Array, spiffeId: string): SignedSvid {
    const request = parseSigningRequest(csrDer)
    if (request.spiffeId !== spiffeId) {
      throw new SigningRefused(
        'denied',
        `the certificate request is for ${JSON.stringify(request.spiffeId)}, but the caller is ${spiffeId}: ask for your own identity`,
      )
    }
    // whoever was granted an identity before the trust domain was changed
    if (parseSpiffeId(spiffeId)?.trustDomain !== this.trustDomain) {
      throw new SigningRefused(
        'denied',
        `${spiffeId} is no workload of trust domain "${this.trustDomain}": join again with a new token`,
      )
    }
    return this.#issue(request.publicKey, spiffeId)
  }

  issueServerSvid(): X509Svid {
    return this.issueSvid(controlPlaneSpiffeId(this.trustDomain))
  }

  issueSvid(spiffeId: string): X509Svid {
    const { publicKey, privateKey } = newKeyPair()
    const { chainDer } = this.#issue(publicKey, spiffeId)
    const leaf = new X509Certificate(chainDer[0] as Uint8Array)
    return {
      spiffeId,
      certificateChainPem: certificatesToPem(chainDer),
      privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      notBeforeMs: leaf.validFromDate.getTime(),
      notAfterMs: leaf.validToDate.getTime(),
    }
  }

  revoke(spiffeId: string, reason: string): Revocation {
    const isForeign = spiffeIdFault(spiffeId) === undefined && splitSpiffeId(spiffeId).trustDomain !== this.trustDomain
    const { notBeforeMs, endByMs } = isForeign ? this.#givenElsewhere(spiffeId) : this.#givenHere(spiffeId)
    const revocation = this.revocations.revoke(spiffeId, reason, wholeSecond(notBeforeMs), endByMs)
    // what it holds is worth nothing
    this.forgetHolder(spiffeId)
    return revocation
  }

  certificates(): readonly AuthorityCertificate[] {
    const { upstream } = this.#intermediate
    const { present, next } = this.#upstreams
    const roots = this.#bundle().map((root) =>
      describe(root, 'root', root === upstream.root ? 'signing' : root === present.root ? 'retiring' : 'next'),
    )
    const { certificate } = this.#intermediate.current()
    const below = [certificate, ...upstream.issuers].map((one) => describe(one, 'intermediate', 'signing'))
    const coming = upstream === next ? [] : (next?.issuers ?? []).map((one) => describe(one, 'intermediate', 'next'))
    return [...roots, ...below, ...coming]
  }

  holders(): readonly string[] {
    const own = controlPlaneSpiffeId(this.trustDomain)
    return this.#issued.holders().filter((spiffeId) => spiffeId !== own)
  }

  forgetHolder(spiffeId: string): void {
    this.#issued.forget(spiffeId)
  }

  get isNewRootWanted(): boolean {
    return this.#upstreams.isNewRootWanted
  }

  reload(): void {
    this.#upstreams.reload()
    this.#takeEffect()
  }

  get asked(): UpstreamSigner | undefined {
    return this.#lacking()?.upstream
  }

  async askForIntermediate(): Promise<void> {
    const lacking = this.#lacking()
    if (lacking === undefined) return
    const answer = await lacking.ask()
    // the files have changed meanwhile: what is needed now is another
    if (this.asked !== lacking.upstream) return
    lacking.keep(answer)
    this.#upstreams.adoptWaiting()
    this.#takeEffect()
  }

  async prepareRotation(kind: RotationKind): Promise<void> {
    const intermediate = this.#intermediate
    const { askForIntermediate } = intermediate.upstream
    if (kind !== 'intermediate' || this.#rotation !== undefined || askForIntermediate === undefined) return
    const answer = await intermediate.ask()
    const isStillPresent = this.#intermediate.upstream === intermediate.upstream
    if (this.#rotation === undefined && isStillPresent) intermediate.keep(answer)
  }

  get isRotationHeldUp(): boolean {
    const { next } = this.#upstreams
    if (this.#rotation?.phase === 'distribute') return next !== undefined && !this.#below(next).isReady
    return this.#isReplacedInUse && !this.#intermediate.canReplace
  }

  startRotation(kind: RotationKind): void {
    if (this.#rotation !== undefined) {
      throw new RotationRefused(`the ${this.#rotation.kind} is being rotated: wait until that is done`)
    }
    // before the state: a root that nobody knows of yet is taken up by the next attempt
    if (kind === 'root') this.#upstreams.prepareNext()
    else if (!this.#intermediate.canReplace) {
      throw new Error('the certificate authority has given no intermediate: see the log of the control plane')
    }
    this.#enter({
      kind,
      phase: firstPhase(kind),
      startedAtMs: this.#options.clock.nowMs(),
      ...(kind === 'intermediate' && {
        replacedIntermediate: this.#intermediate.present().certificate.fingerprint256,
      }),
    })
  }

  advanceRotation(): void {
    if (this.#rotation === undefined) return
    const phase = nextPhase(this.#rotation)
    if (phase === undefined) this.#finish()
    else this.#enter({ ...this.#rotation, phase })
  }

  #givenHere(spiffeId: string): GivenSoFar {
    if (parseSpiffeId(spiffeId) === undefined)
      throw new RevocationRefused(`"${spiffeId}" is no SPIFFE ID of a workload`)
    if (spiffeId === controlPlaneSpiffeId(this.trustDomain)) {
      throw new RevocationRefused(
        `${spiffeId} is the control plane: rotate the root to make an end of its certificates`,
      )
    }
    const { certificate } = this.#intermediate.current()
    const notBeforeMs = Math.max(this.#notBeforeMs(certificate), this.#latestNotBeforeMs)
    return { notBeforeMs, endByMs: this.#issued.endByMs }
  }

  /** Whatever its authority has dated so far, and nothing outlives its root. */
  #givenElsewhere(spiffeId: string): GivenSoFar {
    const { trustDomain } = splitSpiffeId(spiffeId)
    const bundle = this.#options.federatedBundles?.value.find((one) => one.trustDomain === trustDomain)
    if (bundle === undefined) {
      throw new RevocationRefused(
        `${spiffeId} is no workload of trust domain "${this.trustDomain}", nor of one that is trusted`,
      )
    }
    const ends = certificatesFromPem(bundle.rootsPem).map((der) => new X509Certificate(der).validToDate.getTime())
    return { notBeforeMs: this.#options.clock.nowMs(), endByMs: Math.max(...ends) }
  }

  #enter(state: Omit<RotationState, 'phaseSinceMs' | 'phaseEndsByMs'> & { readonly phase: RotationPhase }): void {
    const phaseSinceMs = this.#options.clock.nowMs()
    const entered = { ...state, phaseSinceMs, phaseEndsByMs: Math.max(phaseSinceMs, this.#issued.endByMs) }
    writeRotation(this.#rotationFile, entered)
    this.#rotation = entered
    this.#takeEffect()
  }

  /** Each step leaves what the constructor can go on from. */
  #finish(): void {
    this.#upstreams.promoteNext()
    this.#forgetRotation()
    this.#takeEffect()
  }

  #resumeRoot({ phase }: RotationState): void {
    if (this.#upstreams.resumeNext()) {
      // nothing hangs on it yet: the next rotation is to what the files hold now
      if (phase === 'distribute' && this.#upstreams.isNextOutdated) {
        this.#upstreams.dropNext()
        this.#forgetRotation()
      }
      return
    }
    if (phase !== 'retire') {
      throw new Error(
        `${this.#rotationFile} tells of a new root, but it is not there: restore the folder from a backup`,
      )
    }
    this.#forgetRotation()
  }

  #forgetRotation(): void {
    writeRotation(this.#rotationFile, undefined)
    this.#rotation = undefined
  }

  /** From now on what is in force is what the fields say. */
  #takeEffect(): void {
    this.#intermediate = this.#intermediateNow()
    if (this.#isReplacedInUse && this.#intermediate.canReplace) this.#intermediate.replace()
    writeFileAtomic(this.trustBundleFile, this.trustBundle.rootsPem)
    this.#tellFingerprint(this.#intermediate.current())
  }

  #tellFingerprint({ certificate }: Signer): void {
    const above = [certificate, ...this.#intermediate.upstream.issuers].map(({ raw }) => raw)
    const bundle = this.#bundle().map(({ raw }) => raw)
    this.trustFingerprint.set(trustFingerprint(above, bundle, this.#options.federatedBundles?.value))
  }

  /** The rotation is about to replace the intermediate, and has yet to do so. */
  get #isReplacedInUse(): boolean {
    const replaced = this.#rotation?.replacedIntermediate
    return replaced !== undefined && this.#intermediate.current().certificate.fingerprint256 === replaced
  }

  /** What must be asked for, the most urgent. */
  #lacking(): Intermediate | undefined {
    const { waiting, next } = this.#upstreams
    if (waiting !== undefined) return this.#below(waiting)
    const isDue = this.#isReplacedInUse || this.#intermediate.isAgeing
    const due =
      this.#rotation?.phase === 'distribute' ? next && this.#below(next) : isDue ? this.#intermediate : undefined
    if (due?.upstream.askForIntermediate === undefined) return undefined
    return (due === this.#intermediate ? due.canReplace : due.isReady) ? undefined : due
  }

  #below(upstream: UpstreamSigner): Intermediate {
    return new Intermediate(upstream, this.#folder, this.#options.clock)
  }

  /** Below whoever signs now. */
  #intermediateNow(): Intermediate {
    const { present, next } = this.#upstreams
    const upstream = this.#rotation?.phase === 'distribute' ? present : (next ?? present)
    return this.#below(upstream)
  }

  /** The root that signs comes first. */
  #bundle(): readonly X509Certificate[] {
    const { present, next } = this.#upstreams
    if (next === undefined || this.#rotation === undefined) return [present.root]
    if (this.#rotation.phase === 'distribute') return [present.root, next.root]
    return this.#rotation.phase === 'switch' ? [next.root, present.root] : [next.root]
  }

  /** Of a certificate that is signed now: a chain is only valid where all of it is. */
  #notBeforeMs({ validFromDate }: X509Certificate): number {
    return Math.max(this.#options.clock.nowMs() - backDatedMs, validFromDate.getTime())
  }

  #issue(publicKey: KeyObject, spiffeId: string): SignedSvid {
    const signing = this.#intermediate.current()
    const { certificate } = signing
    const { issuers } = this.#intermediate.upstream
    const nowMs = this.#options.clock.nowMs()
    const lifetimeMs = this.#options.svidLifetimeMs()
    const revoked = this.revocations.of(spiffeId)
    // dates have whole seconds: what comes after a revocation begins at least one later
    const notBeforeMs = Math.max(
      this.#notBeforeMs(certificate),
      revoked === undefined ? 0 : revoked.notBeforeMs + 1_000,
    )
    this.#latestNotBeforeMs = Math.max(this.#latestNotBeforeMs, notBeforeMs)
    const der = signedBy(signing, {
      publicKey,
      notBeforeMs,
      // a chain is only valid where all of it is
      notAfterMs: Math.min(nowMs + lifetimeMs, certificate.validToDate.getTime()),
      uri: spiffeId,
      kind: { role: 'leaf' },
    })
    const notAfterMs = new X509Certificate(der).validToDate.getTime()
    this.#issued.willEnd(spiffeId, notAfterMs, lifetimeMs)
    // an intermediate that was replaced for its age is news, too
    this.#tellFingerprint(signing)
    return {
      chainDer: [der, certificate.raw, ...issuers.map(({ raw }) => raw)],
      bundleDer: this.#bundle().map(({ raw }) => raw),
      federatedBundles: this.#options.federatedBundles?.value ?? [],
      notAfterMs,
    }
  }
}

function wholeSecond(ms: number): number {
  return Math.floor(ms / 1_000) * 1_000
}

function describe(
  certificate: X509Certificate,
  role: AuthorityCertificate['role'],
  use: AuthorityCertificate['use'],
): AuthorityCertificate {
  return {
    role,
    use,
    serialNumber: certificate.serialNumber,
    notBeforeMs: certificate.validFromDate.getTime(),
    notAfterMs: certificate.validToDate.getTime(),
  }
}
