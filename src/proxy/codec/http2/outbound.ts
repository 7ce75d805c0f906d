// The sending half of a connection: frames gather in one buffer and leave once a turn; DATA waits for windows, stream by stream in turns.
import type { HeaderList } from '../../../core/header-list.ts'
import { atTurnEnd, type TurnEndTask } from '../../../core/turn-end.ts'
import type { Connection } from '../../io/connection.ts'
import { OutputBuffer } from '../../io/output-buffer.ts'
import type { FloodGuard } from './flood-guard.ts'
import {
  frameFlags,
  frameHeaderBytes,
  frameTypes,
  leastMaxFrameBytes,
  mostStreamId,
  writeFrameHeader,
  writeUint32,
} from './frames.ts'
import { HpackEncoder } from './hpack/encoder.ts'
import { limits } from './limits.ts'
import type { Http2Stream } from './stream.ts'

/** A connection needs memory to write to from the first frame of a turn to the flush: idle ones hold none. */
const spareOutputs: OutputBuffer[] = []
const mostSpareOutputs = 64
const largestSpareOutput = 262_144

/** Pieces of one stream that wait; a caller that sends byte by byte would fill memory with their headers. */
const mostQueuedPieces = 256

export class Outbound implements TurnEndTask {
  readonly encoder: HpackEncoder = new HpackEncoder()
  /** What the peer takes at present on the whole connection. */
  sendWindow = 65_535
  readonly #connection: Connection
  readonly #guard: FloodGuard
  readonly #onQueued: () => void
  /** Streams with data and a window for it, in the order of their turns. */
  readonly #ready = new Set<Http2Stream>()
  #output: OutputBuffer | undefined
  #flushes = 0
  #scheduled = false
  #blocked = false

  /** `onQueued`: something waits for a window or the connection, which it may not do for ever. */
  constructor(connection: Connection, guard: FloodGuard, onQueued: () => void) {
    this.#connection = connection
    this.#guard = guard
    this.#onQueued = onQueued
  }

  get flushes(): number {
    return this.#flushes
  }

  get blocked(): boolean {
    return this.#blocked
  }

  /** The peer makes this side answer and does not read it. */
  get backlogged(): boolean {
    return this.#blocked && this.#output !== undefined && this.#output.used > limits.backlogBytes
  }

