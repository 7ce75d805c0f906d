// Connections between a proxy and an instance: in place of sockets and codecs, everything above them is the proxy's own.
import type { RequestHead, ResponseHead } from '../../contracts/http-message.ts'
import type { Clock } from '../../core/clock.ts'
import type {
  ClientConnection,
  ClientConnectionEvents,
  ClientStream,
  ClientStreamHandler,
  OutgoingRequest,
} from '../../proxy/codec/http-stream.ts'
import type { Connection, ConnectionHandler, TlsInfo } from '../../proxy/io/connection.ts'

/** As pools have them: `EndpointPool` asks for so many streams at most. */
const streamsPerConnection = 100

/** What carries messages. */
export interface Carrier {
  readonly clock: Clock
  sent(): void
}

/** A request that has arrived somewhere. */
export interface Job {
  readonly request: RequestHead
  /** SPIFFE ID of who sent it; undefined: not known. */
  readonly caller: string | undefined
  /** Called when nobody waits for the answer any more; most do not mind. */
  abandoned: (() => void) | undefined
  /** At once: to be answered, but not within the call that brought it. */
  refused(head: ResponseHead): void
  done(head: ResponseHead): void
  /** There will be no answer. */
  broken(): void
}

/** What a connection leads to. */
export interface SimulatedServer {
  /** "host:port". */
  readonly address: string
  readonly zone: string | undefined
  /** Nobody listens. */
  readonly down: boolean
  /** What is sent to it or by it is lost. */
  readonly unreachable: boolean
  readonly connections: Set<SimulatedConnection>
  take(job: Job): void
}

/** Of the pool's view of a connection only its ends: nothing is ever written. */
export class SimulatedConnection implements Connection {
  declare handler: ConnectionHandler
  readonly remoteAddress: string
  readonly remotePort = 0
  readonly localAddress = '127.0.0.1'
  readonly localPort = 0
  readonly tls: TlsInfo | undefined
  /** SPIFFE ID of the proxy that opened it. */
  readonly caller: string | undefined
  readonly carrier: Carrier
  readonly server: SimulatedServer
  /** One way. */
  readonly delayMs: number
  closed = false
  client: SimulatedClient | undefined

  constructor(
    carrier: Carrier,
    server: SimulatedServer,
    delayMs: number,
    tls: TlsInfo | undefined,
    caller: string | undefined,
  ) {
    this.carrier = carrier
    this.server = server
    this.remoteAddress = server.address
    this.delayMs = delayMs
    this.tls = tls
    this.caller = caller
    server.connections.add(this)
  }

  write(): boolean {
    return true
  }

  writeFrom(): boolean {
    return true
  }

  writeLent(): boolean {
    return true
  }

  end(): void {
    this.destroy()
  }

  destroy(): void {
    this.closed = true
    this.server.connections.delete(this)
  }

  pause(): void {}

  resume(): void {}

  /** The instance has died. */
  reset(message: string): void {
    this.destroy()
    this.client?.lost(message)
  }

  goAway(): void {
    this.client?.drain()
  }
}

export class SimulatedClient implements ClientConnection {
  readonly connection: SimulatedConnection
  readonly protocol: 'HTTP/1.1' | 'HTTP/2'
  readonly keepAliveSeconds = undefined
  requestsSent = 0
  closed = false
  readonly #events: ClientConnectionEvents
  readonly #most: number
  readonly #streams: SimulatedStream[] = []
  /** Read far more often than it changes: a number of its own is nearer than the length of a list. */
  #open = 0
  #draining = false

  constructor(connection: SimulatedConnection, http2: boolean, events: ClientConnectionEvents) {
    this.connection = connection
    this.protocol = http2 ? 'HTTP/2' : 'HTTP/1.1'
    this.#most = http2 ? streamsPerConnection : 1
    this.#events = events
    connection.client = this
    if (connection.closed) this.lost('the upstream closed the connection')
  }

  get openRequests(): number {
    return this.#open
  }

