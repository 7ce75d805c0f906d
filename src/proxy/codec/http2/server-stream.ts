// One request on an HTTP/2 connection and its response.
import type { RequestHead, ResponseHead } from '../../../contracts/http-message.ts'
import type { HeaderList } from '../../../core/header-list.ts'
import type { Connection } from '../../io/connection.ts'
import type { BodyLength, ServerStream, ServerStreamHandler } from '../http-stream.ts'
import { HttpParseError } from '../http1/parse-error.ts'
import { errorCodes } from './frames.ts'
import type { DeclaredLength } from './hpack/encoder.ts'
import type { Inbound } from './inbound.ts'
import type { Outbound } from './outbound.ts'
import { StreamConnection } from './stream-connection.ts'
import { Http2Stream } from './stream.ts'
import { addWebSocketKey } from './websocket-handshake.ts'

/** What a stream needs of its connection. */
export interface StreamHost {
  readonly connection: Connection
  readonly outbound: Outbound
  readonly inbound: Inbound
  abandon(stream: Http2Stream, code: number): void
  complete(stream: Http2Stream): void
}

const unheard: ServerStreamHandler = { onData() {}, onEnd() {}, onDrain() {}, onClosed() {} }

export interface ReceivedRequest {
  readonly head: RequestHead
  readonly length: BodyLength
  readonly upgrade: string | undefined
  readonly expectsContinue: boolean
  readonly openedMs: number
}

export class Http2ServerStream extends Http2Stream implements ServerStream {
  readonly request: RequestHead
  readonly protocol = 'HTTP/2'
  readonly bodyLength: BodyLength
  readonly expectsContinue: boolean
  readonly upgrade: string | undefined
  handler: ServerStreamHandler = unheard
  /** Time of the clock. */
  readonly openedMs: number
  /** What comes after the head is no body of a request: opaque bytes, once they are accepted. */
  readonly opaque: boolean
  readonly #host: StreamHost
  /** The caller sent no WebSocket key, and wants no answer to one. */
  readonly #keyless: boolean
  #accepted = false
  #headSent = false
  #bodyless = false

  constructor(host: StreamHost, id: number, sendWindow: number, received: ReceivedRequest) {
    super(id, sendWindow)
    this.#host = host
    this.request = received.head
    this.bodyLength = received.length
    this.expectsContinue = received.expectsContinue
    this.upgrade = received.upgrade
    this.openedMs = received.openedMs
    this.opaque = received.upgrade !== undefined || received.head.method === 'CONNECT'
    this.paused = this.opaque
    this.#keyless = received.upgrade !== undefined && addWebSocketKey(received.head.headers)
  }

  get connection(): Connection {
    return this.#host.connection
  }

  pause(): void {
    this.#host.inbound.pause(this)
  }

  resume(): void {
    if (!this.over && (!this.opaque || this.#accepted)) this.#host.inbound.resume(this)
  }

  sendInformational(head: ResponseHead): void {
    if (this.over || this.#headSent || head.status === 101) return
    this.#writeHead(head.status, head.headers, 'none')
  }

  sendHead(head: ResponseHead, length: BodyLength): void {
    if (this.over || this.#headSent) return
    this.#headSent = true
    if (head.status === 101) {
      this.#accept(head.headers)
      return
    }
    const declared = this.#declare(head.status, length)
    if (typeof declared === 'number') this.sendLeft = declared
    this.#writeHead(head.status, head.headers, declared)
  }

  #declare(status: number, length: BodyLength): DeclaredLength {
    this.#bodyless = status === 204 || status === 304 || this.request.method === 'HEAD'
    if (status === 204) return 'none'
    if (this.#bodyless) return 'as-listed'
    return length === 'unknown' ? 'none' : length
  }

  /** RFC 8441 section 5, RFC 9113 section 8.5: a 2xx status makes both directions opaque bytes. */
  #accept(headers: HeaderList): void {
    this.#accepted = true
    if (this.#keyless) headers.delete('sec-websocket-accept')
    this.#writeHead(200, headers, 'none')
    this.resume()
  }

  #writeHead(status: number, headers: HeaderList, length: DeclaredLength): void {
    const { outbound } = this.#host
    const start = outbound.beginHeaders()
    outbound.encoder.status(outbound.output, status)
    outbound.encoder.fields(outbound.output, headers, length)
    outbound.endHeaders(this, start, false)
  }

  sendData(bytes: Uint8Array): boolean {
    if (this.over || this.#bodyless || this.localEnded || this.endQueued || bytes.length === 0) return true
    if (this.sendLeft !== -1) {
      if (bytes.length > this.sendLeft) {
        this.abort(new Error('the response is longer than its content-length'))
        return true
      }
      this.sendLeft -= bytes.length
    }
    return this.#host.outbound.sendData(this, bytes)
  }

  sendEnd(trailers?: HeaderList): void {
    if (this.over || this.localEnded || this.endQueued) return
    if (this.sendLeft > 0) this.abort(new Error('the response is shorter than its content-length'))
    else this.#host.outbound.sendEnd(this, trailers)
  }

  abort(error: Error): void {
    if (this.over) return
    this.over = true
    this.#host.abandon(this, errorCodes.internalError)
    this.handler.onClosed(error)
  }

  takeOver(head: ResponseHead): { connection: Connection; head: Uint8Array } {
    this.#headSent = true
    this.#accepted = true
    this.#writeHead(200, head.headers, 'none')
    return { connection: new StreamConnection(this), head: new Uint8Array() }
  }

  received(bytes: Uint8Array): void {
    this.handler.onData(bytes)
  }

  receivedEnd(trailers: HeaderList | undefined): void {
    this.handler.onEnd(trailers)
    if (this.localEnded) this.#finish()
  }

  drained(): void {
    this.handler.onDrain()
  }

  sent(): void {
    if (this.#accepted) {
      if (this.remoteEnded) this.#host.complete(this)
      if (this.endDelivered) this.#finish()
    } else if (!this.remoteEnded) {
      // RFC 9113 section 8.1: the rest of the request is not wanted.
      this.#host.abandon(this, errorCodes.noError)
      this.#finish()
    } else {
      this.#host.complete(this)
      // Otherwise the end of the request is about to be told.
      if (this.endDelivered || this.paused || this.held !== undefined) this.#finish()
    }
  }

  #finish(): void {
    if (this.over) return
    this.over = true
    this.#host.inbound.forget(this)
    this.handler.onClosed(undefined)
  }

  failed(kind: 'reset' | 'protocol-error' | 'refused', message: string): void {
    this.over = true
    this.handler.onClosed(kind === 'protocol-error' ? new HttpParseError(400, message) : new Error(message))
  }
}
