// Cuts received bytes into frames. Only a frame that is not complete yet is copied.
import { errorCodes, ConnectionError, frameHeaderBytes, leastMaxFrameBytes, readUint24, readUint31 } from './frames.ts'

export interface FrameSink {
  /** `bytes[start..end)` is the payload, valid during the call. Throws ConnectionError. */
  frame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void
  /** Nothing more is wanted. */
  readonly stopped: boolean
}

export class FrameReader {
  readonly #sink: FrameSink
  /** Start of a frame whose rest has not come. */
  #held: Buffer | undefined
  #heldBytes = 0

  constructor(sink: FrameSink) {
    this.#sink = sink
  }

  push(received: Uint8Array): void {
    const bytes = Buffer.isBuffer(received)
      ? received
      : Buffer.from(received.buffer, received.byteOffset, received.length)
    let at = this.#heldBytes === 0 ? 0 : this.#complete(bytes)
    const end = bytes.length
    while (end - at >= frameHeaderBytes && !this.#sink.stopped) {
      const length = frameLength(bytes, at)
      if (end - at < frameHeaderBytes + length) break
      this.#emit(bytes, at, length)
      at += frameHeaderBytes + length
    }
    if (at < end && !this.#sink.stopped) this.#hold(bytes, at, end)
  }

  /** Adds to the held frame what belongs to it; returns where the next one starts. */
  #complete(bytes: Buffer): number {
    let at = 0
    if (this.#heldBytes < frameHeaderBytes) {
      at = Math.min(frameHeaderBytes - this.#heldBytes, bytes.length)
      this.#hold(bytes, 0, at)
      if (this.#heldBytes < frameHeaderBytes) return at
    }
    const held = this.#held as Buffer
    const length = frameLength(held, 0)
    const taken = Math.min(frameHeaderBytes + length - this.#heldBytes, bytes.length - at)
    this.#hold(bytes, at, at + taken)
    if (this.#heldBytes === frameHeaderBytes + length) {
      const whole = this.#held as Buffer
      // Another frame may be held while this one is looked at.
      this.#held = undefined
      this.#heldBytes = 0
      this.#emit(whole, 0, length)
    }
    return at + taken
  }

  #hold(bytes: Buffer, from: number, to: number): void {
    const needed = this.#heldBytes + to - from
    if (this.#held === undefined || this.#held.length < needed) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#wholeBytes(bytes, from, to)))
      this.#held?.copy(grown, 0, 0, this.#heldBytes)
      this.#held = grown
    }
    bytes.copy(this.#held, this.#heldBytes, from, to)
    this.#heldBytes = needed
  }

  /** Of the frame that is held, or starts at `from`; 0 while its length has not come. */
  #wholeBytes(bytes: Buffer, from: number, to: number): number {
    if (this.#heldBytes >= frameHeaderBytes) return frameHeaderBytes + frameLength(this.#held as Buffer, 0)
    return this.#heldBytes === 0 && to - from >= frameHeaderBytes ? frameHeaderBytes + frameLength(bytes, from) : 0
  }

  #emit(bytes: Buffer, at: number, length: number): void {
    const start = at + frameHeaderBytes
    this.#sink.frame(
      bytes[at + 3] as number,
      bytes[at + 4] as number,
      readUint31(bytes, at + 5),
      bytes,
      start,
      start + length,
    )
  }
}

function frameLength(bytes: Uint8Array, at: number): number {
  const length = readUint24(bytes, at)
  if (length > leastMaxFrameBytes)
    throw new ConnectionError(errorCodes.frameSizeError, `a frame is larger than was allowed: ${length} bytes`)
  return length
}
