// Says on standard error which problems of a running mesh appear and which are gone.
import { formatProblem, type Problem } from '../../contracts/problem.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import type { Output } from '../output.ts'

const intervalMs = 1000

export class ProblemWatch {
  readonly #clock: Clock
  readonly #ask: () => Promise<readonly Problem[]>
  readonly #output: Output
  #known = new Map<string, string>()
  #timer: Timer | undefined
  #stopped = false

  constructor(clock: Clock, ask: () => Promise<readonly Problem[]>, output: Output) {
    this.#clock = clock
    this.#ask = ask
    this.#output = output
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
    this.#timer = this.#clock.setTimer(intervalMs, () => void this.#look())
  }

  async #look(): Promise<void> {
    try {
      const now = byKey(await this.#ask())
      for (const [key, text] of now) if (!this.#known.has(key)) this.#output.note(text)
      for (const key of this.#known.keys()) if (!now.has(key)) this.#output.note(`resolved: ${key}`)
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
      const place = problem.position === undefined ? '' : `${problem.position.file}:${problem.position.line} `
      const subject = problem.document ?? ''
      const what = problem.code === 'HDL014' || problem.code === 'HDL011' ? '' : ` ${problem.message}`
      return [`${place}${problem.code} ${subject}${what}`, formatProblem(problem)]
    }),
  )
}
