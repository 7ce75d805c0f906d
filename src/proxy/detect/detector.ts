// Holds a new connection's first bytes until they tell what it speaks, within bounds of bytes and time.
import type { Clock } from '../../core/clock.ts'
import type { Connection, ConnectionHandler } from '../io/connection.ts'
import { MovingDeadline } from '../io/moving-deadline.ts'
import { detectionBytes, detectProtocol, type Protocol } from './detect.ts'

export interface DetectorOptions {
  readonly clock: Clock
  /** How long to wait for bytes that tell; then `onDetected('other', …)`. */
  readonly timeoutMs: number
  /** Must give the connection another handler, or destroy it. */
  onDetected(protocol: Protocol, head: Uint8Array): void
  /** It closed before another handler took over. */
  onClosed(): void
}

export class Detector implements ConnectionHandler {
  readonly #connection: Connection
  readonly #options: DetectorOptions
  readonly #deadline: MovingDeadline
  #head: Buffer = Buffer.alloc(0)

  constructor(connection: Connection, options: DetectorOptions) {
    this.#connection = connection
    this.#options = options
    this.#deadline = new MovingDeadline(options.clock, () => this.#detected('other'))
  }

  /** `head`: what somebody before has already read. */
  start(head: Uint8Array): void {
    this.#deadline.set(this.#options.timeoutMs)
    this.#connection.handler = this
    if (head.length > 0) this.onData(head)
  }

  onData(bytes: Uint8Array): void {
    const known = this.#head.length === 0 ? bytes : Buffer.concat([this.#head, bytes])
    const protocol = detectProtocol(known) ?? (known.length >= detectionBytes ? 'other' : undefined)
    // The bytes are ours only during this call, and securing the connection takes longer.
    this.#head = Buffer.from(known)
    if (protocol !== undefined) this.#detected(protocol)
  }

  onEnd(): void {
    if (this.#head.length > 0) this.#detected('other')
    else this.#connection.destroy()
  }

  onClose(): void {
    this.#deadline.cancel()
    this.#options.onClosed()
  }

  onDrain(): void {}

  #detected(protocol: Protocol): void {
    this.#deadline.cancel()
    this.#options.onDetected(protocol, this.#head)
  }
}
