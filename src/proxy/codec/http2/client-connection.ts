// The client's end of an HTTP/2 connection: many requests at once.
import type { Connection } from '../../io/connection.ts'
import type {
  BodyLength,
  ClientConnection,
  ClientConnectionEvents,
  ClientStream,
  ClientStreamHandler,
  OutgoingRequest,
} from '../http-stream.ts'
import { Http2ClientStream } from './client-stream.ts'
import { clientPreface, errorCodes, protocolError } from './frames.ts'
import { limits } from './limits.ts'
import { Http2Session, type SessionOptions, settingIds } from './session.ts'
import { addWebSocketAccept } from './websocket-handshake.ts'

/** What one peer has said on other connections. */
export interface PeerLimits {
  /** So many streams at once: what a new one may begin with before it hears (RFC 9113 section 3.4). */
  streams: number
  /** It is pinged so many times less often: it has complained. */
  calm: number
}

export type Http2ClientOptions = SessionOptions & ClientConnectionEvents & { readonly limit?: PeerLimits }

export class Http2ClientConnection extends Http2Session<Http2ClientStream> implements ClientConnection {
  readonly protocol = 'HTTP/2'
  readonly keepAliveSeconds = undefined
  requestsSent = 0
  readonly #events: Http2ClientOptions
  #nextId = 1
  /** No more requests: the peer said so, or ids run out. */
  #draining = false
  /** `capacity` was 0 when it was last looked at. */
  #full = false
  #settled = false
  /** Extended CONNECTs that wait to hear whether the peer takes them. */
  #waiting: Http2ClientStream[] = []

  constructor(connection: Connection, options: Http2ClientOptions) {
    super(connection, options)
    this.#events = options
    this.outbound.output.append(clientPreface)
    this.outbound.settings([
      [settingIds.headerTableSize, limits.headerTableBytes],
      [settingIds.enablePush, 0],
      [settingIds.initialWindowSize, limits.streamWindowBytes],
      [settingIds.maxHeaderListSize, limits.headBytes],
    ])
    this.outbound.windowUpdate(0, limits.connectionWindowBytes - 65_535)
    connection.handler = this
  }

  get closed(): boolean {
    return this.stopped || this.connection.closed
  }

  get openRequests(): number {
    return this.streams.size + this.#waiting.length
  }

