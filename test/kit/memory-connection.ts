// Two connections joined in memory, for what needs a clock moved by hand: bytes arrive a microtask after they were written.
import type { Connection, ConnectionHandler } from '../../src/proxy/io/connection.ts'
import type { OutputBuffer } from '../../src/proxy/io/output-buffer.ts'

export class MemoryConnection implements Connection {
  handler: ConnectionHandler = { onData() {}, onEnd() {}, onClose() {}, onDrain() {} }
  readonly remoteAddress = '127.0.0.1'
  readonly remotePort = 1
  readonly localAddress = '127.0.0.1'
  readonly localPort = 2
  tls: Connection['tls'] = undefined
  closed = false
  #peer: MemoryConnection | undefined

  static pair(): [MemoryConnection, MemoryConnection] {
    const [near, far] = [new MemoryConnection(), new MemoryConnection()]
    near.#peer = far
    far.#peer = near
    return [near, far]
  }

  write(bytes: Uint8Array): boolean {
    if (bytes.length > 0) queueMicrotask(() => this.#peer?.closed === false && this.#peer.handler.onData(bytes))
    return true
  }

  writeFrom(output: OutputBuffer): boolean {
    const bytes = Buffer.from(output.bytes.subarray(0, output.used))
    output.clear()
    return this.write(bytes)
  }

  writeLent(bytes: Uint8Array): boolean {
    return this.write(Buffer.from(bytes))
  }

  end(): void {
    queueMicrotask(() => this.#peer?.closed === false && this.#peer.handler.onEnd())
  }

  destroy(error?: Error): void {
    if (this.closed) return
    this.closed = true
    queueMicrotask(() => this.handler.onClose(error))
    queueMicrotask(() => this.#peer?.destroy(error))
  }

  pause(): void {}
  resume(): void {}
}
