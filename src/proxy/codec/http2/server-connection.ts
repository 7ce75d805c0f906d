// The server's end of an HTTP/2 connection: requests come out side by side, each as a ServerStream.
import { HeaderList } from '../../../core/header-list.ts'
import type { Connection } from '../../io/connection.ts'
import { MovingDeadline } from '../../io/moving-deadline.ts'
import type { ServerConnection } from '../http-stream.ts'
import type { ServerConnectionOptions } from '../http1/server-connection.ts'
import { ConnectionError, clientPreface, errorCodes, mostStreamId, protocolError } from './frames.ts'
import { limits } from './limits.ts'
import { Http2ServerStream } from './server-stream.ts'
import { Http2Session, type KeepAlive, settingIds } from './session.ts'
import { Http2Stream } from './stream.ts'

export interface Http2ServerOptions extends ServerConnectionOptions {
  readonly keepAlive?: KeepAlive
  readonly stallTimeoutMs?: number
}

const drainPing = Buffer.from('heddle-d', 'latin1')
/** A caller that ended its side may still wait for answers; one that went away looks the same. */
const halfClosedMs = 2_000
/** A caller that gives up sooner than this did not wait for an answer. Later it may have, and the bound on open requests bounds what it costs. */
const rapidResetMs = 250

export class Http2ServerConnection extends Http2Session<Http2ServerStream> implements ServerConnection {
  readonly #options: Http2ServerOptions
  readonly #drainDeadline: MovingDeadline
  #prefaceLeft = clientPreface.length
  #lastId = 0
  #draining: 'no' | 'announced' | 'last' = 'no'
  #peerEnded = false
  /** When bytes came last. */
  #readMs = 0

  constructor(connection: Connection, options: Http2ServerOptions) {
    super(connection, options)
    this.#options = options
    this.#drainDeadline = new MovingDeadline(options.clock, () => this.#drainFully())
  }