  get output(): OutputBuffer {
    return (this.#output ??= spareOutputs.pop() ?? new OutputBuffer())
  }

  atTurnEnd(): void {
    this.#scheduled = false
    this.flush()
  }

  flush(): void {
    const output = this.#output
    if (this.#blocked || output === undefined || output.used === 0) return
    this.#flushes++
    this.#output = undefined
    if (!this.#connection.writeFrom(output)) this.#blocked = true
    if (spareOutputs.length < mostSpareOutputs && output.bytes.length <= largestSpareOutput) spareOutputs.push(output)
  }

  /** The connection takes again. */
  unblock(): void {
    this.#blocked = false
    this.pump()
    this.flush()
  }

  /** Starts a HEADERS frame: the block is written to `output` next, then comes `endHeaders` with the result. */
  beginHeaders(): number {
    const start = this.output.used
    this.output.reserve(512)
    this.output.used = start + frameHeaderBytes
    this.encoder.begin(this.output)
    return start
  }

  endHeaders(stream: Http2Stream, start: number, endStream: boolean): void {
    const { output } = this
    const length = output.used - start - frameHeaderBytes
    const flags = endStream ? frameFlags.endStream : 0
    if (length <= leastMaxFrameBytes) {
      writeFrameHeader(output.bytes, start, length, frameTypes.headers, flags | frameFlags.endHeaders, stream.id)
    } else {
      this.#split(stream.id, start, flags)
    }
    stream.frameAt = start
    stream.frameFlush = this.#flushes
    this.#schedule()
  }

  /** Copies. False: wait until the stream is told that it has drained. */
  sendData(stream: Http2Stream, bytes: Uint8Array): boolean {
    let rest = bytes
    if (stream.queue === undefined && !this.#blocked) {
      const sent = this.#write(stream, bytes)
      if (sent === bytes.length) return true
      rest = bytes.subarray(sent)
    }
    if (stream.queue === undefined) this.#onQueued()
    const queue = (stream.queue ??= [])
    queue.push(Buffer.from(rest))
    stream.queuedBytes += rest.length
    if (stream.sendWindow > 0) this.#ready.add(stream)
    if (stream.queuedBytes < limits.queueHighBytes && queue.length < mostQueuedPieces) return true
    stream.wantsDrain = true
    return false
  }

  /** After what waits. */
  sendEnd(stream: Http2Stream, trailers: HeaderList | undefined): void {
    if (stream.queue !== undefined) {
      stream.endQueued = true
      stream.queuedTrailers = trailers
      return
    }
    if (trailers !== undefined && trailers.size > 0) {
      const start = this.beginHeaders()
      this.encoder.fields(this.output, trailers, 'none')
      this.endHeaders(stream, start, true)
    } else if (stream.frameFlush === this.#flushes) {
      // The stream's last frame has not left yet: it can still say so.
      const flagsAt = stream.frameAt + 4
      this.output.bytes[flagsAt] = (this.output.bytes[flagsAt] as number) | frameFlags.endStream
    } else {
      this.#frame(0, frameTypes.data, frameFlags.endStream, stream.id)
    }
    stream.localEnded = true
    stream.sent()
  }

  /** The peer has opened the stream's window. */
  windowOpened(stream: Http2Stream): void {
    if (stream.queue === undefined || stream.sendWindow <= 0) return
    this.#ready.add(stream)
    this.pump()
  }

  /** Sends what waits as far as windows and the connection take it, a frame of each stream at a time. */
  pump(): void {
    for (const stream of this.#ready) {
      if (this.#blocked || this.sendWindow <= 0) return
      this.#ready.delete(stream)
      this.#pumpFrame(stream)
    }
  }

  /** Nothing of this stream is sent any more. */
  forget(stream: Http2Stream): void {
    this.#ready.delete(stream)
    stream.queue = undefined
    stream.queuedBytes = 0
  }

  settings(pairs: readonly (readonly [id: number, value: number])[]): void {
    const at = this.#frame(pairs.length * 6, frameTypes.settings, 0, 0)
    const { bytes } = this.output
    pairs.forEach(([id, value], index) => {
      bytes[at + index * 6] = id >>> 8
      bytes[at + index * 6 + 1] = id
      writeUint32(bytes, at + index * 6 + 2, value)
    })
  }

  settingsAck(): void {
    this.#frame(0, frameTypes.settings, frameFlags.ack, 0)
  }

  /** `payload` has eight bytes. */
  ping(payload: Uint8Array, flags: number): void {
    const at = this.#frame(8, frameTypes.ping, flags, 0)
    this.output.bytes.set(payload, at)
  }

  windowUpdate(streamId: number, bytes: number): void {
    const at = this.#frame(4, frameTypes.windowUpdate, 0, streamId)
    writeUint32(this.output.bytes, at, bytes)
  }

  reset(streamId: number, code: number): void {
    const at = this.#frame(4, frameTypes.rstStream, 0, streamId)
    writeUint32(this.output.bytes, at, code)
  }

  goaway(lastStreamId: number, code: number, reason: string): void {
    const text = Buffer.from(reason, 'latin1')
    const at = this.#frame(8 + text.length, frameTypes.goaway, 0, 0)
    writeUint32(this.output.bytes, at, lastStreamId & mostStreamId)
    writeUint32(this.output.bytes, at + 4, code)
    this.output.bytes.set(text, at + 8)
  }

  /** Room for a frame with its header; returns where its payload goes. */
  #frame(length: number, type: number, flags: number, streamId: number): number {
    const { output } = this
    output.reserve(frameHeaderBytes + length)
    const start = output.used
    writeFrameHeader(output.bytes, start, length, type, flags, streamId)
    output.used = start + frameHeaderBytes + length
    this.#schedule()
    return start + frameHeaderBytes
  }

  /** Returns how many of `bytes` went out. */
  #write(stream: Http2Stream, bytes: Uint8Array): number {
    let sent = 0
    if (bytes.length > leastMaxFrameBytes) this.output.reserve(Math.min(bytes.length, limits.batchBytes) + 64)
    while (sent < bytes.length && !this.#blocked) {
      const size = Math.min(bytes.length - sent, leastMaxFrameBytes, stream.sendWindow, this.sendWindow)
      if (size <= 0) break
      this.#dataFrame(stream, bytes, sent, size)
      sent += size
    }
    return sent
  }

  #dataFrame(stream: Http2Stream, bytes: Uint8Array, from: number, size: number): void {
    const start = this.#frame(size, frameTypes.data, 0, stream.id)
    this.output.bytes.set(size === bytes.length ? bytes : bytes.subarray(from, from + size), start)
    stream.frameAt = start - frameHeaderBytes
    stream.frameFlush = this.#flushes
    stream.sendWindow -= size
    stream.progressed = true
    this.sendWindow -= size
    this.#guard.useful++
    if (this.output.used >= limits.batchBytes) this.flush()
  }

  #pumpFrame(stream: Http2Stream): void {
    const { queue } = stream
    if (queue === undefined) return
    const piece = queue[0] as Uint8Array
    const size = Math.min(piece.length, leastMaxFrameBytes, stream.sendWindow, this.sendWindow)
    // SETTINGS may have taken the window back.
    if (size <= 0) return
    this.#dataFrame(stream, piece, 0, size)
    if (size === piece.length) queue.shift()
    else queue[0] = piece.subarray(size)
    stream.queuedBytes -= size
    if (queue.length > 0) {
      if (stream.sendWindow > 0) this.#ready.add(stream)
    } else {
      stream.queue = undefined
      if (stream.endQueued) {
        this.sendEnd(stream, stream.queuedTrailers)
        return
      }
    }
    if (stream.wantsDrain && stream.queuedBytes <= limits.queueLowBytes) {
      stream.wantsDrain = false
      stream.drained()
    }
  }

  /** A block too large for one frame goes on in CONTINUATION frames. */
  #split(streamId: number, start: number, flags: number): void {
    const { output } = this
    const block = Buffer.from(output.bytes.subarray(start + frameHeaderBytes, output.used))
    output.used = start
    for (let at = 0; at < block.length; at += leastMaxFrameBytes) {
      const piece = block.subarray(at, at + leastMaxFrameBytes)
      const last = at + leastMaxFrameBytes >= block.length ? frameFlags.endHeaders : 0
      const type = at === 0 ? frameTypes.headers : frameTypes.continuation
      output.bytes.set(piece, this.#frame(piece.length, type, at === 0 ? flags | last : last, streamId))
    }
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    atTurnEnd(this)
  }
}
