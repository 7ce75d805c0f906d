// Holds a new connection's first bytes until they tell what it speaks, within bounds of bytes and time.
import type { Clock } from '../../core/clock.ts'
import type { Connection, ConnectionHandler } from '../io/connection.ts'
import { MovingDeadline } from '../io/moving-deadline.ts'
import { ClientHelloReader } from './client-hello.ts'
import { detectionBytes, detectProtocol } from './detect.ts'

/** What a filter chain is chosen by. */
export interface ConnectionFacts {
  readonly transport: 'tls' | 'plaintext'
  /** SNI, lower case. */
  readonly serverName: string | undefined
  /** Of plaintext "http/1.1", "h2c" or nothing; of TLS what the client offers by ALPN. */
  readonly applicationProtocols: readonly string[]
}

export const unknownFacts: ConnectionFacts = { transport: 'plaintext', serverName: undefined, applicationProtocols: [] }
const http1Facts: ConnectionFacts = { ...unknownFacts, applicationProtocols: ['http/1.1'] }
const h2cFacts: ConnectionFacts = { ...unknownFacts, applicationProtocols: ['h2c'] }
const tlsFacts: ConnectionFacts = { ...unknownFacts, transport: 'tls' }

export interface DetectorOptions {
  readonly clock: Clock
  /** What to look for. `hello`: the whole ClientHello is read, for what it names. */
  readonly inspect: { readonly tls: boolean; readonly http: boolean; readonly hello: boolean }
  /** How long to wait for bytes that tell; then `onDetected(unknownFacts, …)`. */
  readonly timeoutMs: number
  /** Must give the connection another handler, or destroy it. `head` stays valid. `ended`: no more will come. */
  onDetected(facts: ConnectionFacts, head: Uint8Array, ended: boolean): void
  /** It closed before another handler took over. */
  onClosed(): void
}

export class Detector implements ConnectionHandler {
  readonly #connection: Connection
  readonly #options: DetectorOptions
  readonly #deadline: MovingDeadline
  #hello: ClientHelloReader | undefined
  #head: Buffer = Buffer.alloc(0)
  #headBytes = 0
  #over = false

  constructor(connection: Connection, options: DetectorOptions) {
    this.#connection = connection
    this.#options = options
    this.#deadline = new MovingDeadline(options.clock, () => this.#detected(unknownFacts, false))
  }

  /** `head`: what somebody before has already read. */
  start(head: Uint8Array): void {
    this.#deadline.set(this.#options.timeoutMs)
    this.#connection.handler = this
    if (head.length > 0) this.onData(head)
  }

  /** Gives up, and gives what was read so far. */
  abandon(): Uint8Array {
    this.#over = true
    this.#deadline.cancel()
    return this.#head.subarray(0, this.#headBytes)
  }

  onData(bytes: Uint8Array): void {
    // The bytes are ours only during this call, and what comes next takes longer.
    this.#keep(bytes)
    const facts = this.#hello === undefined ? this.#look() : this.#read(bytes)
    if (facts !== undefined) this.#detected(facts, false)
  }

  onEnd(): void {
    this.#detected(unknownFacts, true)
  }

  onClose(): void {
    this.#deadline.cancel()
    this.#over = true
    this.#options.onClosed()
  }

  onDrain(): void {}

  #look(): ConnectionFacts | undefined {
    const { inspect } = this.#options
    const known = this.#head.subarray(0, this.#headBytes)
    const found = detectProtocol(known) ?? (known.length >= detectionBytes ? 'other' : undefined)
    if (found === 'tls') {
      if (!inspect.tls) return unknownFacts
      if (!inspect.hello) return tlsFacts
      this.#hello = new ClientHelloReader()
      return this.#read(known)
    }
    // Without a look for HTTP, the first byte that begins no TLS record tells all that is asked.
    if (!inspect.http && known.length > 0 && known[0] !== 0x16) return unknownFacts
    if (found === 'http1') return http1Facts
    if (found === 'http2') return h2cFacts
    return found === 'other' ? unknownFacts : undefined
  }

  #read(bytes: Uint8Array): ConnectionFacts | undefined {
    const hello = this.#hello?.push(bytes)
    if (hello === undefined) return undefined
    // It began like TLS, and is something else.
    if (hello === 'invalid') return unknownFacts
    return { transport: 'tls', serverName: hello.serverName, applicationProtocols: hello.alpn }
  }

  #keep(bytes: Uint8Array): void {
    const size = this.#headBytes + bytes.length
    if (size > this.#head.length) {
      const grown = Buffer.allocUnsafe(Math.max(size, this.#head.length * 2))
      grown.set(this.#head.subarray(0, this.#headBytes))
      this.#head = grown
    }
    this.#head.set(bytes, this.#headBytes)
    this.#headBytes = size
  }

  #detected(facts: ConnectionFacts, ended: boolean): void {
    if (this.#over) return
    this.#options.onDetected(facts, this.abandon(), ended)
  }
}
