// Push parser for the messages of one direction of an HTTP/1.1 connection: bytes in whatever pieces → heads, body pieces, ends.
import type { HeaderList } from '../../../core/header-list.ts'
import { CR, LF } from './characters.ts'
import { ChunkedReader } from './chunked.ts'
import { limits } from './limits.ts'
import { HttpParseError } from './parse-error.ts'

/** What follows a head: so many bytes, or one of these. `another-head`: it was an interim response. */
export type Framing = number | 'chunked' | 'until-close' | 'another-head'

export interface MessageHandler {
  /** Reads a head that begins at `start`; returns where it ends, or -1 when it goes on beyond `end`. Throws HttpParseError. */
  parseHead(bytes: Buffer, start: number, end: number): number
  /** The head that was just parsed counts; says what follows it. May throw HttpParseError. */
  onHead(): Framing
  /** `piece` is valid only during the call. */
  onBody(piece: Uint8Array): void
  onMessageEnd(trailers: HeaderList | undefined): void
  /** The parser is dead afterwards. */
  onParseError(error: HttpParseError): void
}

type State = 'head' | 'length' | 'chunked' | 'until-close' | 'complete' | 'dead'

export class MessageParser {
  readonly #handler: MessageHandler
  #state: State = 'head'
  /** Received and not yet parsed: an incomplete head, or what came while stopped. */
  #held: Buffer = empty
  /** Position in the head up to which line ends have been looked at, start of its present line, end of its first. */
  #scanned = 0
  #lineStart = 0
  #firstLineEnd = 0
  #left = 0
  #chunks: ChunkedReader | undefined
  #stopped = false
  #running = false

  constructor(handler: MessageHandler) {
    this.#handler = handler
  }

