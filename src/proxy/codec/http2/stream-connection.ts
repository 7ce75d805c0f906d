// A stream of an HTTP/2 connection as a connection of its own: what CONNECT opens.
import type { Connection, ConnectionHandler, TlsInfo } from '../../io/connection.ts'
import type { OutputBuffer } from '../../io/output-buffer.ts'
import type { ServerStream, ServerStreamHandler } from '../http-stream.ts'

const unheard: ConnectionHandler = { onData() {}, onEnd() {}, onClose() {}, onDrain() {} }

export class StreamConnection implements Connection, ServerStreamHandler {
  closed = false
  readonly #stream: ServerStream
  #handler: ConnectionHandler = unheard
  #reading = false
  #paused = false
  #ended = false
  #destroyed = false
  #error: Error | undefined

  constructor(stream: ServerStream) {
    this.#stream = stream
    stream.handler = this
  }

  get remoteAddress(): string {
    return this.#stream.connection.remoteAddress
  }

  get remotePort(): number {
    return this.#stream.connection.remotePort
  }

  get localAddress(): string {
    return this.#stream.connection.localAddress
  }

  get localPort(): number {
    return this.#stream.connection.localPort
  }

  get tls(): TlsInfo | undefined {
    return this.#stream.connection.tls
  }

  get handler(): ConnectionHandler {
    return this.#handler
  }

  set handler(handler: ConnectionHandler) {
    this.#handler = handler
    if (this.#reading) return
    this.#reading = true
    this.#resumeSoon()
  }

  write(bytes: Uint8Array): boolean {
    return this.closed || this.#ended || this.#stream.sendData(bytes)
  }

  writeFrom(output: OutputBuffer): boolean {
    const goesOn = this.write(output.bytes.subarray(0, output.used))
    output.clear()
    return goesOn
  }

  writeLent(bytes: Uint8Array): boolean {
    return this.write(bytes)
  }

  end(): void {
    if (this.closed || this.#ended) return
    this.#ended = true
    this.#stream.sendEnd()
  }

  destroy(error?: Error): void {
    if (this.closed) return
    this.#destroyed = true
    this.#error = error
    this.#stream.abort(error ?? new Error('the tunnel was closed'))
  }

  pause(): void {
    this.#paused = true
    this.#stream.pause()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#resumeSoon()
  }

  /** Callbacks never run inside the call that caused them. */
  #resumeSoon(): void {
    queueMicrotask(() => {
      if (!this.#paused && !this.closed) this.#stream.resume()
    })
  }

  onData(bytes: Uint8Array): void {
    this.#handler.onData(bytes)
  }

  onEnd(): void {
    this.#handler.onEnd()
  }

  onDrain(): void {
    this.#handler.onDrain()
  }

  onClosed(error: Error | undefined): void {
    if (this.closed) return
    this.closed = true
    const reason = this.#destroyed ? this.#error : error
    queueMicrotask(() => this.#handler.onClose(reason))
  }
}
