// A request's way back to the caller on which the response's body comes no faster than it may: for a fault of a slow destination.
import type { Clock, Timer } from '../../core/clock.ts'
import type { HeaderList } from '../../core/header-list.ts'
import type { ServerStream } from '../codec/http-stream.ts'
import { OuterStream } from './outer-stream.ts'

/** Bytes go in portions, so often (as Envoy's do). */
const portionMs = 50
/** With so many bytes waiting, the destination waits too. */
const mostWaitingBytes = 65_536

export interface PacedOwner {
  /** The exchange is over, and all of it has gone. */
  finish(): void
  pacedDrained(): void
}

export class PacedStream extends OuterStream {
  readonly #bytesPerMs: number
  readonly #clock: Clock
  readonly #owner: PacedOwner
  readonly #waiting: Buffer[] = []
  #waitingBytes = 0
  /** Bytes that may go at `#creditMs`, with fractions. */
  #credit: number
  #creditMs: number
  #timer: Timer | undefined
  #full = false
  #callerFull = false
  #end: { readonly trailers: HeaderList | undefined } | undefined
  /** The exchange is over as soon as what waits has gone. */
  #finishing = false

  constructor(inner: ServerStream, bytesPerSecond: number, clock: Clock, owner: PacedOwner) {
    super(inner)
    this.#bytesPerMs = bytesPerSecond / 1000
    this.#clock = clock
    this.#owner = owner
    this.#creditMs = clock.monotonicMs()
    this.#credit = this.#bytesPerMs * portionMs
  }

  sendData(bytes: Uint8Array): boolean {
    this.#waiting.push(Buffer.from(bytes))
    this.#waitingBytes += bytes.length
    this.#go()
    this.#full = this.#waitingBytes > mostWaitingBytes
    return !this.#full
  }

  sendEnd(trailers?: HeaderList): void {
    // not held back by a caller who takes no more: the exchange may be over before it does
    if (this.#waitingBytes === 0) this.inner.sendEnd(trailers)
    else this.#end = { trailers }
  }

  abort(error: Error): void {
    this.cancel()
    this.inner.abort(error)
  }

  callerDrained(): void {
    this.#callerFull = false
    this.#go()
  }

  finish(): void {
    this.#finishing = true
    if (this.#waitingBytes === 0) this.#owner.finish()
  }

  /** Nothing more goes. */
  cancel(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#waiting.length = 0
    this.#waitingBytes = 0
    this.#end = undefined
  }

  #go(): void {
    if (this.#timer !== undefined || this.#callerFull) return
    const nowMs = this.#clock.monotonicMs()
    // of two portions, as timers are late
    const most = 2 * this.#bytesPerMs * portionMs
    this.#credit = Math.min(most, this.#credit + (nowMs - this.#creditMs) * this.#bytesPerMs)
    this.#creditMs = nowMs
    while (this.#waitingBytes > 0 && this.#credit >= 1 && !this.#callerFull) this.#sendPortion()
    if (this.#waitingBytes > 0) {
      if (!this.#callerFull) this.#timer = this.#clock.setTimer(portionMs, () => this.#tick())
    } else if (this.#end !== undefined) {
      const { trailers } = this.#end
      this.#end = undefined
      this.inner.sendEnd(trailers)
      if (this.#finishing) this.#owner.finish()
    }
    if (this.#full && this.#waitingBytes <= mostWaitingBytes) {
      this.#full = false
      this.#owner.pacedDrained()
    }
  }

  #tick(): void {
    this.#timer = undefined
    this.#go()
  }

  #sendPortion(): void {
    const first = this.#waiting[0] as Buffer
    const portion = first.subarray(0, Math.floor(this.#credit))
    if (portion.length === first.length) this.#waiting.shift()
    else this.#waiting[0] = first.subarray(portion.length)
    this.#waitingBytes -= portion.length
    this.#credit -= portion.length
    this.#callerFull = !this.inner.sendData(portion)
  }
}
