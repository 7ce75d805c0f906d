// Takes a rotation from phase to phase: onwards when every proxy has in force what the phase is about, or nothing from before it is valid any more.
import type { AuthorityStatus, Revocation, RotationKind } from '../../contracts/control-api.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { RotatableAuthority } from './authority.ts'
import type { RotationState } from './rotation-state.ts'

export interface RotationOptions {
  readonly authority: RotatableAuthority
  /** SPIFFE ID of each proxy that the mesh has, by node id. */
  readonly proxies: () => ReadonlyMap<string, string>
  /** Whether what a renewal would give now is what the proxy has in force. */
  readonly isCurrent: (node: string) => boolean
  /** How long a new root is given to those who read our bundle elsewhere before it signs; absent: nobody does. */
  readonly distributeForMs?: () => number
  /** Whether the proxy refuses what is revoked now. */
  readonly refusesRevoked: (node: string) => boolean
  readonly clock: Clock
  readonly logger: Logger
}

const retryMs = 1_000

export class Rotation {
  readonly #options: RotationOptions
  #timer: Timer | undefined
  /** SPIFFE IDs that the mesh has had since the start. */
  #identities: ReadonlySet<string> = new Set()

  /** Goes on with what was under way. */
  constructor(options: RotationOptions) {
    this.#options = options
    this.check()
  }

  /** Throws what `startRotation` of the authority does; one of the intermediate is prepared first. */
  start(kind: RotationKind): void {
    const { authority, logger } = this.#options
    authority.startRotation(kind)
    logger.info('rotation starts', { kind })
    this.check()
  }

  status(): Omit<AuthorityStatus, 'jwtKeys'> {
    const { authority } = this.#options
    const { trustDomain, rotation } = authority
    const certificates = authority.certificates()
    const waitingForRefusal = this.#lacking(this.#options.refusesRevoked)
    const revocations = authority.revocations.inForce().map((one) => ({ ...one, waitingFor: waitingForRefusal }))
    if (rotation === undefined) return { trustDomain, certificates, revocations }
    const { kind, phase, startedAtMs, phaseSinceMs, phaseEndsByMs } = rotation
    const waitingFor = this.#waitingFor()
    const heldMs = this.#heldMs(rotation)
    return {
      trustDomain,
      certificates,
      revocations,
      rotation: {
        kind,
        phase,
        startedAtMs,
        phaseSinceMs,
        phaseEndsByMs,
        ...(heldMs > 0 && { heldUntilMs: this.#options.clock.nowMs() + heldMs }),
        waitingFor,
      },
    }
  }

  /** As the authority's. */
  revoke(spiffeId: string, reason: string): Revocation {
    const { authority, logger } = this.#options
    const revocation = authority.revoke(spiffeId, reason)
    logger.info('an identity was revoked', { spiffeId, reason })
    return revocation
  }

  /** Call it whenever a proxy came, went, or reported. */
  check(): void {
    const { authority, clock, logger } = this.#options
    this.#timer?.cancel()
    try {
      this.#forgetRemoved()
      for (;;) {
        if (authority.rotation === undefined && authority.isNewRootWanted) authority.startRotation('root')
        const { rotation } = authority
        // whoever brings the intermediate calls again
        if (rotation === undefined || authority.isRotationHeldUp) return
        const leftMs = rotation.phaseEndsByMs - clock.nowMs()
        const waitingFor = this.#waitingFor()
        const waitMs = Math.max(waitingFor.length > 0 ? leftMs : 0, this.#heldMs(rotation))
        if (waitMs > 0) {
          this.#timer = clock.setTimer(waitMs, () => this.check())
          return
        }
        authority.advanceRotation()
        const { kind, phase } = rotation
        logger.info('rotation goes on', {
          kind,
          after: phase,
          to: authority.rotation?.phase ?? 'done',
          left: waitingFor,
        })
      }
    } catch (error) {
      logger.error('the rotation cannot go on', { reason: errorMessage(error) })
      this.#timer = clock.setTimer(retryMs, () => this.check())
    }
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** How long the phase still lasts, whoever is ready. */
  #heldMs({ phase, phaseSinceMs }: RotationState): number {
    const { distributeForMs, clock } = this.#options
    if (phase !== 'distribute' || distributeForMs === undefined) return 0
    return phaseSinceMs + distributeForMs() - clock.nowMs()
  }

  /** And for whoever holds an SVID and is not known: documents may have been unreadable when the control plane started. */
  #waitingFor(): string[] {
    const { authority } = this.#options
    return [
      ...this.#lacking(this.#options.isCurrent),
      ...authority.holders().filter((spiffeId) => !this.#identities.has(spiffeId)),
    ]
  }

  /** Not those that are missing since the start: nobody has seen that they were removed. */
  #forgetRemoved(): void {
    const { authority, proxies } = this.#options
    const before = this.#identities
    this.#identities = new Set(proxies().values())
    for (const spiffeId of before) if (!this.#identities.has(spiffeId)) authority.forgetHolder(spiffeId)
  }

  #lacking(has: (node: string) => boolean): string[] {
    return [...this.#options.proxies().keys()].filter((node) => !has(node)).toSorted()
  }
}
