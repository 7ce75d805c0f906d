// A request's way back to the caller on which the response's body is compressed, as it comes.
import type { Transform } from 'node:stream'
import { constants, createBrotliCompress, createGzip, createZstdCompress } from 'node:zlib'

import type { ResponseHead } from '../../contracts/http-message.ts'
import type { HeaderList } from '../../core/header-list.ts'
import type { Coding, Compressor } from '../../policies/compression/compression.runtime.ts'
import type { BodyLength, ServerStream } from '../codec/http-stream.ts'
import { OuterStream } from './outer-stream.ts'

export interface CompressedOwner {
  /** The exchange is over, and all of it has gone. */
  finish(): void
  /** There is room again. */
  compressedDrained(): void
}

/** Each has up to a megabyte. */
export class CompressionSlots {
  #left: number

  constructor(most: number) {
    this.#left = most
  }

  take(): boolean {
    if (this.#left === 0) return false
    this.#left--
    return true
  }

  release(): void {
    this.#left++
  }
}

export interface ResponseCompression {
  /** The first that takes it compresses a response. */
  readonly compressors: readonly Compressor[]
  readonly slots: CompressionSlots
}

export class CompressedStream extends OuterStream {
  readonly #compressors: readonly Compressor[]
  readonly #slots: CompressionSlots
  readonly #owner: CompressedOwner
  /** Undefined: the body goes as it is. */
  #coder: Coder | undefined
  #waiting = 0
  /** Nothing more comes. */
  #ended = false
  /** The exchange is over as soon as what is in work has gone. */
  #finishing = false
  #cancelled = false

  constructor(inner: ServerStream, { compressors, slots }: ResponseCompression, owner: CompressedOwner) {
    super(inner)
    this.#compressors = compressors
    this.#slots = slots
    this.#owner = owner
  }

  override sendHead(head: ResponseHead, length: BodyLength): void {
    const coding = this.#slots.take() ? this.#choose(head, length) : undefined
    if (coding === undefined) {
      this.inner.sendHead(head, length)
      return
    }
    this.inner.sendHead(head, 'unknown')
    const coder = (this.#coder = createCoder(coding))
    coder.stream.on('data', (bytes: Buffer) => {
      if (!this.inner.sendData(bytes)) coder.stream.pause()
    })
    coder.stream.on('drain', () => this.#owner.compressedDrained())
    coder.stream.on('error', (error) => this.abort(error))
  }

  #choose(head: ResponseHead, length: BodyLength): Coding | undefined {
    for (const compressor of this.#compressors) {
      const coding = compressor.choose(this.request, head, length)
      if (coding !== undefined) return coding
    }
    this.#slots.release()
    return undefined
  }

  sendData(bytes: Uint8Array): boolean {
    const coder = this.#coder
    if (this.#cancelled) return true
    if (coder === undefined) return this.inner.sendData(bytes)
    this.#waiting++
    return coder.stream.write(Buffer.from(bytes), () => {
      // whoever waits for an event gets it, and not only once there are enough of them
      if (--this.#waiting === 0 && !this.#ended) coder.flush()
    })
  }

  sendEnd(trailers?: HeaderList): void {
    const coder = this.#coder
    if (this.#cancelled) return
    if (coder === undefined) {
      this.inner.sendEnd(trailers)
      return
    }
    this.#ended = true
    coder.stream.once('end', () => {
      this.#close()
      this.inner.sendEnd(trailers)
      if (this.#finishing) this.#owner.finish()
    })
    coder.stream.end()
  }

  abort(error: Error): void {
    this.cancel()
    this.inner.abort(error)
  }

  callerDrained(): void {
    if (this.#coder === undefined) this.#owner.compressedDrained()
    else this.#coder.stream.resume()
  }

  finish(): void {
    this.#finishing = true
    if (this.#coder === undefined) this.#owner.finish()
  }

  /** Nothing more goes. */
  cancel(): void {
    const stream = this.#coder?.stream
    this.#cancelled = true
    this.#close()
    stream?.removeAllListeners('data')
    stream?.destroy()
  }

  #close(): void {
    if (this.#coder === undefined) return
    this.#coder = undefined
    this.#slots.release()
  }
}

interface Coder {
  readonly stream: Transform
  /** Has everything go that was written. */
  readonly flush: () => void
}

/** 256 KiB of what came before is looked back at: more costs memory for every response, and text gains little by it. */
const windowBits = 18

function createCoder({ coding, level }: Coding): Coder {
  switch (coding) {
    case 'br': {
      const stream = createBrotliCompress({
        params: { [constants.BROTLI_PARAM_QUALITY]: level, [constants.BROTLI_PARAM_LGWIN]: windowBits },
      })
      return { stream, flush: () => stream.flush(constants.BROTLI_OPERATION_FLUSH) }
    }
    case 'zstd': {
      const stream = createZstdCompress({
        params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_windowLog]: windowBits },
      })
      return { stream, flush: () => stream.flush(constants.ZSTD_e_flush) }
    }
    case 'gzip':
    default: {
      const stream = createGzip({ level })
      return { stream, flush: () => stream.flush(constants.Z_SYNC_FLUSH) }
    }
  }
}
