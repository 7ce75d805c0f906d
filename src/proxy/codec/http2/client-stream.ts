// One request sent on an HTTP/2 connection and its response.
import type { ResponseHead } from '../../../contracts/http-message.ts'
import type { HeaderList } from '../../../core/header-list.ts'
import type { BodyLength, ClientStream, ClientStreamHandler, OutgoingRequest } from '../http-stream.ts'
import { errorCodes } from './frames.ts'
import type { StreamHost } from './server-stream.ts'
import { Http2Stream } from './stream.ts'

export interface ClientStreamHost extends StreamHost {
  /** It was never sent: there is nothing to tell the peer. */
  withdraw(stream: Http2ClientStream): void
}

export class Http2ClientStream extends Http2Stream implements ClientStream {
  readonly request: OutgoingRequest
  readonly handler: ClientStreamHandler
  responseBegun = false
  /** What follows the head is no body of a request. */
  readonly opaque: boolean
  /** Both directions are opaque bytes. */
  tunnelling = false
  readonly #host: ClientStreamHost

  constructor(host: ClientStreamHost, sendWindow: number, request: OutgoingRequest, handler: ClientStreamHandler) {
    super(0, sendWindow)
    this.#host = host
    this.request = request
    this.handler = handler
    this.headReceived = false
    this.opaque = request.upgrade !== undefined || request.head.method === 'CONNECT'
    if (typeof request.length === 'number' && !this.opaque) this.sendLeft = request.length
  }

  pause(): void {
    this.#host.inbound.pause(this)
  }

  resume(): void {
    if (!this.over) this.#host.inbound.resume(this)
  }

  sendData(bytes: Uint8Array): boolean {
    if (this.over || this.id === 0 || this.localEnded || this.endQueued || bytes.length === 0) return true
    if (this.sendLeft !== -1) {
      if (bytes.length > this.sendLeft) {
        this.#break('the request is longer than its content-length')
        return true
      }
      this.sendLeft -= bytes.length
    }
    return this.#host.outbound.sendData(this, bytes)
  }

  sendEnd(trailers?: HeaderList): void {
    if (this.over || this.id === 0 || this.localEnded || this.endQueued) return
    if (this.sendLeft > 0) this.#break('the request is shorter than its content-length')
    else this.#host.outbound.sendEnd(this, trailers)
  }

  #break(message: string): void {
    this.#host.abandon(this, errorCodes.internalError)
    this.failed('protocol-error', message)
  }

  abort(): void {
    if (this.over) return
    this.over = true
    this.#host.inbound.forget(this)
    if (this.id === 0) this.#host.withdraw(this)
    else this.#host.abandon(this, errorCodes.cancel)
  }

  head(head: ResponseHead, length: BodyLength): void {
    this.headReceived = true
    this.handler.onHead(head, length)
  }

  received(bytes: Uint8Array): void {
    this.handler.onData(bytes)
  }

  receivedEnd(trailers: HeaderList | undefined): void {
    if (this.localEnded) this.over = true
    this.handler.onEnd(trailers)
    if (this.tunnelling || this.over) return
    // The whole response is here: nobody needs the rest of the request.
    this.over = true
    this.#host.abandon(this, errorCodes.cancel)
  }

  drained(): void {
    if (!this.over) this.handler.onDrain()
  }

  sent(): void {
    if (!this.remoteEnded) return
    this.#host.complete(this)
    if (this.endDelivered) this.over = true
  }

  failed(kind: 'reset' | 'protocol-error' | 'refused', message: string): void {
    if (this.over) return
    this.over = true
    this.handler.onFailed({ kind, message, responseBegun: this.responseBegun })
  }
}