  /** Between messages with nothing read of the next one. */
  get idle(): boolean {
    return (this.#state === 'head' || this.#state === 'complete') && this.#held.length === 0
  }

  /** The present message is over; what follows waits for `next()`. */
  get complete(): boolean {
    return this.#state === 'complete'
  }

  get heldBytes(): number {
    return this.#held.length
  }

  push(bytes: Uint8Array): void {
    if (this.#state === 'dead') return
    if (this.#running || this.#waiting) {
      this.#hold(bytes)
      return
    }
    if (this.#held.length > 0) {
      this.#hold(bytes)
      this.#run(this.#takeHeld(), true)
    } else {
      this.#run(Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), false)
    }
  }

  /** Nothing more is delivered until `start`. What arrives is held. */
  stop(): void {
    this.#stopped = true
  }

  start(): void {
    this.#stopped = false
    this.#runHeld()
  }

  /** A push is under way: what it brings is not all delivered yet. */
  get running(): boolean {
    return this.#running
  }

  /** Goes on to the next message after a complete one. */
  next(): void {
    if (this.#state !== 'complete') return
    this.#state = 'head'
    this.#runHeld()
  }

  /** After a complete message that changed the protocol: the rest is opaque, and its pieces are the body of that message. */
  tunnel(): void {
    this.#state = 'until-close'
    this.#runHeld()
  }

  /** The peer ended its side. True when a message was cut short (RFC 9112 section 8). */
  finish(): boolean {
    if (this.#state === 'until-close') {
      this.#complete(undefined)
      return false
    }
    return this.#state === 'length' || this.#state === 'chunked' || (this.#state === 'head' && this.#held.length > 0)
  }

  /** Ends parsing and gives what was received but not parsed; not to be called while a push is running. */
  release(): Uint8Array {
    this.#state = 'dead'
    return this.#takeHeld()
  }

  get #waiting(): boolean {
    return this.#stopped || this.#state === 'complete'
  }

  #runHeld(): void {
    if (!this.#running && this.#held.length > 0 && !this.#waiting) this.#run(this.#takeHeld(), true)
  }

  #run(bytes: Buffer, owned: boolean): void {
    this.#running = true
    let at = 0
    try {
      while (at < bytes.length && !this.#waiting && this.#state !== 'dead') {
        const next = this.#step(bytes, at)
        if (next === at) break
        at = next
      }
    } catch (error) {
      if (!(error instanceof HttpParseError)) throw error
      this.#state = 'dead'
      this.#handler.onParseError(error)
    } finally {
      this.#running = false
    }
    if (at === bytes.length) return
    const rest = bytes.subarray(at)
    this.#held = owned ? rest : Buffer.from(rest)
  }

  /** Returns the new position; the same one when it needs more bytes. */
  #step(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case 'head':
        return this.#readHead(bytes, at)
      case 'length': {
        const end = Math.min(bytes.length, at + this.#left)
        this.#left -= end - at
        this.#handler.onBody(bytes.subarray(at, end))
        if (this.#left === 0 && this.#state === 'length') this.#complete(undefined)
        return end
      }
      case 'chunked': {
        const chunks = this.#chunks as ChunkedReader
        const end = chunks.read(bytes, at, this.#onPiece)
        if (chunks.done && this.#state === 'chunked') this.#complete(chunks.trailers)
        return end
      }
      case 'until-close':
        this.#handler.onBody(bytes.subarray(at))
        return bytes.length
      case 'complete':
      case 'dead':
      default:
        return at
    }
  }

  readonly #onPiece = (piece: Uint8Array): void => this.#handler.onBody(piece)

  #readHead(bytes: Buffer, start: number): number {
    const whole = this.#scanned === 0 && bytes[start] !== CR ? this.#parseWhole(bytes, start) : -1
    if (whole !== -1) {
      this.#enter(this.#handler.onHead())
      return whole
    }
    const end = this.#scanLines(bytes, start)
    if (end === start) return start
    this.#scanned = 0
    this.#lineStart = 0
    this.#firstLineEnd = 0
    // One empty line before a message is ignored (RFC 9112 section 2.2): it is what is left of an old client's CR LF after a body.
    if (end - start === 2) return end
    if (this.#handler.parseHead(bytes, start, end) === -1) throw new HttpParseError(400, 'a head without its lines')
    this.#enter(this.#handler.onHead())
    return end
  }

  /** The head as it mostly comes: all of it, in one piece. -1: it is not so, or is wrong, and is looked at line by line. */
  #parseWhole(bytes: Buffer, start: number): number {
    try {
      return this.#handler.parseHead(bytes, start, Math.min(bytes.length, start + wholeHeadBytes))
    } catch (error) {
      // The refusal is the same however the bytes were cut: a bare LF or a bound may have come before what was found.
      if (error instanceof HttpParseError) return -1
      throw error
    }
  }

  #enter(framing: Framing): void {
    if (this.#state !== 'head' || framing === 'another-head') return
    if (framing === 0) {
      this.#complete(undefined)
      return
    }
    if (typeof framing === 'number') {
      this.#left = framing
      this.#state = 'length'
      return
    }
    if (framing === 'chunked') this.#chunks = new ChunkedReader()
    this.#state = framing
  }

  /** Position after the empty line; `start` when it has not come yet. Bounds are checked in the order of the bytes. */
  #scanLines(bytes: Buffer, start: number): number {
    let lineStart = start + this.#lineStart
    for (let i = start + this.#scanned; i < bytes.length; i++) {
      if (bytes[i] !== LF) continue
      this.#checkBounds(i - start)
      if (i === lineStart || bytes[i - 1] !== CR) throw new HttpParseError(400, 'a line ends with a bare LF')
      if (i - lineStart === 1) return i + 1
      if (this.#firstLineEnd === 0) this.#firstLineEnd = i - start
      lineStart = i + 1
    }
    this.#checkBounds(bytes.length - start)
    this.#scanned = bytes.length - start
    this.#lineStart = lineStart - start
    return start
  }

  #checkBounds(headBytes: number): void {
    if (this.#firstLineEnd === 0 && headBytes > limits.requestLineBytes) {
      throw new HttpParseError(414, `the first line is longer than ${limits.requestLineBytes} bytes`)
    }
    if (headBytes > limits.headBytes) throw new HttpParseError(431, `the head is longer than ${limits.headBytes} bytes`)
  }

  #complete(trailers: HeaderList | undefined): void {
    this.#chunks = undefined
    this.#state = 'complete'
    this.#handler.onMessageEnd(trailers)
  }

  #hold(bytes: Uint8Array): void {
    this.#held = this.#held.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#held, bytes])
  }

  #takeHeld(): Buffer {
    const held = this.#held
    this.#held = empty
    return held
  }
}

const empty = Buffer.alloc(0)
/** Longer heads are rare enough to be looked at twice. */
const wholeHeadBytes = 16_384
