// Gathers what one loop turn writes to a connection into one write: head and body leave in one segment.
import type { Connection } from '../../io/connection.ts'
import { OutputBuffer } from '../../io/output-buffer.ts'

/** More than this at once is not worth gathering. */
const mostBytes = 65_536
/** Buffers between two messages. Few are in use at a time: one message is mostly written in one go. */
const spare: OutputBuffer[] = []
const mostSpare = 64

/** Batches begun while a connection's bytes are being looked at: they leave when that is done. */
const begun: OutputBatch[] = []
let reading = 0

/** To be called before the bytes of one read are looked at ... */
export function readBegins(): void {
  reading++
}

/** ... and after: what they have caused to be written leaves. */
export function readEnds(): void {
  if (--reading > 0) return
  for (let at = 0; at < begun.length; at++) (begun[at] as OutputBatch).flush()
  begun.length = 0
}

export class OutputBatch {
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

  flush(): void {
    const buffer = this.#buffer
    if (buffer === undefined) return
    this.#buffer = undefined
    if (!this.#connection.writeFrom(buffer)) this.#blocked = true
    if (spare.length < mostSpare) spare.push(buffer)
  }

  #leaveSoon(): void {
    if (reading > 0) begun.push(this)
    else queueMicrotask(() => this.flush())
  }

  #room(count: number): OutputBuffer {
    let buffer = this.#buffer
    if (buffer !== undefined) {
      if (buffer.used + count <= mostBytes) return buffer
      this.flush()
    } else {
      this.#leaveSoon()
    }
    buffer = spare.pop() ?? new OutputBuffer()
    this.#buffer = buffer
    return buffer
  }
}
