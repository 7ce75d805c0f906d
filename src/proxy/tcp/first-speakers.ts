// Remembers for each destination who speaks first on a connection, so that the next one need not find out again.
import type { Clock } from '../../core/clock.ts'

export type FirstSpeaker = 'server' | 'client'

interface Learned {
  readonly speaker: FirstSpeaker
  readonly atMs: number
}

/** Destinations; the one learned longest ago goes first. */
const maxDestinations = 1_024
/** What listens there may have been replaced by something else. */
const rememberedMs = 600_000

export class FirstSpeakers {
  readonly #clock: Clock
  readonly #learned = new Map<string, Learned>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  of(destination: string): FirstSpeaker | undefined {
    const learned = this.#learned.get(destination)
    if (learned === undefined) return undefined
    if (this.#clock.monotonicMs() - learned.atMs < rememberedMs) return learned.speaker
    this.#learned.delete(destination)
    return undefined
  }

  learn(destination: string, speaker: FirstSpeaker): void {
    this.#learned.delete(destination)
    const [oldest] = this.#learned.keys()
    if (oldest !== undefined && this.#learned.size >= maxDestinations) this.#learned.delete(oldest)
    this.#learned.set(destination, { speaker, atMs: this.#clock.monotonicMs() })
  }
}