  get capacity(): number {
    if (this.#draining || this.closed) return 0
    const most = this.#settled ? this.peerMaxStreams : (this.#events.limit?.streams ?? this.peerMaxStreams)
    return Math.max(0, most - this.streams.size - this.#waiting.length)
  }

  send(request: OutgoingRequest, handler: ClientStreamHandler): ClientStream {
    const stream = new Http2ClientStream(this, this.peerInitialWindow, request, handler)
    if (this.closed) {
      queueMicrotask(() => stream.failed('refused', 'the connection is about to close'))
      return stream
    }
    this.requestsSent++
    if (request.upgrade !== undefined && !this.#settled) this.#waiting.push(stream)
    else if (request.upgrade !== undefined && !this.peerTakesConnectProtocol)
      queueMicrotask(() => refuseUpgrade(stream))
    else this.#open(stream)
    if (this.capacity === 0) this.#full = true
    return stream
  }

  close(): void {
    if (this.stopped) return
    this.finish(errorCodes.noError, '')
    this.connection.destroy()
  }

  withdraw(stream: Http2ClientStream): void {
    this.#waiting = this.#waiting.filter((one) => one !== stream)
    this.#offer()
    if (this.openRequests === 0) this.#events.onIdle()
  }

  #open(stream: Http2ClientStream): void {
    const { head, length, upgrade } = stream.request
    const id = this.#nextId
    this.#nextId += 2
    stream.id = id
    stream.sendWindow = this.peerInitialWindow
    this.streams.add(stream)
    const { outbound } = this
    const { output, encoder } = outbound
    const start = outbound.beginHeaders()
    encoder.method(output, upgrade === undefined ? head.method : 'CONNECT')
    if (upgrade !== undefined) encoder.pseudo(output, ':protocol', upgrade.toLowerCase())
    if (head.method !== 'CONNECT') {
      encoder.scheme(output, head.scheme)
      encoder.path(output, head.path)
    }
    encoder.authority(output, head.authority)
    encoder.fields(output, head.headers, length === 'unknown' || stream.opaque ? 'none' : length)
    const complete = length === 0 && !stream.opaque
    if (complete) stream.localEnded = true
    outbound.endHeaders(stream, start, complete)
    this.guard.useful++
    if (this.#nextId > limits.lastStreamId && !this.#draining) {
      this.#draining = true
      queueMicrotask(() => this.#events.onCapacity())
    }
  }

  onEnd(): void {
    this.connection.destroy(this.streams.size > 0 ? new Error('the upstream closed the connection') : undefined)
  }

  isIdle(id: number): boolean {
    return (id & 1) === 0 || id >= this.#nextId
  }

  /** The server opens none. */
  protected get lastPeerStreamId(): number {
    return 0
  }

  blockBegun(): void {}

  block(id: number, bytes: Buffer, start: number, end: number, endStream: boolean): void {
    const stream = this.streams.get(id)
    const part = stream?.headReceived === true ? 'trailers' : 'response'
    this.decode(part, bytes, start, end)
    if (stream === undefined) {
      if (this.isIdle(id)) protocolError('a response that nobody asked for')
      if (this.closedStreams.find(id) !== 'reset-here') this.outbound.reset(id, errorCodes.streamClosed)
    } else if (part === 'trailers') {
      this.trailers(stream, endStream)
    } else {
      stream.responseBegun = true
      this.#response(stream, endStream)
    }
  }

  #response(stream: Http2ClientStream, endStream: boolean): void {
    const { message } = this
    const headers = message.takeHeaders()
    const { status } = message
    if (status === 0) message.problem ??= ':status is missing'
    if (status === 101 || (status < 200 && endStream)) message.problem ??= `status ${status} does not belong here`
    if (message.refusal !== 0) message.problem ??= 'the head of the response is too large'
    if (message.problem !== undefined) {
      this.breakStream(stream, errorCodes.protocolError, message.problem)
      return
    }
    if (status < 200) {
      stream.handler.onInformational({ status, headers })
      return
    }
    if (stream.opaque && status < 300) {
      stream.tunnelling = true
      const { head, upgrade } = stream.request
      if (upgrade !== undefined) addWebSocketAccept(head.headers, headers)
      stream.head({ status: upgrade === undefined ? status : 101, headers }, 'unknown')
    } else {
      const length = this.#bodyLength(stream, status, endStream)
      if (typeof length === 'number' && length > 0 && endStream) {
        this.breakStream(stream, errorCodes.protocolError, 'content-length without a body')
        return
      }
      if (length !== 'unknown') stream.receiveLeft = length
      stream.head({ status, headers }, endStream ? 0 : length)
      // The offer was declined: it was an ordinary request without a body.
      if (stream.opaque && !stream.over) stream.sendEnd()
    }
    if (endStream && !stream.over) this.remoteEnd(stream, undefined)
  }

  #bodyLength(stream: Http2ClientStream, status: number, endStream: boolean): BodyLength {
    if (stream.request.head.method === 'HEAD' || status === 204 || status === 304) return 0
    return this.message.contentLength ?? (endStream ? 0 : 'unknown')
  }

  override settingsDone(): void {
    this.#settled = true
    const { limit } = this.#events
    // A peer that takes none for now is asked for one all the same, or one would open connections for ever.
    if (limit !== undefined) limit.streams = Math.max(1, this.peerMaxStreams)
    const waiting = this.#waiting
    this.#waiting = []
    for (const stream of waiting) {
      if (this.peerTakesConnectProtocol) this.#open(stream)
      else refuseUpgrade(stream)
    }
    if (this.capacity === 0) this.#full = true
    else this.#offer()
  }

  override setting(id: number, value: number): void {
    if (id === settingIds.enablePush && value !== 0) protocolError('a server that allows itself to push')
    super.setting(id, value)
  }

  peerReset(stream: Http2ClientStream, code: number): void {
    if (stream.remoteEnded) {
      // The response is whole: it is only the rest of the request that is not wanted.
      stream.localEnded = true
      this.outbound.forget(stream)
      this.complete(stream)
      return
    }
    const refused = code === errorCodes.refusedStream
    this.lose(stream, refused ? 'refused' : 'reset', `the upstream reset the stream (error ${code})`)
  }

  goaway(lastStreamId: number, code: number, reason: string): void {
    const began = !this.#draining
    const { limit, keepAlive } = this.#events
    if (code === errorCodes.enhanceYourCalm && limit !== undefined && keepAlive !== undefined) limit.calm *= 2
    this.#draining = true
    const why = reason === '' ? `error ${code}` : `error ${code}: ${reason}`
    for (const stream of this.streams.list())
      if (stream.id > lastStreamId) this.lose(stream, 'refused', `the upstream goes away (${why})`)
    for (const stream of this.#waiting.splice(0)) stream.failed('refused', `the upstream goes away (${why})`)
    if (began) this.#events.onCapacity()
    this.#endWhenDone()
  }

  protected streamGone(): void {
    this.#offer()
    this.#endWhenDone()
    if (this.openRequests === 0) this.#events.onIdle()
  }

  #endWhenDone(): void {
    if (this.#draining && this.streams.size === 0 && !this.stopped) this.finish(errorCodes.noError, '')
  }

  /** Says so when there is room again. */
  #offer(): void {
    if (!this.#full || this.capacity === 0) return
    this.#full = false
    this.#events.onCapacity()
  }

  protected expired(): void {}

  protected refused(): void {}

  protected connectionClosed(): void {
    for (const stream of this.#waiting.splice(0)) stream.failed('reset', 'the upstream closed the connection')
    this.#events.onClosed()
  }
}

function refuseUpgrade(stream: Http2ClientStream): void {
  stream.failed('protocol-error', 'the upstream speaks HTTP/2 without extended CONNECT (RFC 8441)')
}
