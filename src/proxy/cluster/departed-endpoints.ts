// Endpoints of a large cluster that are not available any more, until its load balancer is made anew: picks avoid them.
import type { Avoided } from '../../contracts/load-balancer.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import type { OutlierState } from '../../policies/outlier-detection/outlier-detection.runtime.ts'
import type { Endpoint } from './endpoint.ts'

/** A balancer of fewer is made anew at each change. */
const few = 256
/** To make one costs about 0.1 µs for each endpoint: of what a proxy can do, that is a thousandth. */
const endpointsPerMs = 100

export class DepartedEndpoints implements Avoided<Endpoint> {
  readonly #clock: Clock
  readonly #respread: () => void
  readonly #states = new Set<OutlierState>()
  #timer: Timer | undefined

  constructor(clock: Clock, respread: () => void) {
    this.#clock = clock
    this.#respread = respread
  }

  get size(): number {
    return this.#states.size
  }

  has({ outlier }: Endpoint): boolean {
    return this.#states.has(outlier)
  }

  /** It has become available, or has ceased to be, among so many. */
  changed(state: OutlierState, endpointCount: number): void {
    if (endpointCount <= few) {
      this.#respread()
      return
    }
    if (state.available) this.#states.delete(state)
    else this.#states.add(state)
    this.#timer ??= this.#clock.setTimer(endpointCount / endpointsPerMs, this.#respread)
  }

  /** The balancer knows of all changes. */
  clear(): void {
    this.#states.clear()
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** These and others. */
  and(others: Avoided<Endpoint> | undefined): Avoided<Endpoint> {
    if (others === undefined || others.size === 0) return this
    return { size: this.size + others.size, has: (endpoint) => this.has(endpoint) || others.has(endpoint) }
  }
}
