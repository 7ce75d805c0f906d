// Takes the chunked transfer coding apart (RFC 9112 section 7.1), strictly: one way to read every body.
import type { HeaderList } from '../../../core/header-list.ts'
import { CR, hexValue, isFieldText, LF, SEMICOLON } from './characters.ts'
import { parseTrailers } from './fields.ts'
import { limits } from './limits.ts'
import { badMessage, HttpParseError } from './parse-error.ts'

const SIZE = 0
const EXTENSION = 1
const SIZE_LF = 2
const DATA = 3
const DATA_CR = 4
const DATA_LF = 5
const TRAILERS = 6
const DONE = 7

/** Largest chunk size read: 12 hexadecimal digits, well inside a double. */
const maxSizeDigits = 12

export class ChunkedReader {
  #state = SIZE
  #digits = 0
  /** Of the chunk, still to come. */
  #left = 0
  #lineBytes = 0
  #trailerBytes: number[] = []
  #lineStart = 0
  trailers: HeaderList | undefined

  get done(): boolean {
    return this.#state === DONE
  }

  /** Consumes from `at`: returns after each piece of data so that the caller may stop, and at the body's end. */
  read(bytes: Uint8Array, at: number, onData: (piece: Uint8Array) => void): number {
    while (at < bytes.length && this.#state !== DONE) {
      if (this.#state === DATA) {
        const end = Math.min(bytes.length, at + this.#left)
        this.#left -= end - at
        if (this.#left === 0) this.#state = DATA_CR
        onData(bytes.subarray(at, end))
        return end
      }
      this.#take(bytes[at++] as number)
    }
    return at
  }

  #take(byte: number): void {
    switch (this.#state) {
      case SIZE:
        this.#takeSize(byte)
        return
      case EXTENSION:
        if (byte === CR) this.#state = SIZE_LF
        else if (isFieldText[byte] !== 1) badMessage('a chunk extension holds a control character')
        else if (++this.#lineBytes > limits.chunkLineBytes) badMessage('a chunk extension is too long')
        return
      case SIZE_LF:
        if (byte !== LF) badMessage('a chunk size is not followed by CR LF')
        this.#state = this.#left === 0 ? TRAILERS : DATA
        return
      case DATA_CR:
        if (byte !== CR) badMessage('a chunk is longer than its size')
        this.#state = DATA_LF
        return
      case DATA_LF:
        if (byte !== LF) badMessage('a chunk is longer than its size')
        this.#state = SIZE
        this.#digits = 0
        this.#lineBytes = 0
        return
      default:
        this.#takeTrailer(byte)
    }
  }

  #takeSize(byte: number): void {
    const digit = hexValue[byte] as number
    if (digit !== 255) {
      if (++this.#digits > maxSizeDigits) badMessage('a chunk size is too large')
      this.#left = this.#left * 16 + digit
      return
    }
    if (this.#digits === 0) badMessage('a chunk size is not a hexadecimal number')
    if (byte === CR) this.#state = SIZE_LF
    else if (byte === SEMICOLON) this.#state = EXTENSION
    else badMessage('a chunk size is not a hexadecimal number')
  }

  #takeTrailer(byte: number): void {
    const held = this.#trailerBytes
    held.push(byte)
    if (held.length > limits.trailerBytes) throw new HttpParseError(431, 'the trailers are too long')
    if (byte !== LF) return
    if (held.at(-2) !== CR) badMessage('a line ends with a bare LF')
    if (held.length - this.#lineStart > 2) {
      this.#lineStart = held.length
      return
    }
    if (held.length > 2) {
      this.trailers = parseTrailers(Buffer.from(held))
    }
    this.#state = DONE
  }
}
