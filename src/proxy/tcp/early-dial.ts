// A connection dialled before it is known whether it is wanted: a server that speaks first is then heard without waiting for its client.
import type { Connection, ConnectionHandler } from '../io/connection.ts'

/** The least that is known of a dial's outcome. */
export interface EarlyOutcome {
  readonly connection: Connection | undefined
  release(): void
}

export interface EarlyDialOptions<T extends EarlyOutcome> {
  /** The server speaks first: `bytes` are lent, and the connection is to be given another handler now. */
  onSpoke(outcome: T, bytes: Uint8Array): void
  /** It is a server for HTTP that has spoken, as those do that close idle connections: no reason to take it for anything else. */
  onHttpServer(): void
}

export class EarlyDial<T extends EarlyOutcome> implements ConnectionHandler {
  readonly #options: EarlyDialOptions<T>
  readonly #outcome: Promise<T>
  /** Connected and silent. */
  #waiting: T | undefined
  #state: 'waiting' | 'taken' | 'dropped' = 'waiting'

  constructor(outcome: Promise<T>, options: EarlyDialOptions<T>) {
    this.#options = options
    this.#outcome = outcome
    void outcome.then((settled) => this.#settled(settled))
  }

  /** Undefined when it came to nothing: dial again. */
  take(): T | Promise<T> | undefined {
    if (this.#state !== 'waiting' || this.#waiting?.connection?.closed === true) return undefined
    this.#state = 'taken'
    return this.#waiting ?? this.#outcome
  }

  drop(): void {
    if (this.#state !== 'waiting') return
    this.#state = 'dropped'
    this.#waiting?.connection?.destroy()
  }

  onData(bytes: Uint8Array): void {
    const outcome = this.#waiting
    if (outcome === undefined || this.#state !== 'waiting') return
    if (isHttpServer(bytes)) {
      this.drop()
      this.#options.onHttpServer()
    } else {
      this.#state = 'taken'
      this.#options.onSpoke(outcome, bytes)
    }
  }

  /** It ended without a word: whoever wants it dials again. */
  onEnd(): void {
    this.drop()
  }

  onClose(): void {
    if (this.#state === 'waiting') this.#state = 'dropped'
    this.#waiting?.release()
  }

  onDrain(): void {}

  #settled(outcome: T): void {
    const { connection } = outcome
    if (this.#state === 'taken') return
    if (connection === undefined) {
      this.#state = 'dropped'
      return
    }
    this.#waiting = outcome
    connection.handler = this
    if (this.#state === 'dropped') connection.destroy()
  }
}

const settingsFrame = 4

/** A response, or the SETTINGS frame that opens an HTTP/2 connection (RFC 9113 section 3.4). */
function isHttpServer(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 9))
  if (text.toString('latin1', 0, 5) === 'HTTP/') return true
  return text.length === 9 && text[3] === settingsFrame && text[4] === 0 && text.readUInt32BE(5) === 0
}
