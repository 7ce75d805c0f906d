// The receiving half of a connection: frames checked against RFC 9113 section 6, header blocks put together, windows kept.
import type { FloodGuard } from './flood-guard.ts'
import type { FrameSink } from './frame-reader.ts'
import {
  ConnectionError,
  errorCodes,
  frameFlags,
  frameSizeError,
  frameTypes,
  protocolError,
  readUint31,
  readUint32,
} from './frames.ts'
import { limits } from './limits.ts'
import type { Outbound } from './outbound.ts'
import type { Http2Stream } from './stream.ts'

/** What frames mean to the connection. */
export interface InboundOwner {
  readonly stopped: boolean
  streamOf(id: number): Http2Stream | undefined
  /** No stream of that id has been opened yet. */
  isIdle(id: number): boolean
  /** A header block that goes on. */
  blockBegun(): void
  block(id: number, bytes: Buffer, start: number, end: number, endStream: boolean): void
  /** DATA or HEADERS on a stream that is not open. */
  dataOnClosed(id: number): void
  dataEnd(stream: Http2Stream): void
  breakStream(stream: Http2Stream, code: number, reason: string): void
  peerReset(stream: Http2Stream, code: number): void
  setting(id: number, value: number): void
  /** Something threw that is no fault of the peer. */
  defect(streamId: number, error: unknown): void
  settingsDone(): void
  pong(payload: Uint8Array): void
  goaway(lastStreamId: number, code: number, reason: string): void
}

export class Inbound implements FrameSink {
  readonly #owner: InboundOwner
  readonly #outbound: Outbound
  readonly #guard: FloodGuard
  #settingsSeen = false
  /** Header block that CONTINUATION frames go on with; 0: none. */
  #blockStream = 0
  #blockEndsStream = false
  #blockPieces: Buffer[] = []
  #blockBytes = 0
  #connectionWindow: number = limits.connectionWindowBytes
  #unacknowledged = 0
  /** Of all streams, waiting for whoever reads them. */
  #heldBytes = 0

  constructor(owner: InboundOwner, outbound: Outbound, guard: FloodGuard) {
    this.#owner = owner
    this.#outbound = outbound
    this.#guard = guard
  }

  /** A header block has begun and not ended. */
  get blockOpen(): boolean {
    return this.#blockStream !== 0
  }

  get stopped(): boolean {
    return this.#owner.stopped
  }

