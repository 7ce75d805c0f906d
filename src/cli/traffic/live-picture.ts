// What changes on its own: one picture on a terminal, text after text elsewhere.
import type { CliContext } from '../context.ts'

const home = '\u001B[H'
const clearLineEnd = '\u001B[K'
const clearBelow = '\u001B[J'
/** A screen of its own, and no cursor; what was there before comes back. */
const enter = '\u001B[?1049h\u001B[?25l'
const leave = '\u001B[?25h\u001B[?1049l'
/** Of a terminal that does not say. */
const defaultRows = 24

export class LivePicture {
  readonly #context: CliContext
  readonly #onOwnScreen: boolean

  constructor(context: CliContext, options: { readonly onOwnScreen: boolean }) {
    this.#context = context
    this.#onOwnScreen = options.onOwnScreen && this.isTerminal
    if (this.#onOwnScreen) context.output.write(enter)
    if (this.isTerminal) context.output.write(`${home}${clearBelow}`)
  }

  get isTerminal(): boolean {
    return this.#context.host.stdout.isTTY === true
  }

  /** Lines that end with a newline. What is higher than the terminal is cut. */
  draw(text: string): void {
    const { host, output } = this.#context
    if (!this.isTerminal) {
      output.write(`${text}\n`)
      return
    }
    const lines = text.trimEnd().split('\n')
    const room = (host.stdout.rows ?? defaultRows) - 1
    const shown = lines.length <= room ? lines : [...lines.slice(0, room - 1), `${lines.length - room + 1} lines more`]
    output.write(`${home}${shown.map((line) => `${line}${clearLineEnd}`).join('\n')}${clearBelow}`)
  }

  close(): void {
    if (this.isTerminal) this.#context.output.write(this.#onOwnScreen ? leave : '\n')
  }
}

/** Ends early with `signal`. */
export function pause({ host }: CliContext, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve()
      return
    }
    const timer = host.clock.setTimer(delayMs, done, true)
    function done(): void {
      timer.cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
  })
}
