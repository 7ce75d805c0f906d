// One HTTP exchange as the request line sees it, whatever version carries it: the server's end and the client's end.
// Rules for both: callbacks may run inside a call of the same stream; `bytes` are valid only during the call; `onClosed` comes once, last.
import type { RequestHead, ResponseHead } from '../../contracts/http-message.ts'
import type { HeaderList } from '../../core/header-list.ts'
import type { Connection } from '../io/connection.ts'

export type HttpProtocol = 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2'

/** Length of a body: bytes, or unknown until it ends. */
export type BodyLength = number | 'unknown'

export interface ServerStreamHandler {
  onData(bytes: Uint8Array): void
  /** The request is complete. */
  onEnd(trailers: HeaderList | undefined): void
  /** The caller can take more, after `sendData` returned false. */
  onDrain(): void
  /** With an error: the caller went away before the exchange was over. */
  onClosed(error: Error | undefined): void
}

/** A request being served. */
export interface ServerStream {
  readonly request: RequestHead
  readonly protocol: HttpProtocol
  /** Of the request; 0: none. */
  readonly bodyLength: BodyLength
  readonly expectsContinue: boolean
  /**
   * Protocol that the caller offers to change to: "websocket", whether by HTTP/1.1's Upgrade or by HTTP/2's extended CONNECT (RFC 8441). The
   * request is a GET in both cases, and status 101 accepts in both.
   */
  readonly upgrade: string | undefined
  readonly connection: Connection
  handler: ServerStreamHandler
  /** Stops and restarts the request's body. */
  pause(): void
  resume(): void
  sendInformational(head: ResponseHead): void
  /** Status 101 makes both directions opaque bytes. */
  sendHead(head: ResponseHead, length: BodyLength): void
  /** False: wait for `onDrain`. */
  sendData(bytes: Uint8Array): boolean
  sendEnd(trailers?: HeaderList): void
  /** Gives up: the caller sees a broken connection. */
  abort(error: Error): void
  /**
   * Answers CONNECT with `head` and hands over the connection beneath, with the bytes read beyond the request; in HTTP/2 the stream itself as
   * a connection. Not to be called from within a callback of the stream's creation.
   */
  takeOver(head: ResponseHead): { readonly connection: Connection; readonly head: Uint8Array }
}

export interface ClientStreamHandler {
  onInformational(head: ResponseHead): void
  onHead(head: ResponseHead, length: BodyLength): void
  onData(bytes: Uint8Array): void
  onEnd(trailers: HeaderList | undefined): void
  onDrain(): void
  /** Instead of `onEnd`. */
  onFailed(failure: StreamFailure): void
}

/** A request sent upstream. */
export interface ClientStream {
  pause(): void
  resume(): void
  sendData(bytes: Uint8Array): boolean
  sendEnd(trailers?: HeaderList): void
  /** Gives up; nothing is called back afterwards. */
  abort(): void
}

export interface OutgoingRequest {
  readonly head: RequestHead
  readonly length: BodyLength
  readonly upgrade: string | undefined
}

export interface StreamFailure {
  /** `refused`: the peer says that it has not processed the request (REFUSED_STREAM, or a GOAWAY below the stream's id). */
  readonly kind: 'reset' | 'protocol-error' | 'refused'
  /** Some byte of a response had come. */
  readonly responseBegun: boolean
  readonly message: string
}

/** The server's end of a connection, whatever version it speaks. */
export interface ServerConnection {
  /** `head` is what detection has read. */
  start(head: Uint8Array): void
  /** No new requests; ends when the open ones are done, within `graceMs` when there are none. */
  drain(graceMs: number): void
  /** Requests that are not over. */
  openStreams(): readonly ServerStream[]
}

/** The client's end of a connection. */
export interface ClientConnection {
  readonly connection: Connection
  readonly protocol: 'HTTP/1.1' | 'HTTP/2'
  readonly closed: boolean
  /** Requests sent before the present one. */
  readonly requestsSent: number
  /** Requests whose response is not complete. */
  readonly openRequests: number
  /** Seconds that the server keeps an idle connection, when it said so. */
  readonly keepAliveSeconds: number | undefined
  /** Requests that could be sent now without waiting for another to end; 0 once it drains. */
  readonly capacity: number
  /** Only while `capacity` is above 0. */
  send(request: OutgoingRequest, handler: ClientStreamHandler): ClientStream
  /** Ends at once. */
  close(): void
}

export interface ClientConnectionEvents {
  /** The last open request is over. */
  onIdle(): void
  /** `capacity` has grown from 0, or fallen to 0 for good (GOAWAY, ids used up). */
  onCapacity(): void
  /** Once, last. */
  onClosed(): void
}
