// The client's end of an HTTP/1.1 connection: one request at a time, the next when both directions are complete.
import type { HeaderList } from '../../../core/header-list.ts'
import { readBegins, readEnds } from '../../../core/read-turn.ts'
import type { Connection, ConnectionHandler } from '../../io/connection.ts'
import type {
  ClientConnection,
  ClientConnectionEvents,
  ClientStream,
  ClientStreamHandler,
  OutgoingRequest,
  StreamFailure,
} from '../http-stream.ts'
import { limits } from './limits.ts'
import { type ParsedResponse, parseResponseHead } from './message-head.ts'
import { type Framing, type MessageHandler, MessageParser } from './message-parser.ts'
import { OutputBatch } from './output-batch.ts'
import { badMessage, type HttpParseError } from './parse-error.ts'
import { chunkStart, lastChunk, serializeRequestHead } from './serializer.ts'

export class Http1ClientConnection implements ClientConnection, ConnectionHandler, MessageHandler {
  readonly protocol = 'HTTP/1.1'
  readonly connection: Connection
  keepAliveSeconds: number | undefined
  requestsSent = 0
  readonly #events: ClientConnectionEvents
  readonly #parser: MessageParser
  readonly #output: OutputBatch
  #parsed: ParsedResponse | undefined
  #stream: Http1ClientStream | undefined
  #persistent = true
  #closed = false
  #paused = false

  constructor(connection: Connection, events: ClientConnectionEvents) {
    this.connection = connection
    this.#events = events
    this.#output = new OutputBatch(connection)
    this.#parser = new MessageParser(this)
    connection.handler = this
  }

  get closed(): boolean {
    return this.#closed
  }

  get openRequests(): number {
    return this.#stream === undefined ? 0 : 1
  }

  get capacity(): number {
    return this.#stream === undefined && !this.#closed ? 1 : 0
  }

  send(request: OutgoingRequest, handler: ClientStreamHandler): ClientStream {
    const stream = new Http1ClientStream(this, this.#output, request, handler)
    this.#stream = stream
    this.requestsSent++
    this.#output.text(serializeRequestHead(request.head, request))
    if (request.length === 0) this.#output.flush()
    return stream
  }

  /** Ends an idle connection. */
  close(): void {
    this.#closed = true
    this.connection.destroy()
  }

  onData(bytes: Uint8Array): void {
    const stream = this.#stream
    if (stream === undefined) {
      // An answer that nobody asked for: whatever follows could be taken for the answer to the next request.
      this.close()
      return
    }
    stream.responseBegun = true
    readBegins()
    try {
      this.#parser.push(bytes)
      this.#settle()
    } finally {
      readEnds()
    }
  }

  onEnd(): void {
    const stream = this.#stream
    this.#persistent = false
    if (stream === undefined) {
      this.close()
      return
    }
    const cutShort = this.#parser.finish()
    if (stream.tunnelling) return
    if (cutShort || !stream.responseComplete) {
      this.#fail('reset', 'the upstream closed the connection before its response was complete')
      this.close()
    }
    this.#settle()
  }

  onClose(error: Error | undefined): void {
    this.#closed = true
    this.#fail(
      'reset',
      error === undefined ? 'the upstream closed the connection' : `connection lost: ${error.message}`,
    )
    this.#events.onClosed()
  }

  onDrain(): void {
    this.#output.unblock()
    this.#stream?.handler.onDrain()
  }

  parseHead(bytes: Buffer, start: number, end: number): number {
    const stream = this.#stream
    if (stream === undefined) return badMessage('a response that nobody asked for')
    this.#parsed = parseResponseHead(bytes, start, end, stream.method)
    return this.#parsed?.end ?? -1
  }

  onHead(): Framing {
    const stream = this.#stream as Http1ClientStream
    const parsed = this.#parsed as ParsedResponse
    this.#parsed = undefined
    const { status } = parsed.head
    if (status === 101) {
      if (stream.upgrade === undefined) badMessage('a change of protocol that nobody asked for')
      this.#persistent = false
      stream.tunnelling = true
      stream.handler.onHead(parsed.head, 'unknown')
      return 'until-close'
    }
    if (status < 200) {
      if (++stream.interimResponses > limits.interimResponses) badMessage('too many interim responses')
      stream.handler.onInformational(parsed.head)
      return 'another-head'
    }
    // The offer to change the protocol was declined: it was an ordinary request without a body.
    if (stream.upgrade !== undefined) stream.requestComplete = true
    if (!parsed.persistent) this.#persistent = false
    this.keepAliveSeconds = parsed.keepAliveSeconds ?? this.keepAliveSeconds
    stream.handler.onHead(parsed.head, parsed.length)
    if (parsed.length !== 'unknown') return parsed.length
    return parsed.chunked ? 'chunked' : 'until-close'
  }

