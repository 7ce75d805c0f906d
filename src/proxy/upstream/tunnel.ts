// Joins two connections: bytes both ways, with backpressure and half-closes, until both are closed.
import type { Connection, ConnectionHandler } from '../io/connection.ts'

export interface TunnelTotals {
  readonly sentBytes: number
  readonly receivedBytes: number
}

/** `head` was read from `caller` already. `onClosed` is called once, when both are closed. */
export function joinConnections(
  caller: Connection,
  head: Uint8Array,
  upstream: Connection,
  onClosed: (totals: TunnelTotals) => void,
): void {
  let open = 2
  const sent = { bytes: 0 }
  const received = { bytes: 0 }
  const closed = (): void => {
    if (--open === 0) onClosed({ sentBytes: sent.bytes, receivedBytes: received.bytes })
  }
  const toUpstream = new OneWay(caller, upstream, sent, closed)
  upstream.handler = new OneWay(upstream, caller, received, closed)
  caller.handler = toUpstream
  if (head.length > 0) toUpstream.onData(head)
}

class OneWay implements ConnectionHandler {
  readonly #from: Connection
  readonly #to: Connection
  readonly #count: { bytes: number }
  readonly #onClosed: () => void

  constructor(from: Connection, to: Connection, count: { bytes: number }, onClosed: () => void) {
    this.#from = from
    this.#to = to
    this.#count = count
    this.#onClosed = onClosed
  }

  onData(bytes: Uint8Array): void {
    this.#count.bytes += bytes.length
    if (!this.#to.write(Buffer.from(bytes))) this.#from.pause()
  }

  onEnd(): void {
    this.#to.end()
  }

  onClose(error: Error | undefined): void {
    if (error === undefined) this.#to.end()
    else this.#to.destroy(error)
    this.#onClosed()
  }

  /** `from` takes again: the other side may send. */
  onDrain(): void {
    this.#to.resume()
  }
}
