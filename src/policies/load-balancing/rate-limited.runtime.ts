// Endpoints that say that they are asked too much (429, RESOURCE_EXHAUSTED) get a smaller share for a while, which grows back. They are not ejected.
import type { Avoided, FinishedAttempt, LoadBalancedEndpoint, LoadBalancer } from '../../contracts/load-balancer.ts'
import type { Clock } from '../../core/clock.ts'
import type { Random } from '../../core/random.ts'

/** gRPC RESOURCE_EXHAUSTED. */
const resourceExhausted = 8
/** Until its share is whole again, where it does not say how long; and at most, whatever it says. */
const recoveryMs = 10_000
const longestRecoveryMs = 60_000
/** Of a share: how else would it be known that it is over. */
const leastShare = 0.05

export class RateLimited<E extends LoadBalancedEndpoint> {
  readonly #clock: Clock
  readonly #random: Random
  readonly #passed = new PassedOver<E>()
  /** When the shares of all endpoints are whole again. */
  #untilMs: number

  constructor(endpoints: readonly E[], { clock, random }: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = clock
    this.#random = random
    this.#untilMs = endpoints.reduce((latest, one) => Math.max(latest, one.limitedAtMs + one.limitedForMs), -Infinity)
  }

  /** Picks by `pick`, keeping away from some of the endpoints with a smaller share while there are others. */
  pick(
    pick: LoadBalancer<E>['pick'],
    avoid: Avoided<E> | undefined,
    hash: number | undefined,
    subset: string | undefined,
  ): E | undefined {
    if (this.#untilMs === -Infinity) return pick(avoid, hash, subset)
    const nowMs = this.#clock.monotonicMs()
    if (nowMs >= this.#untilMs) {
      this.#untilMs = -Infinity
      return pick(avoid, hash, subset)
    }
    const passed = this.#passed
    passed.begin(avoid, this.#random.next(), nowMs)
    const picked = pick(passed, hash, subset)
    return picked === undefined || !passed.has(picked) ? picked : pick(avoid, hash, subset)
  }

  attemptOver(endpoint: E, attempt: FinishedAttempt): void {
    const { status, startMs } = attempt
    if (status !== 429 && (status !== 200 || attempt.grpcStatus !== resourceExhausted)) return
    // What was under way when it said so says nothing new.
    if (startMs < endpoint.limitedAtMs) return
    const nowMs = this.#clock.monotonicMs()
    const { retryAfterMs } = attempt
    endpoint.limitedShare = retryAfterMs === undefined ? Math.max(leastShare, shareOf(endpoint, nowMs) / 2) : leastShare
    endpoint.limitedAtMs = nowMs
    endpoint.limitedForMs = Math.min(retryAfterMs ?? recoveryMs, longestRecoveryMs)
    this.#untilMs = Math.max(this.#untilMs, nowMs + endpoint.limitedForMs)
  }
}

/** In one pick: what is to be avoided anyway, and whose share is no more than what was drawn. */
class PassedOver<E extends LoadBalancedEndpoint> implements Avoided<E> {
  readonly size = 1
  #avoid: Avoided<E> | undefined
  #drawn = 0
  #nowMs = 0

  begin(avoid: Avoided<E> | undefined, drawn: number, nowMs: number): void {
    this.#avoid = avoid
    this.#drawn = drawn
    this.#nowMs = nowMs
  }

  has(endpoint: E): boolean {
    return shareOf(endpoint, this.#nowMs) <= this.#drawn || this.#avoid?.has(endpoint) === true
  }
}

/** Of what it would get: from `limitedShare` evenly up to the whole. */
function shareOf({ limitedShare, limitedAtMs, limitedForMs }: LoadBalancedEndpoint, nowMs: number): number {
  const passedMs = nowMs - limitedAtMs
  return passedMs >= limitedForMs ? 1 : limitedShare + ((1 - limitedShare) * passedMs) / limitedForMs
}
