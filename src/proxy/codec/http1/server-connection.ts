// The server's end of an HTTP/1.1 connection: requests come out one after the other, each as a ServerStream.
import type { Clock } from '../../../core/clock.ts'
import type { HeaderList } from '../../../core/header-list.ts'
import { readBegins, readEnds } from '../../../core/read-turn.ts'
import type { Connection, ConnectionHandler } from '../../io/connection.ts'
import { MovingDeadline } from '../../io/moving-deadline.ts'
import type { ServerStream } from '../http-stream.ts'
import { type ParsedRequest, parseRequestHead } from './message-head.ts'
import { type Framing, type MessageHandler, MessageParser } from './message-parser.ts'
import { OutputBatch } from './output-batch.ts'
import type { HttpParseError } from './parse-error.ts'
import { refusalText } from './refusal.ts'
import { Http1ServerStream, type StreamHost } from './server-stream.ts'

export interface ServerConnectionOptions {
  readonly clock: Clock
  /** How long a connection may stay without a request. */
  readonly idleTimeoutMs: number
  /** How long one head may take. */
  readonly headTimeoutMs: number
  /** Sets the stream's handler before it returns. */
  onStream(stream: ServerStream): void
  /** The bytes were no acceptable request; the answer is on its way. */
  onRefused(reason: string): void
  /** The connection is closed. Not called after `takeOver`. */
  onClosed(): void
}

/** What is read and thrown away after our last word, so that the peer gets to read it (RFC 9112 section 9.6). */
const lingerBytes = 1_048_576
const lingerMs = 2_000
/** A caller that ended its side may still wait for the answer; one that went away looks the same. */
const halfClosedMs = 2_000
/** How long a caller may take nothing of an answer that is complete on this side. */
const stallMs = 300_000

export class Http1ServerConnection implements ConnectionHandler, MessageHandler, StreamHost {
  readonly connection: Connection
  readonly output: OutputBatch
  readonly #options: ServerConnectionOptions
  readonly #parser: MessageParser
  readonly #deadline: MovingDeadline
  #parsed: ParsedRequest | undefined
  #stream: Http1ServerStream | undefined
  /** Set once it drains. */
  #drainGraceMs: number | undefined
  #bodyPaused = false
  #readingPaused = false
  /** Bytes thrown away after our last word; -1 before. */
  #lingered = -1
  #takenOver = false
  #peerEnded = false
  /** It was given time to read our last word. */
  #stalled = false

  constructor(connection: Connection, options: ServerConnectionOptions) {
    this.connection = connection
    this.output = new OutputBatch(connection)
    this.#options = options
    this.#parser = new MessageParser(this)
    this.#deadline = new MovingDeadline(options.clock, () => this.#expired())
  }

  /** `head` is what detection has read. */
  start(head: Uint8Array): void {
    this.#deadline.set(this.#options.headTimeoutMs)
    this.connection.handler = this
    if (head.length > 0) this.onData(head)
  }

