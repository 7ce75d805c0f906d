// What both ends of an HTTP/2 connection share: streams by id, settings, pings, how the connection ends and what ends it.
import type { Clock } from '../../../core/clock.ts'
import { errorMessage } from '../../../core/errors.ts'
import type { HeaderList } from '../../../core/header-list.ts'
import { readBegins, readEnds } from '../../../core/read-turn.ts'
import type { Connection, ConnectionHandler } from '../../io/connection.ts'
import { MovingDeadline } from '../../io/moving-deadline.ts'
import { ClosedStreams } from './closed-streams.ts'
import { FloodGuard } from './flood-guard.ts'
import { FrameReader } from './frame-reader.ts'
import { ConnectionError, errorCodes, leastMaxFrameBytes, protocolError } from './frames.ts'
import { HpackDecoder } from './hpack/decoder.ts'
import { HpackError } from './hpack/hpack-error.ts'
import { Inbound, type InboundOwner } from './inbound.ts'
import { limits } from './limits.ts'
import { MessageReader, type MessagePart } from './message-reader.ts'
import { Outbound } from './outbound.ts'
import { StreamTable } from './stream-table.ts'
import type { Http2Stream } from './stream.ts'

export interface KeepAlive {
  /** A PING is sent after so long without a word from the peer. */
  readonly intervalMs: number
  /** Without any word after it the connection is taken for dead. */
  readonly timeoutMs: number
}

export interface SessionOptions {
  readonly clock: Clock
  readonly keepAlive?: KeepAlive
  /** How long a stream may wait for a peer that takes nothing of it; minutes when absent. */
  readonly stallTimeoutMs?: number
}

/** What is read and thrown away after our last word, so that the peer gets to read it. */
const lingerBytes = 1_048_576
const lingerMs = 2_000
const defaultStallTimeoutMs = 300_000

export const settingIds = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  enableConnectProtocol: 8,
} as const

/** A block is read and made a message of in one go: one reader serves all connections. */
const sharedMessage = new MessageReader()

const keepAlivePing = Buffer.from('heddle-k', 'latin1')

export abstract class Http2Session<S extends Http2Stream> implements ConnectionHandler, InboundOwner {
  readonly connection: Connection
  readonly outbound: Outbound
  readonly inbound: Inbound
  /** The connection takes part in nothing any more; bytes that still come are thrown away. */
  stopped = false
  protected readonly clock: Clock
  protected readonly guard: FloodGuard
  protected readonly streams: StreamTable<S> = new StreamTable()
  protected readonly closedStreams: ClosedStreams = new ClosedStreams()
  protected readonly message: MessageReader = sharedMessage
  /** Idle, head, half-closed and linger times: whichever applies. */
  protected readonly deadline: MovingDeadline
  protected peerInitialWindow = 65_535
  protected peerMaxStreams = 100
  protected peerTakesConnectProtocol = false
  readonly #reader: FrameReader
  readonly #decoder = new HpackDecoder(limits.headerTableBytes)
  readonly #stall: MovingDeadline
  readonly #stallTimeoutMs: number
  #stallWatched = false
  #flushesAtLook = -1
  readonly #keepAlive: MovingDeadline | undefined
  readonly #keepAliveTimes: KeepAlive | undefined
  #heard = true
  #pinged = false
  #lingered = 0

