// Gathers what one loop turn writes to a connection into one write: head and body leave in one segment.
import { afterRead, type AfterReadTask } from '../../../core/read-turn.ts'
import type { Connection } from '../../io/connection.ts'
import { OutputBuffer } from '../../io/output-buffer.ts'

/** More than this at once is not worth gathering. */
const mostBytes = 65_536
/** Buffers between two messages. Few are in use at a time: one message is mostly written in one go. */
const spare: OutputBuffer[] = []
const mostSpare = 64

export class OutputBatch implements AfterReadTask {
  readonly #connection: Connection
  #buffer: OutputBuffer | undefined
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

  /** `text` is Latin-1. */
  text(text: string): void {
    this.#room(text.length).text(text)
  }

  /** Copies. */
  bytes(bytes: Uint8Array): void {
    this.#room(bytes.length).append(bytes)
  }

  afterRead(): void {
    this.flush()
  }

  flush(): void {
    const buffer = this.#buffer
    if (buffer === undefined) return
    this.#buffer = undefined
    if (!this.#connection.writeFrom(buffer)) this.#blocked = true
    if (spare.length < mostSpare) spare.push(buffer)
  }

  #room(count: number): OutputBuffer {
    let buffer = this.#buffer
    if (buffer !== undefined) {
      if (buffer.used + count <= mostBytes) return buffer
      this.flush()
    } else {
      if (!afterRead(this)) queueMicrotask(() => this.flush())
    }
    buffer = spare.pop() ?? new OutputBuffer()
    this.#buffer = buffer
    return buffer
  }
}
