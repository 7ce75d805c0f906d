// Work that may wait a moment, done for several at once: what is seldom done costs several times what it does when it follows its like.
import type { Clock, Timer } from './clock.ts'

const delayMs = 100
const mostWaiting = 64

export class BatchedWork {
  readonly #clock: Clock
  #waiting: (() => void)[] = []
  #timer: Timer | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Does it within a tenth of a second, after what has been added before. */
  add(work: () => void): void {
    this.#waiting.push(work)
    if (this.#waiting.length >= mostWaiting) this.flush()
    else this.#timer ??= this.#clock.setTimer(delayMs, () => this.flush())
  }

  /** Does what waits now. */
  flush(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const waiting = this.#waiting
    this.#waiting = []
    let at = 0
    try {
      while (at < waiting.length) (waiting[at++] as () => void)()
    } finally {
      // what fails takes none of the others with it
      for (const work of waiting.slice(at)) this.add(work)
    }
  }
}