  /** The next response is the last. An idle connection ends after `graceMs`, for a request that is already on its way. */
  drain(graceMs: number): void {
    if (this.#drainGraceMs !== undefined) return
    this.#drainGraceMs = graceMs
    if (this.#stream === undefined && this.#lingered < 0) this.#deadline.set(graceMs)
  }

  openStreams(): readonly ServerStream[] {
    return this.#stream === undefined ? [] : [this.#stream]
  }

  onData(bytes: Uint8Array): void {
    if (this.#lingered >= 0) {
      this.#lingered += bytes.length
      if (this.#lingered > lingerBytes) this.connection.destroy()
      return
    }
    const wasIdle = this.#stream === undefined && this.#parser.idle
    readBegins()
    try {
      this.#parser.push(bytes)
      if (wasIdle && this.#stream === undefined && !this.#parser.idle) this.#deadline.set(this.#options.headTimeoutMs)
      this.#settle()
    } finally {
      readEnds()
    }
  }

  onEnd(): void {
    if (this.#lingered >= 0) {
      this.connection.destroy()
      return
    }
    this.#peerEnded = true
    const cutShort = this.#parser.finish()
    if (this.#stream === undefined) this.connection.end()
    else if (cutShort) this.connection.destroy(new Error('the caller ended in the middle of its request'))
    else if (!this.#stream.tunnelling) this.#deadline.set(halfClosedMs)
  }

  onClose(error: Error | undefined): void {
    this.#deadline.cancel()
    const stream = this.#stream
    this.#stream = undefined
    stream?.closed(error ?? new Error('the caller closed the connection'))
    this.#options.onClosed()
  }

  onDrain(): void {
    this.output.unblock()
    if (this.#stalled) this.#deadline.set(lingerMs)
    this.#stream?.handler.onDrain()
  }

  parseHead(bytes: Buffer, start: number, end: number): number {
    this.#parsed = parseRequestHead(bytes, start, end)
    return this.#parsed?.end ?? -1
  }

  onHead(): Framing {
    const request = this.#parsed as ParsedRequest
    this.#parsed = undefined
    if (this.#peerEnded) this.#deadline.set(halfClosedMs)
    else this.#deadline.clear()
    const stream = new Http1ServerStream(this, request)
    // Without a body the request is complete before anybody answers it.
    stream.requestComplete = request.length === 0
    this.#stream = stream
    this.#options.onStream(stream)
    return request.length === 'unknown' ? 'chunked' : request.length
  }

  onBody(piece: Uint8Array): void {
    this.#stream?.handler.onData(piece)
  }

  onMessageEnd(trailers: HeaderList | undefined): void {
    const stream = this.#stream
    if (stream === undefined) return
    stream.requestComplete = true
    stream.handler.onEnd(trailers)
  }

  onParseError(error: HttpParseError): void {
    const stream = this.#stream
    this.#stream = undefined
    const answered = stream?.headSent === true
    if (stream === undefined) this.#options.onRefused(error.message)
    else stream.closed(error)
    if (answered) {
      this.connection.destroy(error)
      return
    }
    this.output.text(refusalText(error.status, error.message))
    this.#linger()
  }

  get ending(): boolean {
    const notAfterMs = this.connection.tls?.notAfterMs
    return (
      this.#drainGraceMs !== undefined ||
      this.#lastHeard ||
      (notAfterMs !== undefined && notAfterMs <= this.#options.clock.nowMs())
    )
  }

  pauseBody(): void {
    this.#bodyPaused = true
    this.#parser.stop()
    this.#syncReading()
  }

  resumeBody(): void {
    if (!this.#bodyPaused) return
    this.#bodyPaused = false
    this.#parser.start()
    this.#settle()
  }

  responseDone(): void {
    this.output.flush()
    this.#settle()
  }

  becomeTunnel(): void {
    this.output.flush()
    this.#parser.tunnel()
    this.#syncReading()
  }

  takeOver(): Uint8Array {
    this.output.flush()
    this.#takenOver = true
    this.#stream = undefined
    this.#deadline.cancel()
    if (this.#readingPaused) this.connection.resume()
    return this.#parser.release()
  }

  /** The peer has ended its side, and nothing of what it sent waits to be read. */
  get #lastHeard(): boolean {
    return this.#peerEnded && this.#parser.heldBytes === 0
  }

  /** After everything that may have ended an exchange: goes on to the next one, or ends the connection. */
  #settle(): void {
    if (this.#parser.running) return
    while (this.#stream?.responseComplete === true) {
      const stream = this.#stream
      if (stream.tunnelling) {
        this.connection.end()
        break
      }
      this.#stream = undefined
      stream.closed(undefined)
      if (!stream.persistent || !stream.requestComplete || this.#lastHeard) {
        this.#linger()
        return
      }
      this.#resetBodyPause()
      this.#deadline.set(this.#drainGraceMs ?? (this.output.blocked ? stallMs : this.#options.idleTimeoutMs))
      this.#parser.next()
      // A next request of which the peer has not sent all never comes.
      if (this.#peerEnded && this.#stream === undefined) {
        this.#linger()
        return
      }
    }
    if (this.#peerEnded && !this.#bodyPaused && this.#stream?.requestComplete === false) {
      this.connection.destroy(new Error('the caller ended in the middle of its request'))
      return
    }
    this.#syncReading()
  }

  #resetBodyPause(): void {
    if (!this.#bodyPaused) return
    this.#bodyPaused = false
    this.#parser.start()
  }

  #syncReading(): void {
    if (this.#takenOver) return
    const pause = this.#stream !== undefined && (this.#bodyPaused || this.#parser.heldBytes > 0)
    if (pause === this.#readingPaused) return
    this.#readingPaused = pause
    if (pause) this.connection.pause()
    else this.connection.resume()
  }

  #linger(): void {
    this.#lingered = 0
    this.output.flush()
    this.connection.end()
    if (this.#readingPaused) this.connection.resume()
    this.#readingPaused = false
    this.#deadline.set(lingerMs)
  }

  #expired(): void {
    // A TLS peer that ended its side has gone, and what waits to be written to it may never be told that it failed.
    const gone = this.#peerEnded && this.connection.tls !== undefined
    const unread = this.output.blocked && !gone && (this.#lingered >= 0 || this.#drainGraceMs === undefined)
    if (this.#stream !== undefined) this.connection.destroy(new Error('the caller ended its side'))
    else if (unread && this.#lingered >= 0 && !this.#stalled) {
      // The end of our last answer is still here.
      this.#stalled = true
      this.#deadline.set(stallMs)
    } else if (unread) {
      this.#options.onRefused('the peer has not read for too long')
      this.connection.destroy(new Error('the peer has not read for too long'))
    } else if (this.#lingered >= 0) this.connection.destroy()
    else {
      if (!this.#parser.idle) {
        this.#options.onRefused('the request head took too long')
        this.output.text(refusalText(408, 'the request head took too long'))
      }
      this.#linger()
    }
  }
}
