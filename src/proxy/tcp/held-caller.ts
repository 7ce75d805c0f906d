// Keeps a caller waiting while its upstream is dialled: nothing more is read, and what happens to it meanwhile is remembered.
import type { Connection, ConnectionHandler } from '../io/connection.ts'
import type { RelayHead } from './relay.ts'

export class HeldCaller implements ConnectionHandler {
  readonly #connection: Connection
  readonly #onClosed: (error: Error | undefined) => void
  #bytes: Uint8Array
  #ended: boolean

  /** `onClosed` is not called once another handler has taken over. */
  constructor(connection: Connection, head: RelayHead, onClosed: (error: Error | undefined) => void) {
    this.#connection = connection
    this.#onClosed = onClosed
    this.#bytes = head.bytes
    this.#ended = head.ended
    connection.handler = this
    connection.pause()
  }

  get head(): RelayHead {
    return { bytes: this.#bytes, ended: this.#ended }
  }

  onData(bytes: Uint8Array): void {
    // What was read already when reading stopped.
    this.#bytes = Buffer.concat([this.#bytes, bytes])
    this.#connection.pause()
  }

  onEnd(): void {
    this.#ended = true
  }

  onClose(error: Error | undefined): void {
    this.#onClosed(error)
  }

  onDrain(): void {}
}
