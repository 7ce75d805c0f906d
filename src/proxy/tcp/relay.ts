// Joins two connections: bytes both ways, with backpressure and half-closes, until both are closed. The last of its line.
import type { Clock } from '../../core/clock.ts'
import type { Connection, ConnectionHandler } from '../io/connection.ts'
import { MovingDeadline } from '../io/moving-deadline.ts'

export interface RelayOptions {
  readonly clock: Clock
  /** Without a byte in either direction for so long, both are closed. */
  readonly idleTimeoutMs: number
  /** Now and then, and at the end: bytes since the last time. */
  onBytes(sentBytes: number, receivedBytes: number): void
  /** Once, when both are closed. */
  onClosed(end: RelayEnd): void
}

export interface RelayEnd {
  readonly sentBytes: number
  readonly receivedBytes: number
  /** What ended it first. */
  readonly cause: 'ended' | 'caller-failed' | 'upstream-failed' | 'idle' | 'refused'
  readonly error: Error | undefined
}

/** What has been read of one side before. */
export interface RelayHead {
  readonly bytes: Uint8Array
  /** It will send no more. */
  readonly ended: boolean
}

export const emptyHead: RelayHead = { bytes: new Uint8Array(0), ended: false }

/** Long-lived connections are counted while they live. */
const reportBytes = 1_048_576

export class Relay {
  readonly #options: RelayOptions
  readonly #deadline: MovingDeadline
  readonly #caller: Side
  readonly #upstream: Side
  #open = 2
  #cause: RelayEnd['cause'] = 'ended'
  #error: Error | undefined
  #reportedSent = 0
  #reportedReceived = 0

  constructor(caller: Connection, upstream: Connection, options: RelayOptions) {
    this.#options = options
    this.#caller = new Side(this, caller, upstream)
    this.#upstream = new Side(this, upstream, caller)
    this.#deadline = new MovingDeadline(options.clock, () => this.#idle())
  }

  /** `callerHead` is given away; `upstreamHead` may be lent by the upstream's `onData`. */
  start(callerHead: RelayHead, upstreamHead: Uint8Array): void {
    this.moved()
    const { from: caller } = this.#caller
    const { from: upstream } = this.#upstream
    if (upstreamHead.length > 0) this.#upstream.onData(upstreamHead)
    upstream.handler = this.#upstream
    caller.handler = this.#caller
    if (callerHead.bytes.length > 0) this.#caller.take(callerHead.bytes)
    if (callerHead.ended) upstream.end()
    if (!this.#caller.waiting) caller.resume()
  }

  /** Ends both sides at once: it may not go on. */
  end(error: Error): void {
    this.#cause = 'refused'
    this.#error = error
    this.#caller.from.destroy(error)
    this.#upstream.from.destroy(error)
  }

  /** A side has carried bytes. */
  moved(): void {
    this.#deadline.set(this.#options.idleTimeoutMs)
    if (this.#caller.bytes - this.#reportedSent + this.#upstream.bytes - this.#reportedReceived >= reportBytes) {
      this.#report()
    }
  }

  sideClosed(side: Side, error: Error | undefined): void {
    if (error !== undefined && this.#error === undefined && this.#cause === 'ended') {
      this.#error = error
      this.#cause = side === this.#caller ? 'caller-failed' : 'upstream-failed'
    }
    if (--this.#open > 0) return
    this.#deadline.cancel()
    this.#report()
    const { bytes: sentBytes } = this.#caller
    const { bytes: receivedBytes } = this.#upstream
    this.#options.onClosed({ sentBytes, receivedBytes, cause: this.#cause, error: this.#error })
  }

  #report(): void {
    const { bytes: sent } = this.#caller
    const { bytes: received } = this.#upstream
    if (sent === this.#reportedSent && received === this.#reportedReceived) return
    this.#options.onBytes(sent - this.#reportedSent, received - this.#reportedReceived)
    this.#reportedSent = sent
    this.#reportedReceived = received
  }

  #idle(): void {
    this.#cause = 'idle'
    this.#error = new Error('no byte moved for too long')
    this.#caller.from.destroy()
    this.#upstream.from.destroy()
  }
}

/** What `from` sends, on its way to `to`. */
class Side implements ConnectionHandler {
  readonly from: Connection
  bytes = 0
  /** `to` has more than it can take. */
  waiting = false
  readonly #relay: Relay
  readonly #to: Connection

  constructor(relay: Relay, from: Connection, to: Connection) {
    this.#relay = relay
    this.from = from
    this.#to = to
  }

  onData(bytes: Uint8Array): void {
    this.#moved(bytes.length, this.#to.writeLent(bytes))
  }

  /** As `onData`, of bytes that are given away. */
  take(bytes: Uint8Array): void {
    this.#moved(bytes.length, this.#to.write(bytes))
  }

  onEnd(): void {
    this.#to.end()
  }

  onClose(error: Error | undefined): void {
    if (error === undefined) this.#to.end()
    else this.#to.destroy(error)
    this.#relay.sideClosed(this, error)
  }

  /** `from` takes again: the other side may send. */
  onDrain(): void {
    this.#to.resume()
  }

  #moved(count: number, more: boolean): void {
    this.bytes += count
    this.waiting = !more
    if (!more) this.from.pause()
    this.#relay.moved()
  }
}
