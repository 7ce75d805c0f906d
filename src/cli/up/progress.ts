// What `up` is doing right now: one line that is overwritten on a terminal, lines elsewhere.
import type { CliHost } from '../host.ts'
import { printableLines } from '../printable-text.ts'

const clearLine = '\r\u001B[K'

export class Progress {
  readonly #host: CliHost
  #shown = ''

  constructor(host: CliHost) {
    this.#host = host
  }

  /** Replaces what was shown before. */
  show(text: string): void {
    if (text === this.#shown) return
    this.#shown = text
    const shown = printableLines(text)
    this.#host.stderr.write(this.#isTerminal ? `${clearLine}${shown}` : `${shown}\n`)
  }

  /** A line that stays. */
  say(text: string): void {
    const said = printableLines(text)
    if (!this.#isTerminal) this.#host.stderr.write(`${said}\n`)
    else this.#host.stderr.write(`${clearLine}${said}\n${printableLines(this.#shown)}`)
  }

  clear(): void {
    if (this.#isTerminal && this.#shown !== '') this.#host.stderr.write(clearLine)
    this.#shown = ''
  }

  get #isTerminal(): boolean {
    return this.#host.stderr.isTTY === true
  }
}
