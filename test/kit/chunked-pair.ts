// Two connections joined in memory that deliver in pieces of given sizes, from memory that is overwritten afterwards, and ask to wait.
import type { Connection, ConnectionHandler } from '../../src/proxy/io/connection.ts'
import type { OutputBuffer } from '../../src/proxy/io/output-buffer.ts'

/** Written and not delivered: more than this, and the writer is asked to wait. */
const highWaterBytes = 32_768

export class ChunkedConnection implements Connection {
  handler: ConnectionHandler = { onData() {}, onEnd() {}, onClose() {}, onDrain() {} }
  readonly remoteAddress = '127.0.0.1'
  readonly remotePort = 1
  readonly localAddress = '127.0.0.1'
  readonly localPort = 2
  readonly tls: Connection['tls'] = undefined
  closed = false
  #peer: ChunkedConnection | undefined
  readonly #sizes: readonly number[]
  #turn = 0
  #pending: Buffer = Buffer.alloc(0)
  #ended = false
  #wantsDrain = false
  #paused = false
  #scheduled = false

  private constructor(sizes: readonly number[]) {
    this.#sizes = sizes
  }

  /** Sizes of the pieces, taken in turn. */
  static pair(sizes: readonly number[]): [ChunkedConnection, ChunkedConnection] {
    const near = new ChunkedConnection(sizes)
    const far = new ChunkedConnection(sizes.toReversed())
    near.#peer = far
    far.#peer = near
    return [near, far]
  }

  write(bytes: Uint8Array): boolean {
    if (this.closed || this.#ended) return true
    this.#pending = Buffer.concat([this.#pending, bytes])
    this.#schedule()
    if (this.#pending.length <= highWaterBytes) return true
    this.#wantsDrain = true
    return false
  }

  writeLent(bytes: Uint8Array): boolean {
    return this.write(Buffer.from(bytes))
  }

  writeFrom(output: OutputBuffer): boolean {
    const goesOn = this.write(output.bytes.subarray(0, output.used))
    output.bytes.fill(0xbb, 0, output.used)
    output.clear()
    return goesOn
  }

  end(): void {
    this.#ended = true
    this.#schedule()
  }

  destroy(error?: Error): void {
    if (this.closed) return
    this.closed = true
    queueMicrotask(() => this.handler.onClose(error))
    queueMicrotask(() => this.#peer?.destroy(error))
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    const peer = this.#peer as ChunkedConnection
    peer.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#deliver()
    })
  }

  #deliver(): void {
    const peer = this.#peer as ChunkedConnection
    // Some pieces each time, so that single bytes come to an end too.
    for (let pieces = 0; pieces < 64 && this.#pending.length > 0; pieces++) {
      if (peer.closed || peer.#paused) return
      const size = this.#sizes[this.#turn++ % this.#sizes.length] as number
      const piece = Buffer.from(this.#pending.subarray(0, size))
      this.#pending = this.#pending.subarray(piece.length)
      peer.handler.onData(piece)
      piece.fill(0xaa)
    }
    if (this.#wantsDrain && this.#pending.length === 0) {
      this.#wantsDrain = false
      if (!this.closed) this.handler.onDrain()
    }
    if (this.#pending.length > 0) this.#schedule()
    else if (this.#ended && !peer.closed) peer.handler.onEnd()
  }
}
