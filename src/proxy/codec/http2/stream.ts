// What both ends' streams share: what waits to be sent, what waits to be taken, and which directions are over.
import type { HeaderList } from '../../../core/header-list.ts'
import { limits } from './limits.ts'

export abstract class Http2Stream {
  /** 0 until it is opened. */
  id: number

  // Sending.
  /** What the peer takes at present on this stream. May be negative. */
  sendWindow: number
  /** Copies of what could not be sent yet. */
  queue: Uint8Array[] | undefined
  queuedBytes = 0
  endQueued = false
  queuedTrailers: HeaderList | undefined
  /** `sendData` said no. */
  wantsDrain = false
  /** Bytes still to be sent of a declared length; -1: not declared. */
  sendLeft = -1
  /** END_STREAM is written, or the stream is reset. */
  localEnded = false
  /** Where the last frame starts in the output, and the flush that this holds for. */
  frameAt = 0
  frameFlush = -1
  /** Something was sent since the last look for stalled streams. */
  progressed = true

  // Receiving.
  /** DATA may come. */
  headReceived = true
  /** What the peer may still send. */
  receiveWindow: number = limits.streamWindowBytes
  /** Taken by whoever reads, and not yet given back to the peer. */
  consumedBytes = 0
  paused = false
  held: Uint8Array[] | undefined
  heldBytes = 0
  heldTrailers: HeaderList | undefined
  delivering = false
  /** Bytes still to come of a declared length; -1: not declared. */
  receiveLeft = -1
  remoteEnded = false
  endDelivered = false

  /** Reset, failed or complete: nothing is called back any more. */
  over = false

  constructor(id: number, sendWindow: number) {
    this.id = id
    this.sendWindow = sendWindow
  }

  abstract received(bytes: Uint8Array): void
  abstract receivedEnd(trailers: HeaderList | undefined): void
  abstract drained(): void
  /** END_STREAM has been written. */
  abstract sent(): void
  /** The stream is gone: reset by the peer (`code`), broken by it, or the connection was lost. */
  abstract failed(kind: 'reset' | 'protocol-error' | 'refused', message: string): void
}