  frame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    try {
      this.#frame(type, flags, streamId, bytes, start, end)
    } catch (error) {
      if (error instanceof ConnectionError) throw error
      // A defect of whoever is behind the stream: it must not stop the frames of the others.
      this.#owner.defect(streamId, error)
    }
  }

  #frame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (this.#blockStream !== 0 && (type !== frameTypes.continuation || streamId !== this.#blockStream))
      protocolError('a header block is interrupted')
    if (!this.#settingsSeen) {
      if (type !== frameTypes.settings || (flags & frameFlags.ack) !== 0)
        protocolError('the first frame is not SETTINGS')
      this.#settingsSeen = true
    }
    switch (type) {
      case frameTypes.data:
        this.#data(flags, streamId, bytes, start, end)
        return
      case frameTypes.headers:
        this.#headers(flags, streamId, bytes, start, end)
        return
      case frameTypes.priority:
        this.#guard.idleFrame()
        if (streamId === 0) protocolError('PRIORITY on stream 0')
        if (end - start !== 5) frameSizeError('a PRIORITY frame is not 5 bytes long')
        return
      case frameTypes.rstStream:
        this.#rstStream(streamId, bytes, start, end)
        return
      case frameTypes.settings:
        this.#settings(flags, streamId, bytes, start, end)
        return
      case frameTypes.pushPromise:
        protocolError('PUSH_PROMISE, which was not allowed')
        return
      case frameTypes.ping:
        this.#ping(flags, streamId, bytes, start, end)
        return
      case frameTypes.goaway:
        if (streamId !== 0) protocolError('GOAWAY on a stream')
        if (end - start < 8) frameSizeError('a GOAWAY frame is shorter than 8 bytes')
        this.#owner.goaway(
          readUint31(bytes, start),
          readUint32(bytes, start + 4),
          bytes.toString('latin1', start + 8, Math.min(end, start + 200)).replace(/[^\x20-\x7e]/g, '?'),
        )
        return
      case frameTypes.windowUpdate:
        this.#windowUpdate(streamId, bytes, start, end)
        return
      case frameTypes.continuation:
        this.#continuation(flags, bytes, start, end)
        return
      default:
        // RFC 9113 section 5.5: unknown frames mean nothing.
        this.#guard.idleFrame()
    }
  }

  /** Whoever reads the stream takes no more for now. */
  pause(stream: Http2Stream): void {
    stream.paused = true
  }

  resume(stream: Http2Stream): void {
    if (!stream.paused) return
    stream.paused = false
    if (!stream.delivering) this.#deliverHeld(stream)
  }

  /** What is held of the stream is wanted no more. */
  forget(stream: Http2Stream): void {
    if (stream.held === undefined) return
    this.#released(stream.heldBytes)
    stream.held = undefined
    stream.heldBytes = 0
  }

  #data(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id === 0) protocolError('DATA on stream 0')
    const size = end - start
    let [from, to] = [start, end]
    if ((flags & frameFlags.padded) !== 0) {
      if (size === 0) frameSizeError('a padded frame without its length of padding')
      const padding = bytes[from++] as number
      if (padding > to - from) protocolError('more padding than frame')
      to -= padding
    }
    this.#account(size)
    const endStream = (flags & frameFlags.endStream) !== 0
    if (to === from && !endStream) this.#guard.idleFrame()
    else this.#guard.useful++
    const stream = this.#owner.streamOf(id)
    if (stream === undefined) {
      if (this.#owner.isIdle(id)) protocolError('DATA on a stream that is not open')
      this.#owner.dataOnClosed(id)
      return
    }
    if (stream.remoteEnded) {
      this.#owner.breakStream(stream, errorCodes.streamClosed, 'DATA after the end of the stream')
      return
    }
    if (!stream.headReceived) {
      this.#owner.breakStream(stream, errorCodes.protocolError, 'DATA before the head')
      return
    }
    stream.receiveWindow -= size
    if (stream.receiveWindow < 0) {
      this.#owner.breakStream(stream, errorCodes.flowControlError, 'more DATA than the window of the stream')
      return
    }
    if (stream.receiveLeft !== -1 && to - from > stream.receiveLeft) {
      this.#owner.breakStream(stream, errorCodes.protocolError, 'more DATA than content-length')
      return
    }
    if (stream.receiveLeft !== -1) stream.receiveLeft -= to - from
    stream.consumedBytes += size - (to - from)
    if (to > from) this.#take(stream, bytes.subarray(from, to))
    if (endStream && !stream.over) this.#owner.dataEnd(stream)
    else this.#credit(stream)
  }

  #take(stream: Http2Stream, bytes: Buffer): void {
    if (stream.paused || stream.held !== undefined || stream.delivering) {
      const held = (stream.held ??= [])
      held.push(Buffer.from(bytes))
      stream.heldBytes += bytes.length
      this.#heldBytes += bytes.length
      return
    }
    stream.consumedBytes += bytes.length
    stream.delivering = true
    stream.received(bytes)
    stream.delivering = false
    // Paused and resumed from within.
    if (stream.held !== undefined && !stream.paused) this.#deliverHeld(stream)
  }

  #deliverHeld(stream: Http2Stream): void {
    while (stream.held !== undefined && !stream.paused) {
      const piece = stream.held.shift()
      if (piece === undefined) {
        stream.held = undefined
        break
      }
      stream.heldBytes -= piece.length
      stream.consumedBytes += piece.length
      this.#released(piece.length)
      stream.delivering = true
      stream.received(piece)
      stream.delivering = false
    }
    if (stream.over || stream.paused) return
    if (stream.held !== undefined && stream.held.length === 0) stream.held = undefined
    if (stream.held === undefined && stream.remoteEnded && !stream.endDelivered) {
      stream.endDelivered = true
      stream.receivedEnd(stream.heldTrailers)
    } else {
      this.#credit(stream)
    }
  }

  /** The connection's window is given back at once, so that a stream which nobody reads stops no other, unless far too much is held. */
  #account(size: number): void {
    this.#connectionWindow -= size
    if (this.#connectionWindow < 0)
      throw new ConnectionError(errorCodes.flowControlError, 'more DATA than the window of the connection')
    this.#unacknowledged += size
    this.#acknowledge()
  }

  #acknowledge(): void {
    if (this.#unacknowledged < limits.connectionWindowBytes >> 1 || this.#heldBytes > limits.heldBytes) return
    this.#outbound.windowUpdate(0, this.#unacknowledged)
    this.#connectionWindow += this.#unacknowledged
    this.#unacknowledged = 0
  }

  #released(bytes: number): void {
    this.#heldBytes -= bytes
    this.#acknowledge()
  }

  #credit(stream: Http2Stream): void {
    if (stream.consumedBytes < limits.streamWindowBytes >> 1 || stream.paused || stream.remoteEnded || stream.over)
      return
    this.#outbound.windowUpdate(stream.id, stream.consumedBytes)
    stream.receiveWindow += stream.consumedBytes
    stream.consumedBytes = 0
  }

  #headers(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id === 0) protocolError('HEADERS on stream 0')
    let [from, to] = [start, end]
    if ((flags & frameFlags.padded) !== 0) {
      if (to === from) frameSizeError('a padded frame without its length of padding')
      const padding = bytes[from++] as number
      if (padding > to - from) protocolError('more padding than frame')
      to -= padding
    }
    if ((flags & frameFlags.priority) !== 0) {
      // RFC 9113 section 5.3.2: read past.
      if (to - from < 5) frameSizeError('a HEADERS frame ends within its priority')
      from += 5
    }
    this.#guard.useful++
    const endStream = (flags & frameFlags.endStream) !== 0
    if ((flags & frameFlags.endHeaders) !== 0) {
      this.#owner.block(id, bytes, from, to, endStream)
      return
    }
    this.#blockStream = id
    this.#blockEndsStream = endStream
    this.#blockPieces = [Buffer.from(bytes.subarray(from, to))]
    this.#blockBytes = to - from
    this.#owner.blockBegun()
  }

  #continuation(flags: number, bytes: Buffer, start: number, end: number): void {
    if (this.#blockStream === 0) protocolError('CONTINUATION without a header block')
    this.#blockBytes += end - start
    if (this.#blockBytes > limits.blockBytes || this.#blockPieces.length > limits.continuations)
      throw new ConnectionError(errorCodes.enhanceYourCalm, 'a header block goes on and on')
    this.#blockPieces.push(Buffer.from(bytes.subarray(start, end)))
    if ((flags & frameFlags.endHeaders) === 0) return
    const block = Buffer.concat(this.#blockPieces)
    const id = this.#blockStream
    this.#blockStream = 0
    this.#blockPieces = []
    this.#owner.block(id, block, 0, block.length, this.#blockEndsStream)
  }

  #rstStream(id: number, bytes: Buffer, start: number, end: number): void {
    if (end - start !== 4) frameSizeError('an RST_STREAM frame is not 4 bytes long')
    if (id === 0 || this.#owner.isIdle(id)) protocolError('RST_STREAM on a stream that is not open')
    const stream = this.#owner.streamOf(id)
    if (stream === undefined) this.#guard.idleFrame()
    else this.#owner.peerReset(stream, readUint32(bytes, start))
  }

  #settings(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id !== 0) protocolError('SETTINGS on a stream')
    if ((flags & frameFlags.ack) !== 0) {
      if (end > start) frameSizeError('an acknowledgement of SETTINGS with a payload')
      this.#guard.idleFrame()
      return
    }
    if ((end - start) % 6 !== 0) frameSizeError('a SETTINGS frame is not a multiple of 6 bytes long')
    this.#guard.settingsFrame()
    for (let at = start; at < end; at += 6)
      this.#owner.setting(((bytes[at] as number) << 8) | (bytes[at + 1] as number), readUint32(bytes, at + 2))
    this.#outbound.settingsAck()
    this.#owner.settingsDone()
  }

  #ping(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id !== 0) protocolError('PING on a stream')
    if (end - start !== 8) frameSizeError('a PING frame is not 8 bytes long')
    this.#guard.idleFrame()
    if ((flags & frameFlags.ack) !== 0) this.#owner.pong(bytes.subarray(start, end))
    else this.#outbound.ping(bytes.subarray(start, end), frameFlags.ack)
  }

  #windowUpdate(id: number, bytes: Buffer, start: number, end: number): void {
    if (end - start !== 4) frameSizeError('a WINDOW_UPDATE frame is not 4 bytes long')
    const increment = readUint31(bytes, start)
    this.#guard.idleFrame()
    const outbound = this.#outbound
    if (id === 0) {
      if (increment === 0) protocolError('a WINDOW_UPDATE of nothing')
      outbound.sendWindow += increment
      if (outbound.sendWindow > 0x7fffffff)
        throw new ConnectionError(errorCodes.flowControlError, 'the window of the connection overflows')
      outbound.pump()
      return
    }
    if (this.#owner.isIdle(id)) protocolError('WINDOW_UPDATE on a stream that is not open')
    const stream = this.#owner.streamOf(id)
    if (stream === undefined) return
    stream.sendWindow += increment
    if (increment === 0) {
      this.#owner.breakStream(stream, errorCodes.protocolError, 'a WINDOW_UPDATE of nothing')
    } else if (stream.sendWindow > 0x7fffffff) {
      this.#owner.breakStream(stream, errorCodes.flowControlError, 'the window of the stream overflows')
    } else {
      outbound.windowOpened(stream)
    }
  }
}