  constructor(connection: Connection, options: SessionOptions) {
    this.connection = connection
    this.clock = options.clock
    this.guard = new FloodGuard(options.clock)
    this.outbound = new Outbound(connection, this.guard, () => this.#watchStall())
    this.inbound = new Inbound(this, this.outbound, this.guard)
    this.#reader = new FrameReader(this.inbound)
    this.deadline = new MovingDeadline(options.clock, () => {
      if (this.stopped) this.connection.destroy()
      else this.expired()
    })
    this.#stallTimeoutMs = options.stallTimeoutMs ?? defaultStallTimeoutMs
    this.#stall = new MovingDeadline(options.clock, () => this.#lookForStalled())
    this.#keepAliveTimes = options.keepAlive
    if (options.keepAlive !== undefined) {
      this.#keepAlive = new MovingDeadline(options.clock, () => this.#checkAlive())
      this.#keepAlive.set(options.keepAlive.intervalMs)
    }
  }

  /** Id of the last stream that the peer opened and this side looked at. */
  protected abstract get lastPeerStreamId(): number
  protected abstract expired(): void
  /** Something was no acceptable HTTP/2. */
  protected abstract refused(reason: string): void
  protected abstract connectionClosed(): void
  /** A stream has left `streams`. */
  protected abstract streamGone(): void
  abstract isIdle(id: number): boolean
  abstract blockBegun(): void
  abstract block(id: number, bytes: Buffer, start: number, end: number, endStream: boolean): void
  abstract peerReset(stream: Http2Stream, code: number): void
  abstract goaway(lastStreamId: number, code: number, reason: string): void
  abstract onEnd(): void

  onData(bytes: Uint8Array): void {
    if (this.stopped) {
      this.#lingered += bytes.length
      if (this.#lingered > lingerBytes) this.connection.destroy()
      return
    }
    this.#heard = true
    this.read(bytes)
    if (this.outbound.backlogged && !this.stopped) {
      this.refused('the peer does not read what it asks for')
      this.connection.destroy(new Error('the peer does not read what it asks for'))
    }
  }

  /** Frames, from here on. */
  protected read(bytes: Uint8Array): void {
    readBegins()
    try {
      this.#reader.push(bytes)
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error
      this.fail(error.code, error.message)
    } finally {
      readEnds()
    }
  }

  onDrain(): void {
    this.outbound.unblock()
  }

  onClose(error: Error | undefined): void {
    this.stopped = true
    this.deadline.cancel()
    this.#stall.cancel()
    this.#keepAlive?.cancel()
    this.#failAll('reset', error === undefined ? 'the peer closed the connection' : `connection lost: ${error.message}`)
    this.connectionClosed()
  }

  streamOf(id: number): S | undefined {
    return this.streams.get(id)
  }

  /** Nothing goes on: a GOAWAY says why, and the connection ends. */
  fail(code: number, reason: string): void {
    if (this.stopped) return
    this.refused(reason)
    this.finish(code, reason)
    this.#failAll('protocol-error', reason)
  }

  /** The last word of this side. */
  protected finish(code: number, reason: string): void {
    this.stopped = true
    this.outbound.goaway(this.lastPeerStreamId, code, reason)
    this.outbound.flush()
    this.#stall.clear()
    this.connection.end()
    this.deadline.set(lingerMs)
  }

  #failAll(kind: 'reset' | 'protocol-error', message: string): void {
    for (const stream of this.streams.list()) {
      this.streams.delete(stream)
      this.outbound.forget(stream)
      this.inbound.forget(stream)
      if (!stream.over) stream.failed(kind, message)
    }
  }

  /** Gives a stream up: the peer hears `code`. The stream itself hears nothing. */
  abandon(stream: Http2Stream, code: number): void {
    if (!this.#forget(stream)) return
    this.outbound.reset(stream.id, code)
    this.closedStreams.add(stream.id, true)
    this.streamGone()
  }

  /** Both directions are complete. */
  complete(stream: Http2Stream): void {
    if (!this.streams.delete(stream as S)) return
    this.closedStreams.add(stream.id, false)
    this.guard.completed++
    this.streamGone()
  }

  defect(streamId: number, error: unknown): void {
    this.refused(`a defect of the proxy: ${errorMessage(error)}`)
    const stream = this.streams.get(streamId)
    if (stream === undefined) return
    this.abandon(stream, errorCodes.internalError)
    if (stream.over) return
    try {
      stream.failed('reset', `a defect of the proxy: ${errorMessage(error)}`)
    } catch {
      // It is the one that has it: told once.
    }
  }

  /** The peer has done something to the stream that ends it. */
  breakStream(stream: Http2Stream, code: number, reason: string): void {
    this.abandon(stream, code)
    if (!stream.over) stream.failed('protocol-error', reason)
    this.guard.reset()
  }

  /** The peer has reset it, or says that it will never look at it. */
  protected lose(stream: Http2Stream, kind: 'reset' | 'refused', message: string): void {
    if (!this.#forget(stream)) return
    this.closedStreams.add(stream.id, false)
    if (!stream.over) stream.failed(kind, message)
    this.streamGone()
  }

  #forget(stream: Http2Stream): boolean {
    if (!this.streams.delete(stream as S)) return false
    this.outbound.forget(stream)
    this.inbound.forget(stream)
    return true
  }

  dataOnClosed(id: number): void {
    if (this.closedStreams.find(id) === 'reset-here') return
    this.guard.idleFrame()
    this.outbound.reset(id, errorCodes.streamClosed)
  }

  dataEnd(stream: Http2Stream): void {
    this.remoteEnd(stream, undefined)
  }

  protected remoteEnd(stream: Http2Stream, trailers: HeaderList | undefined): void {
    if (stream.receiveLeft > 0) {
      this.breakStream(stream, errorCodes.protocolError, 'less DATA than content-length')
      return
    }
    stream.remoteEnded = true
    stream.heldTrailers = trailers
    if (stream.localEnded) this.complete(stream)
    if (stream.held !== undefined || stream.delivering || stream.paused) return
    stream.endDelivered = true
    stream.receivedEnd(trailers)
  }

  /** Every block is decoded, whatever becomes of it: the table must stay the peer's. */
  protected decode(part: MessagePart, bytes: Buffer, start: number, end: number): void {
    this.message.begin(part)
    try {
      this.#decoder.decode(bytes, start, end, this.message)
    } catch (error) {
      if (!(error instanceof HpackError)) throw error
      throw new ConnectionError(errorCodes.compressionError, error.message)
    }
  }

  /** A second header block of a stream: its trailers. */
  protected trailers(stream: Http2Stream, endStream: boolean): void {
    const { message } = this
    const trailers = message.takeHeaders()
    if (stream.remoteEnded) this.breakStream(stream, errorCodes.streamClosed, 'HEADERS after the end of the stream')
    else if (!endStream) this.breakStream(stream, errorCodes.protocolError, 'trailers that do not end the stream')
    else if (message.problem !== undefined) this.breakStream(stream, errorCodes.protocolError, message.problem)
    else if (message.refusal !== 0) this.breakStream(stream, errorCodes.protocolError, 'the trailers are too large')
    else this.remoteEnd(stream, trailers.size === 0 ? undefined : trailers)
  }

  setting(id: number, value: number): void {
    switch (id) {
      case settingIds.headerTableSize:
        this.outbound.encoder.allowTable(value)
        return
      case settingIds.enablePush:
        if (value > 1) protocolError('ENABLE_PUSH is neither 0 nor 1')
        return
      case settingIds.maxConcurrentStreams:
        this.peerMaxStreams = value
        return
      case settingIds.initialWindowSize:
        if (value > 0x7fffffff)
          throw new ConnectionError(errorCodes.flowControlError, 'INITIAL_WINDOW_SIZE is too large')
        this.#moveWindows(value - this.peerInitialWindow)
        this.peerInitialWindow = value
        return
      case settingIds.maxFrameSize:
        if (value < leastMaxFrameBytes || value > 0xffffff) protocolError('MAX_FRAME_SIZE is out of range')
        return
      case settingIds.enableConnectProtocol:
        if (value > 1) protocolError('ENABLE_CONNECT_PROTOCOL is neither 0 nor 1')
        this.peerTakesConnectProtocol = value === 1
        return
      default:
    }
  }

  settingsDone(): void {}

  pong(_payload: Uint8Array): void {
    this.#pinged = false
  }

  #moveWindows(by: number): void {
    for (const stream of this.streams.list()) {
      stream.sendWindow += by
      if (stream.sendWindow > 0x7fffffff)
        throw new ConnectionError(errorCodes.flowControlError, 'the window of a stream overflows')
      if (by > 0) this.outbound.windowOpened(stream)
    }
  }

  #watchStall(): void {
    if (this.#stallWatched || this.stopped) return
    this.#stallWatched = true
    this.#stall.set(this.#stallTimeoutMs)
  }

  /** Whatever has waited since the last look without a byte of it being sent has waited long enough. */
  #lookForStalled(): void {
    this.#stallWatched = false
    if (this.outbound.blocked && this.outbound.flushes === this.#flushesAtLook) {
      this.refused('the peer has not read for too long')
      this.connection.destroy(new Error('the peer has not read for too long'))
      return
    }
    this.#flushesAtLook = this.outbound.blocked ? this.outbound.flushes : -1
    let waiting = this.outbound.blocked
    for (const stream of this.streams.list()) {
      if (stream.queue === undefined) continue
      if (stream.progressed) {
        stream.progressed = false
        waiting = true
      } else {
        this.refused('a stream got no window for too long')
        this.abandon(stream, errorCodes.cancel)
        stream.failed('reset', 'the peer gave the stream no window for too long')
      }
    }
    if (waiting) this.#watchStall()
  }

  #checkAlive(): void {
    const times = this.#keepAliveTimes as KeepAlive
    if (this.#heard || !this.#pinged) {
      this.#pinged = !this.#heard
      if (this.#pinged) this.outbound.ping(keepAlivePing, 0)
      this.#keepAlive?.set(this.#pinged ? times.timeoutMs : times.intervalMs)
      this.#heard = false
      return
    }
    this.connection.destroy(new Error('the peer does not answer'))
  }
}
