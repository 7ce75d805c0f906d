// One HTTP exchange as the request line sees it, whatever version carries it: the server's end and the client's end.
// Rules for both: callbacks may run inside a call of the same stream; `bytes` are valid only during the call; `onClosed` comes once, last.
import type { RequestHead, ResponseHead } from '../../contracts/http-message.ts'
import type { HeaderList } from '../../core/header-list.ts'
import type { Connection } from '../io/connection.ts'

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
  readonly protocol: 'HTTP/1.0' | 'HTTP/1.1'
  /** Of the request; 0: none. */
  readonly bodyLength: BodyLength
  readonly expectsContinue: boolean
  /** Protocol that the caller offers to change to. */
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
   * Answers CONNECT with `head` and hands over the connection beneath, with the bytes read beyond the request. Not to be called from
   * within a callback of the stream's creation.
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
  readonly kind: 'reset' | 'protocol-error'
  /** Some byte of a response had come. */
  readonly responseBegun: boolean
  readonly message: string
}
