// Gathers what one loop turn writes to a connection into one write: head and body leave in one segment.
import type { Connection } from '../../io/connection.ts'

const leastBytes = 2048
/** More than this at once is not worth gathering. */
const mostBytes = 65_536

export class OutputBatch {
  readonly #connection: Connection
  #buffer: Buffer | undefined
  #used = 0
  #blocked = false

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** The connection asked to wait. */
  get blocked(): boolean {
    return this.#blocked
  }

  unblock(): void {
    this.#blocked = false
  }

  /** `text` is Latin-1. `following`: how much more is expected to come at once. */
  text(text: string, following = 0): void {
    const buffer = this.#room(text.length, following)
    this.#used += buffer.write(text, this.#used, 'latin1')
  }

  /** Copies. */
  bytes(bytes: Uint8Array): void {
    const buffer = this.#room(bytes.length, 0)
    buffer.set(bytes, this.#used)
    this.#used += bytes.length
  }

  readonly flush = (): void => {
    if (this.#buffer === undefined) return
    const bytes = this.#buffer.subarray(0, this.#used)
    this.#buffer = undefined
    this.#used = 0
    if (!this.#connection.write(bytes)) this.#blocked = true
  }

  #room(count: number, following: number): Buffer {
    if (this.#buffer !== undefined) {
      if (this.#buffer.length - this.#used >= count) return this.#buffer
      this.flush()
    } else {
      queueMicrotask(this.flush)
    }
    return (this.#buffer = Buffer.allocUnsafe(Math.max(count + Math.min(following, mostBytes), leastBytes)))
  }
}
