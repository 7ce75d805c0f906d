// A Connection on a net.Socket or tls.TLSSocket.
import type { Socket } from 'node:net'

import type { Connection, ConnectionHandler, TlsInfo } from './connection.ts'
import type { OutputBuffer } from './output-buffer.ts'

/** One buffer serves every dialled connection without TLS: a read is consumed before the next one starts. */
export const sharedReadBuffer: Buffer = Buffer.allocUnsafeSlow(65_536)
const cheapCopyBytes = 4_096

const unheard: ConnectionHandler = { onData() {}, onEnd() {}, onClose() {}, onDrain() {} }

export class NetConnection implements Connection {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  readonly tls: TlsInfo | undefined
  readonly #socket: Socket
  /** The TCP socket below TLS; the same as #socket without. */
  readonly #tcp: Socket
  #handler: ConnectionHandler = unheard
  #reading = false
  #destroyed = false
  #error: Error | undefined

  private constructor(socket: Socket, tcp: Socket, tls: TlsInfo | undefined) {
    this.#socket = socket
    this.#tcp = tcp
    this.tls = tls
    this.remoteAddress = tcp.remoteAddress ?? ''
    this.remotePort = tcp.remotePort ?? 0
    this.localAddress = tcp.localAddress ?? ''
    this.localPort = tcp.localPort ?? 0
    socket.on('error', (error) => {
      this.#error ??= error
      // After an error of TLS itself Node leaves the socket open, with nothing more to come from it.
      if (!this.closed) tcp.destroy()
    })
  }

  /** Undefined when the peer is already gone. */
  static accepted(socket: Socket): NetConnection | undefined {
    if (socket.remoteAddress !== undefined) return new NetConnection(socket, socket, undefined)
    socket.on('error', () => {}).destroy()
    return undefined
  }

  /** `socket` reads into a buffer of the back end, which calls `received`. */
  static dialled(socket: Socket): NetConnection {
    socket.pause()
    return new NetConnection(socket, socket, undefined)
  }

  static secured(socket: Socket, tcp: Socket, tls: TlsInfo): NetConnection {
    return new NetConnection(socket, tcp, tls)
  }

  get handler(): ConnectionHandler {
    return this.#handler
  }

  set handler(handler: ConnectionHandler) {
    this.#handler = handler
    if (this.#reading) return
    this.#reading = true
    this.#socket
      .on('data', this.#onData)
      .on('end', this.#onEnd)
      .on('drain', this.#onDrain)
      .on('close', this.#onClose)
      .resume()
    // Closed before anybody listened: say it again.
    if (this.#socket.closed) queueMicrotask(this.#onClose)
  }

  /** Once the socket below TLS is destroyed, the one above follows by itself: destroying both in one turn crashes Node. */
  get closed(): boolean {
    return this.#destroyed || this.#socket.destroyed || this.#tcp.destroyed
  }

  received(bytes: Uint8Array): void {
    if (!this.closed) this.#handler.onData(bytes)
  }

  write(bytes: Uint8Array): boolean {
    return this.closed || this.#socket.writableEnded || this.#socket.write(bytes)
  }

  writeFrom(output: OutputBuffer): boolean {
    const bytes = output.bytes.subarray(0, output.used)
    // The stream keeps what it is given. Copying little is cheaper than taking other memory.
    if (bytes.length <= cheapCopyBytes) {
      output.clear()
      return this.write(Buffer.from(bytes))
    }
    output.giveAway()
    return this.write(bytes)
  }

  writeLent(bytes: Uint8Array): boolean {
    // All but the shared buffer is memory that streams allocate for each read.
    return this.write(bytes.buffer === sharedReadBuffer.buffer ? Buffer.from(bytes) : bytes)
  }

  end(): void {
    if (!this.closed) this.#socket.end()
  }

  destroy(error?: Error): void {
    if (this.closed) return
    this.#destroyed = true
    if (error === undefined) {
      this.#socket.destroy()
      return
    }
    this.#error ??= error
    // Reset below TLS: without it the peer could take this for an orderly end.
    // While our end is on its way libuv refuses it, and the socket would never close.
    const endUnderWay = this.#socket.writableEnded && !this.#socket.writableFinished
    if (endUnderWay) this.#tcp.destroy()
    else this.#tcp.resetAndDestroy()
  }

  pause(): void {
    if (!this.closed) this.#socket.pause()
  }

  resume(): void {
    if (this.#reading && !this.closed) this.#socket.resume()
  }

  /** Gives the socket away, `head` first to be read again. This object is dead afterwards. */
  release(head: Uint8Array): Socket {
    const socket = this.#socket
    socket.pause()
    socket.off('data', this.#onData).off('end', this.#onEnd).off('drain', this.#onDrain).off('close', this.#onClose)
    if (head.length > 0) socket.unshift(head)
    return socket
  }

  readonly #onData = (bytes: Uint8Array): void => this.received(bytes)
  readonly #onEnd = (): void => this.#handler.onEnd()
  readonly #onDrain = (): void => this.#handler.onDrain()
  readonly #onClose = (): void => this.#handler.onClose(this.#error)
}
