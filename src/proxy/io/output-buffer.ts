// Memory that messages are written into before they leave: one piece of it serves many messages, since most leave at once.

import { latin1Write } from '../../core/latin1.ts'

/** Smaller pieces are not worth having. */
const leastBytes = 16_384

export class OutputBuffer {
  bytes: Buffer = Buffer.allocUnsafeSlow(leastBytes)
  /** `bytes[0..used)` waits to be written. */
  used = 0

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    if (this.bytes.length - this.used >= count) return
    const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.used + count))
    grown.set(this.bytes.subarray(0, this.used))
    this.bytes = grown
  }

  /** `text` is Latin-1. */
  text(text: string): void {
    this.reserve(text.length)
    this.used += latin1Write(this.bytes, text, this.used)
  }

  /** Copies. */
  append(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.bytes.set(bytes, this.used)
    this.used += bytes.length
  }

  /** Everything was taken: the memory serves again. */
  clear(): void {
    this.used = 0
  }

  /** The memory is still being read from: it goes, other memory takes its place. */
  giveAway(): void {
    this.bytes = Buffer.allocUnsafeSlow(leastBytes)
    this.used = 0
  }
}