  /** `head` is what detection has read. */
  start(head: Uint8Array): void {
    this.outbound.settings([
      [settingIds.headerTableSize, limits.headerTableBytes],
      [settingIds.maxConcurrentStreams, limits.concurrentStreams],
      [settingIds.initialWindowSize, limits.streamWindowBytes],
      [settingIds.maxHeaderListSize, limits.headBytes],
      [settingIds.enableConnectProtocol, 1],
    ])
    this.outbound.windowUpdate(0, limits.connectionWindowBytes - 65_535)
    this.deadline.set(this.#options.headTimeoutMs)
    this.connection.handler = this
    if (head.length > 0) this.onData(head)
  }

  /** Requests already on their way are still taken (RFC 9113 section 6.8); then it ends when the open ones are done. */
  drain(graceMs: number): void {
    if (this.#draining !== 'no' || this.stopped) return
    this.#draining = 'announced'
    this.outbound.goaway(mostStreamId, errorCodes.noError, 'draining')
    // What the peer sent before it heard of it comes before the answer to this.
    this.outbound.ping(drainPing, 0)
    this.#drainDeadline.set(graceMs)
  }

  openStreams(): readonly Http2ServerStream[] {
    return this.streams.list()
  }

  override pong(payload: Uint8Array): void {
    super.pong(payload)
    if (this.#draining === 'announced' && drainPing.equals(payload)) this.#drainFully()
  }

  #drainFully(): void {
    this.#drainDeadline.cancel()
    if (this.#draining === 'last' || this.stopped) return
    this.#draining = 'last'
    if (this.streams.size > 0) this.outbound.goaway(this.#lastId, errorCodes.noError, 'draining')
    else this.finish(errorCodes.noError, 'draining')
  }

  protected override read(bytes: Uint8Array): void {
    this.#readMs = this.clock.monotonicMs()
    let at = 0
    while (this.#prefaceLeft > 0 && at < bytes.length) {
      if (bytes[at++] !== clientPreface[clientPreface.length - this.#prefaceLeft]) {
        this.fail(errorCodes.protocolError, 'the connection does not start with the preface of HTTP/2')
        return
      }
      if (--this.#prefaceLeft === 0) this.deadline.set(this.#options.idleTimeoutMs)
    }
    if (at < bytes.length) super.read(at === 0 ? bytes : bytes.subarray(at))
  }

  onEnd(): void {
    if (this.stopped) {
      this.connection.destroy()
      return
    }
    this.#peerEnded = true
    for (const stream of this.streams.list()) {
      if (!stream.remoteEnded) this.lose(stream, 'reset', 'the caller ended in the middle of its request')
    }
    if (this.streams.size === 0) this.finish(errorCodes.noError, '')
    else this.deadline.set(halfClosedMs)
  }

  isIdle(id: number): boolean {
    return (id & 1) === 0 || id > this.#lastId
  }

  protected get lastPeerStreamId(): number {
    return this.#lastId
  }

  blockBegun(): void {
    this.deadline.set(this.#options.headTimeoutMs)
  }

  block(id: number, bytes: Buffer, start: number, end: number, endStream: boolean): void {
    const stream = this.streams.get(id)
    this.#awaitNext()
    if (stream !== undefined) {
      this.decode('trailers', bytes, start, end)
      this.trailers(stream, endStream)
      return
    }
    this.decode('request', bytes, start, end)
    if ((id & 1) === 0) protocolError('a request on a stream with an even id')
    if (id <= this.#lastId) {
      const closed = this.closedStreams.find(id)
      if (closed === 'reset-here') return
      if (closed === 'closed') throw new ConnectionError(errorCodes.streamClosed, 'HEADERS on a closed stream')
      protocolError('ids of streams go backwards')
    }
    this.#lastId = id
    if (this.#draining === 'last') {
      this.#refuse(id, errorCodes.refusedStream)
      return
    }
    if (this.streams.size >= limits.concurrentStreams) {
      this.refused('more requests at once than were allowed')
      this.#refuse(id, errorCodes.refusedStream)
      this.guard.reset()
      return
    }
    this.#request(id, endStream)
  }

  #refuse(id: number, code: number): void {
    this.outbound.reset(id, code)
    this.closedStreams.add(id, true)
  }

  #request(id: number, endStream: boolean): void {
    const { message } = this
    const headers = message.takeHeaders()
    message.finishRequest()
    const { method = '', path = '', authority = '', scheme, protocol, contentLength } = message
    if (endStream && contentLength !== undefined && contentLength > 0)
      message.problem ??= 'content-length without a body'
    if (message.problem !== undefined) {
      this.refused(message.problem)
      this.#refuse(id, errorCodes.protocolError)
      this.guard.reset()
      return
    }
    if (message.refusal !== 0) {
      this.refused(refusalReasons[message.refusal])
      this.#answer(id, message.refusal, endStream)
      return
    }
    const opaque = method === 'CONNECT'
    const stream = new Http2ServerStream(this, id, this.peerInitialWindow, {
      head: {
        method: protocol === undefined ? method : 'GET',
        scheme: scheme === 'https' ? 'https' : 'http',
        authority,
        path,
        headers,
      },
      length: endStream || opaque ? 0 : (contentLength ?? 'unknown'),
      upgrade: protocol === undefined ? undefined : 'websocket',
      expectsContinue: message.expectsContinue && !endStream,
      openedMs: this.#readMs,
    })
    if (contentLength !== undefined && !opaque) stream.receiveLeft = contentLength
    stream.remoteEnded = endStream
    this.streams.add(stream)
    this.deadline.clear()
    this.#endWithCertificate()
    this.#options.onStream(stream)
    if (stream.over) return
    // The head is the whole request, as in HTTP/1.1; what comes later is no part of it.
    if (stream.opaque) stream.handler.onEnd(undefined)
    else if (endStream && !stream.paused && !stream.endDelivered) {
      stream.endDelivered = true
      stream.receivedEnd(undefined)
    }
  }

  /** A whole answer of the codec's own. */
  #answer(id: number, status: number, endStream: boolean): void {
    const { outbound } = this
    const start = outbound.beginHeaders()
    outbound.encoder.status(outbound.output, status)
    outbound.encoder.fields(outbound.output, ownAnswerHeaders, 'none')
    outbound.endHeaders(new AnsweredStream(id, 0), start, true)
    if (endStream) this.closedStreams.add(id, false)
    else this.#refuse(id, errorCodes.noError)
    this.guard.reset()
  }

  /** What the peer's certificate allowed ends with it. */
  #endWithCertificate(): void {
    const notAfterMs = this.connection.tls?.notAfterMs
    if (notAfterMs !== undefined && notAfterMs <= this.clock.nowMs()) this.drain(0)
  }

  peerReset(stream: Http2ServerStream, code: number): void {
    this.lose(stream, 'reset', `the caller reset the stream (error ${code})`)
    if (this.#readMs - stream.openedMs < rapidResetMs) this.guard.reset()
  }

  goaway(): void {}

  protected streamGone(): void {
    if (this.streams.size > 0 || this.stopped) return
    if (this.#draining === 'last' || this.#peerEnded) this.finish(errorCodes.noError, 'draining')
    else this.#awaitNext()
  }

  #awaitNext(): void {
    if (this.streams.size === 0) this.deadline.set(this.#options.idleTimeoutMs)
    else if (!this.#peerEnded) this.deadline.clear()
  }

  protected expired(): void {
    if (this.#peerEnded) {
      this.connection.destroy(new Error('the caller ended its side'))
      return
    }
    if (this.#prefaceLeft > 0 || this.inbound.blockOpen) {
      this.fail(errorCodes.enhanceYourCalm, 'the request head took too long')
      return
    }
    this.finish(errorCodes.noError, 'idle')
  }

  protected refused(reason: string): void {
    this.#options.onRefused(reason)
  }

  protected connectionClosed(): void {
    this.#drainDeadline.cancel()
    this.#options.onClosed()
  }
}

const refusalReasons = {
  414: 'the request target is too long',
  417: 'an expectation other than 100-continue',
  431: 'the header lines are too large',
  501: 'an extended CONNECT for another protocol than websocket',
} as const

const ownAnswerHeaders = HeaderList.of(['server', 'heddle'])

/** Holds the id of a request that the codec answers by itself. */
class AnsweredStream extends Http2Stream {
  received(): void {}
  receivedEnd(): void {}
  drained(): void {}
  sent(): void {}
  failed(): void {}
}