  get capacity(): number {
    return this.closed || this.#draining ? 0 : this.#most - this.#open
  }

  send({ head }: OutgoingRequest, handler: ClientStreamHandler): ClientStream {
    this.requestsSent++
    this.connection.carrier.sent()
    const stream = new SimulatedStream(this, head, handler, this.#open)
    this.#streams[this.#open++] = stream
    stream.travel()
    return stream
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.connection.destroy()
    this.#events.onClosed()
  }

  drain(): void {
    if (this.closed || this.#draining) return
    this.#draining = true
    if (this.#open === 0) this.close()
    else this.#events.onCapacity()
  }

  lost(message: string): void {
    if (this.closed) return
    this.closed = true
    const streams = this.#streams.splice(0)
    this.#open = 0
    for (const stream of streams) stream.place = -1
    for (const stream of streams) stream.failed(message)
    this.#events.onClosed()
  }

  /** `aborted`: in the middle, which HTTP/1.1 can only say by closing. */
  over(stream: SimulatedStream, aborted: boolean): void {
    const wasFull = this.capacity === 0
    const { place } = stream
    if (place === -1) return
    stream.place = -1
    const last = this.#streams.pop() as SimulatedStream
    this.#open--
    if (last !== stream) {
      this.#streams[place] = last
      last.place = place
    }
    if (this.#draining ? this.#open === 0 : aborted && this.protocol === 'HTTP/1.1') {
      this.close()
      return
    }
    if (this.#open === 0) this.#events.onIdle()
    if (wasFull && !this.#draining) this.#events.onCapacity()
  }
}

class SimulatedStream implements ClientStream, Job {
  /** Among those of its connection; -1: it is none of them any more. */
  place: number
  readonly request: RequestHead
  abandoned: (() => void) | undefined = undefined
  readonly #client: SimulatedClient
  #handler: ClientStreamHandler | undefined

  constructor(client: SimulatedClient, request: RequestHead, handler: ClientStreamHandler, place: number) {
    this.place = place
    this.request = request
    this.#client = client
    this.#handler = handler
  }

  travel(): void {
    const { carrier, delayMs } = this.#client.connection
    if (delayMs === 0) this.#arrive()
    else carrier.clock.setTimer(delayMs, () => this.#arrive())
  }

  get caller(): string | undefined {
    return this.#client.connection.caller
  }

  refused(head: ResponseHead): void {
    const { carrier, delayMs } = this.#client.connection
    carrier.clock.setTimer(delayMs, () => this.#answer(head))
  }

  done(head: ResponseHead): void {
    if (this.#client.connection.delayMs === 0) this.#answer(head)
    else this.refused(head)
  }

  broken(): void {
    const { carrier, delayMs } = this.#client.connection
    carrier.clock.setTimer(delayMs, () => {
      if (this.#handler === undefined) return
      this.#client.over(this, true)
      this.failed('the stream was reset')
    })
  }

  failed(message: string): void {
    const handler = this.#handler
    this.#handler = undefined
    handler?.onFailed({ kind: 'reset', responseBegun: false, message })
  }

  abort(): void {
    this.#handler = undefined
    this.#client.over(this, true)
    const { abandoned } = this
    const { carrier, delayMs } = this.#client.connection
    if (abandoned !== undefined) carrier.clock.setTimer(delayMs, abandoned)
  }

  pause(): void {}

  resume(): void {}

  sendData(): boolean {
    return true
  }

  sendEnd(): void {}

  #arrive(): void {
    const { server } = this.#client.connection
    if (this.#handler === undefined || server.unreachable || this.#client.closed) return
    server.take(this)
  }

  #answer(head: ResponseHead): void {
    const handler = this.#handler
    if (handler === undefined || this.#client.connection.server.unreachable) return
    handler.onHead(head, 0)
    if (this.#handler === undefined) return
    this.#handler = undefined
    this.#client.over(this, false)
    handler.onEnd(undefined)
  }
}
