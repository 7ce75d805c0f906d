// A request's way back to the caller on which something happens to the response: around the caller's own stream.
import type { RequestHead, ResponseHead } from '../../contracts/http-message.ts'
import type { HeaderList } from '../../core/header-list.ts'
import type { BodyLength, HttpProtocol, ServerStream, ServerStreamHandler } from '../codec/http-stream.ts'
import type { Connection } from '../io/connection.ts'

/** Lets everything through as it is. */
export abstract class OuterStream implements ServerStream {
  protected readonly inner: ServerStream

  constructor(inner: ServerStream) {
    this.inner = inner
  }

  get request(): RequestHead {
    return this.inner.request
  }

  get protocol(): HttpProtocol {
    return this.inner.protocol
  }

  get bodyLength(): BodyLength {
    return this.inner.bodyLength
  }

  get expectsContinue(): boolean {
    return this.inner.expectsContinue
  }

  get upgrade(): string | undefined {
    return this.inner.upgrade
  }

  get connection(): Connection {
    return this.inner.connection
  }

  get handler(): ServerStreamHandler {
    return this.inner.handler
  }

  set handler(handler: ServerStreamHandler) {
    this.inner.handler = handler
  }

  pause(): void {
    this.inner.pause()
  }

  resume(): void {
    this.inner.resume()
  }

  sendInformational(head: ResponseHead): void {
    this.inner.sendInformational(head)
  }

  sendHead(head: ResponseHead, length: BodyLength): void {
    this.inner.sendHead(head, length)
  }

  abstract sendData(bytes: Uint8Array): boolean

  abstract sendEnd(trailers?: HeaderList): void

  abstract abort(error: Error): void

  takeOver(head: ResponseHead): ReturnType<ServerStream['takeOver']> {
    return this.inner.takeOver(head)
  }
}
