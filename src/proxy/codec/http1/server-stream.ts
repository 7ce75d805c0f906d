// One request on an HTTP/1.1 connection and its response.
import type { RequestHead, ResponseHead } from '../../../contracts/http-message.ts'
import type { HeaderList } from '../../../core/header-list.ts'
import type { Connection } from '../../io/connection.ts'
import type { BodyLength, ServerStream, ServerStreamHandler } from '../http-stream.ts'
import type { ParsedRequest } from './message-head.ts'
import type { OutputBatch } from './output-batch.ts'
import { chunkStart, lastChunk, type ResponseFraming, serializeResponseHead } from './serializer.ts'

/** What a stream needs of its connection. */
export interface StreamHost {
  readonly connection: Connection
  readonly output: OutputBatch
  /** This is the connection's last exchange. */
  readonly ending: boolean
  pauseBody(): void
  resumeBody(): void
  responseDone(): void
  becomeTunnel(): void
  takeOver(): Uint8Array
}

const unheard: ServerStreamHandler = { onData() {}, onEnd() {}, onDrain() {}, onClosed() {} }

export class Http1ServerStream implements ServerStream {
  readonly request: RequestHead
  readonly protocol: 'HTTP/1.0' | 'HTTP/1.1'
  readonly bodyLength: BodyLength
  readonly expectsContinue: boolean
  readonly upgrade: string | undefined
  handler: ServerStreamHandler = unheard
  requestComplete = false
  headSent = false
  responseComplete = false
  tunnelling = false
  /** The connection can carry another request after this one. */
  persistent: boolean
  readonly #host: StreamHost
  #body: 'length' | 'chunked' | 'raw' | 'none' = 'none'
  #closed = false

  constructor(host: StreamHost, parsed: ParsedRequest) {
    this.#host = host
    this.request = parsed.head
    this.protocol = parsed.protocol
    this.bodyLength = parsed.length
    this.expectsContinue = parsed.expectsContinue
    this.upgrade = parsed.upgrade
    this.persistent = parsed.persistent
  }

  get connection(): Connection {
    return this.#host.connection
  }

  pause(): void {
    if (!this.#closed) this.#host.pauseBody()
  }

  resume(): void {
    if (!this.#closed) this.#host.resumeBody()
  }

  sendInformational(head: ResponseHead): void {
    if (this.#closed || this.headSent || this.protocol === 'HTTP/1.0') return
    this.#host.output.text(serializeResponseHead(head, { length: 'none', connection: undefined, upgrade: undefined }))
  }

  sendHead(head: ResponseHead, length: BodyLength): void {
    if (this.#closed || this.headSent) return
    this.headSent = true
    if (head.status === 101) {
      this.#sendSwitching(head)
      return
    }
    const framing = this.#frame(head.status, length)
    // Whether the rest of the request will be read is open, so the connection cannot promise to serve another.
    if (this.#host.ending || !this.requestComplete) this.persistent = false
    const connection = this.persistent ? (this.protocol === 'HTTP/1.0' ? 'keep-alive' : undefined) : 'close'
    this.#host.output.text(serializeResponseHead(head, { length: framing, connection, upgrade: undefined }))
  }

  #frame(status: number, length: BodyLength): ResponseFraming['length'] {
    if (status === 204) return 'none'
    if (status === 304 || this.request.method === 'HEAD') return 'declared'
    if (length !== 'unknown') {
      this.#body = 'length'
      return length
    }
    if (this.protocol === 'HTTP/1.1') {
      this.#body = 'chunked'
      return 'unknown'
    }
    this.#body = 'raw'
    this.persistent = false
    return 'until-close'
  }

  #sendSwitching(head: ResponseHead): void {
    this.#body = 'raw'
    this.tunnelling = true
    this.persistent = false
    const framing = { length: 'none', connection: 'Upgrade', upgrade: this.upgrade } as const
    this.#host.output.text(serializeResponseHead(head, framing))
    this.#host.becomeTunnel()
  }

  sendData(bytes: Uint8Array): boolean {
    if (this.#closed || this.#body === 'none' || bytes.length === 0) return true
    const output = this.#host.output
    if (this.#body === 'chunked') {
      output.text(chunkStart(bytes.length))
      output.bytes(bytes)
      output.text('\r\n')
    } else {
      output.bytes(bytes)
    }
    return !output.blocked
  }

  sendEnd(trailers?: HeaderList): void {
    if (this.#closed || this.responseComplete) return
    this.responseComplete = true
    if (this.#body === 'chunked') this.#host.output.text(lastChunk(trailers))
    this.#host.responseDone()
  }

  abort(error: Error): void {
    if (!this.#closed) this.connection.destroy(error)
  }

  takeOver(head: ResponseHead): { connection: Connection; head: Uint8Array } {
    this.#closed = true
    this.#host.output.text(serializeResponseHead(head, { length: 'none', connection: undefined, upgrade: undefined }))
    return { connection: this.connection, head: this.#host.takeOver() }
  }

  /** The connection is gone, or what follows on it cannot be read. */
  closed(error: Error | undefined): void {
    if (this.#closed) return
    this.#closed = true
    this.handler.onClosed(error)
  }
}
