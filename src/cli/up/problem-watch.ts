// The problems of a running mesh: says which appear and which are gone.
import { formatProblem, type Problem } from '../../contracts/problem.ts'
import type { Clock, Timer } from '../../core/clock.ts'

const intervalMs = 1000

export interface ProblemWatchOptions {
  readonly clock: Clock
  readonly ask: () => Promise<readonly Problem[]>
  readonly say: (text: string) => void
}

export class ProblemWatch {
  readonly #options: ProblemWatchOptions
  #known: ReadonlyMap<string, string> = new Map()
  #timer: Timer | undefined
  #stopped = false

  constructor(options: ProblemWatchOptions) {
    this.#options = options
  }

  /** Those there are now. */
  get texts(): string[] {
    return [...this.#known.values()]
  }

  /** `known` were said already. */
  start(known: readonly Problem[]): void {
    this.#known = byKey(known)
    this.#wait()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  #wait(): void {
    if (this.#stopped) return
    this.#timer = this.#options.clock.setTimer(intervalMs, () => void this.#look())
  }

  async #look(): Promise<void> {
    try {
      const now = byKey(await this.#options.ask())
      for (const [key, text] of now) if (!this.#known.has(key)) this.#options.say(text)
      for (const key of this.#known.keys()) if (!now.has(key)) this.#options.say(`resolved: ${key}`)
      this.#known = now
    } catch {
      // between two control planes
    }
    this.#wait()
  }
}

/** A workload that fails again and again has one problem, whatever its words of today are. */
function byKey(problems: readonly Problem[]): Map<string, string> {
  return new Map(
    problems.map((problem) => {
      const { code, position, document, message } = problem
      const place = position === undefined ? '' : `${position.file}:${position.line}: `
      const what = code === 'HDL014' || code === 'HDL011' ? '' : ` ${message}`
      return [`${place}${code} ${document ?? ''}${what}`, formatProblem(problem)]
    }),
  )
}