  onBody(piece: Uint8Array): void {
    this.#stream?.handler.onData(piece)
  }

  onMessageEnd(trailers: HeaderList | undefined): void {
    const stream = this.#stream
    if (stream === undefined) return
    stream.responseComplete = true
    stream.handler.onEnd(trailers)
  }

  onParseError(error: HttpParseError): void {
    this.#fail('protocol-error', error.message)
    this.close()
  }

  pauseBody(stream: Http1ClientStream): void {
    if (this.#stream !== stream || this.#paused) return
    this.#paused = true
    this.#parser.stop()
    this.connection.pause()
  }

  resumeBody(stream: Http1ClientStream): void {
    if (this.#stream !== stream) return
    this.#unpause()
    this.#settle()
  }

  requestDone(stream: Http1ClientStream): void {
    this.#output.flush()
    if (stream.tunnelling) this.connection.end()
    else this.#settle()
  }

  abandon(stream: Http1ClientStream): void {
    if (this.#stream !== stream) return
    this.#stream = undefined
    this.#closed = true
    this.connection.destroy(new Error('the request was given up'))
  }

  #fail(kind: StreamFailure['kind'], message: string): void {
    const stream = this.#stream
    this.#stream = undefined
    if (stream === undefined || stream.responseComplete) return
    stream.handler.onFailed({ kind, message, responseBegun: stream.responseBegun })
  }

  #unpause(): void {
    if (!this.#paused) return
    this.#paused = false
    this.connection.resume()
    this.#parser.start()
  }

  /** Once the response is complete and everything received has been looked at. */
  #settle(): void {
    const stream = this.#stream
    if (stream === undefined || !stream.responseComplete || this.#parser.running) return
    if (stream.tunnelling && !stream.requestComplete) return
    this.#stream = undefined
    // Whoever was to take the last of it may still be slow: that is no business of the next request.
    this.#unpause()
    if (this.#persistent && stream.requestComplete && this.#parser.complete && this.#parser.heldBytes === 0) {
      this.#parser.next()
      this.#events.onIdle()
      if (!this.#closed) this.#events.onCapacity()
    } else {
      this.close()
    }
  }
}

class Http1ClientStream implements ClientStream {
  readonly handler: ClientStreamHandler
  readonly method: string
  readonly upgrade: string | undefined
  requestComplete: boolean
  responseBegun = false
  responseComplete = false
  tunnelling = false
  interimResponses = 0
  readonly #host: Http1ClientConnection
  readonly #output: OutputBatch
  readonly #chunked: boolean
  #aborted = false

  constructor(
    host: Http1ClientConnection,
    output: OutputBatch,
    request: OutgoingRequest,
    handler: ClientStreamHandler,
  ) {
    this.#host = host
    this.#output = output
    this.handler = handler
    this.method = request.head.method
    this.upgrade = request.upgrade
    this.#chunked = request.length === 'unknown'
    this.requestComplete = request.length === 0 && request.upgrade === undefined
  }

  pause(): void {
    if (!this.#aborted) this.#host.pauseBody(this)
  }

  resume(): void {
    if (!this.#aborted) this.#host.resumeBody(this)
  }

  sendData(bytes: Uint8Array): boolean {
    if (this.#aborted || this.requestComplete || bytes.length === 0) return true
    if (this.#chunked) {
      this.#output.text(chunkStart(bytes.length))
      this.#output.bytes(bytes)
      this.#output.text('\r\n')
    } else {
      this.#output.bytes(bytes)
    }
    return !this.#output.blocked
  }

  sendEnd(trailers?: HeaderList): void {
    if (this.#aborted || this.requestComplete) return
    this.requestComplete = true
    if (this.#chunked) this.#output.text(lastChunk(trailers))
    this.#host.requestDone(this)
  }

  abort(): void {
    if (this.#aborted) return
    this.#aborted = true
    this.#host.abandon(this)
  }
}
