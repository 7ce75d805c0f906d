// One request whose bodies somebody reads along: what passes between the caller and all that happens to the request is copied.
import type { ResponseHead } from '../../contracts/http-message.ts'
import type { HeaderList } from '../../core/header-list.ts'
import type { BodyLength, ServerStream } from '../codec/http-stream.ts'
import type { StreamOrigin } from '../listener/downstream-connection.ts'
import type { CopiedBodies, CopiedBody } from '../telemetry/copied-bodies.ts'
import type { Exchange } from '../telemetry/exchange.ts'
import { OuterStream } from '../upstream/outer-stream.ts'
import { type ServeDeps, ServedRequest } from './served-request.ts'

export class TappedRequest extends ServedRequest {
  readonly #copies: CopiedBodies
  readonly #stream: CopiedStream
  readonly #over: () => void

  /** `over`: the copies are needed no more. */
  constructor(
    deps: ServeDeps,
    stream: ServerStream,
    origin: StreamOrigin,
    exchange: Exchange,
    copies: CopiedBodies,
    over: () => void,
  ) {
    const copied = new CopiedStream(stream, copies.response)
    super(deps, copied, origin, exchange)
    this.#copies = copies
    this.#stream = copied
    this.#over = over
  }

  override onData(bytes: Uint8Array): void {
    if (!this.#stream.isTunnel) this.#copies.request.add(bytes)
    super.onData(bytes)
  }

  override finish(): void {
    super.finish()
    this.#over()
  }
}

class CopiedStream extends OuterStream {
  readonly #copy: CopiedBody
  /** Of another protocol's bytes none are copied. */
  isTunnel = false

  constructor(inner: ServerStream, copy: CopiedBody) {
    super(inner)
    this.#copy = copy
  }

  override sendHead(head: ResponseHead, length: BodyLength): void {
    this.isTunnel = head.status === 101
    this.#copy.describe(head.headers)
    this.inner.sendHead(head, length)
  }

  sendData(bytes: Uint8Array): boolean {
    if (!this.isTunnel) this.#copy.add(bytes)
    return this.inner.sendData(bytes)
  }

  sendEnd(trailers?: HeaderList): void {
    this.inner.sendEnd(trailers)
  }

  abort(error: Error): void {
    this.inner.abort(error)
  }
}
