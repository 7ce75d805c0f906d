// The way back to a caller where filters look at the response: stands in for the caller's stream, and holds what they have not passed yet.
import type { FilterRefusal, FilterResult, ResponsePass } from '../../contracts/http-filter.ts'
import type { ResponseHead } from '../../contracts/http-message.ts'
import type { HeaderList } from '../../core/header-list.ts'
import type { BodyLength, ServerStream } from '../codec/http-stream.ts'
import type { Exchange } from '../telemetry/exchange.ts'
import { CompressedStream, type ResponseCompression } from '../upstream/compressed-stream.ts'
import { refusalResponse, sendReply } from '../upstream/local-reply.ts'
import { OuterStream } from '../upstream/outer-stream.ts'
import type { ExchangeKeeper } from '../upstream/proxied-request.ts'

export interface FilteredOwner extends ExchangeKeeper {
  /** The destination may send what it has. */
  filteredDrained(): void
}

/** What waits of a response: nothing; its head is with the filters; its body is gathered for them; its body is with them. */
type Held = 'no' | 'head' | 'gathering' | 'body'

export class FilteredResponse extends OuterStream implements ExchangeKeeper {
  readonly #exchange: Exchange
  readonly #owner: FilteredOwner
  /** Between the filters and the caller. */
  readonly #compressed: CompressedStream | undefined
  readonly #pass: ResponsePass
  #held: Held = 'no'
  #length: BodyLength = 'unknown'
  readonly #waiting: Buffer[] = []
  #waitingBytes = 0
  /** The destination has been told to wait. */
  #full = false
  #end: { readonly trailers: HeaderList | undefined } | undefined
  /** The exchange is over as soon as what is held has gone. */
  #finishing = false
  /** What comes of the response is for nobody: filters have answered in its place, or the caller is gone. */
  #cut = false
  /** Of the body of a filter's answer to a response, whatever more of the response comes. */
  #answeredBytes: number | undefined

  constructor(
    pass: ResponsePass,
    caller: ServerStream,
    exchange: Exchange,
    owner: FilteredOwner,
    compression: ResponseCompression | undefined,
  ) {
    const compressed =
      compression === undefined
        ? undefined
        : new CompressedStream(caller, compression, {
            finish: () => owner.finish(),
            compressedDrained: () => owner.filteredDrained(),
          })
    super(compressed ?? caller)
    this.#compressed = compressed
    this.#pass = pass
    this.#exchange = exchange
    this.#owner = owner
  }

  override sendHead(head: ResponseHead, length: BodyLength): void {
    // from here on it is another protocol
    if (head.status === 101) {
      this.inner.sendHead(head, length)
      return
    }
    this.#length = length
    this.#held = 'head'
    const result = this.#pass.passHead(head)
    if (result instanceof Promise) void result.then((answer) => this.#headPassed(answer))
    else this.#headPassed(result)
  }

  sendData(bytes: Uint8Array): boolean {
    if (this.#cut) return true
    if (this.#held === 'no') return this.inner.sendData(bytes)
    this.#waiting.push(Buffer.from(bytes))
    this.#waitingBytes += bytes.length
    if (this.#held !== 'gathering') {
      this.#full = true
      return false
    }
    return this.#waitingBytes <= this.#pass.wantedBytes || this.#tooLarge()
  }

  sendEnd(trailers?: HeaderList): void {
    if (this.#cut) return
    if (this.#held === 'no') this.inner.sendEnd(trailers)
    else this.#end = { trailers }
    if (this.#held === 'gathering') void this.#passBody()
  }

  abort(error: Error): void {
    this.cut()
    this.inner.abort(error)
  }

  finish(): void {
    if (this.#held === 'no' || this.#cut) this.#tell()
    else this.#finishing = true
  }

  callerDrained(): void {
    if (this.#compressed === undefined) this.#owner.filteredDrained()
    else this.#compressed.callerDrained()
  }

  /** Nothing more goes to the caller. */
  cut(): void {
    this.#cut = true
    this.#compressed?.cancel()
    this.#waiting.length = 0
    this.#waitingBytes = 0
    this.#end = undefined
    this.#measure()
  }

  #headPassed(answer: FilterResult): void {
    if (this.#cut) return
    if (answer !== undefined) {
      this.#replace(answer)
      return
    }
    if (!this.#wantsBody()) {
      this.#release()
      return
    }
    this.#held = 'gathering'
    if (this.#length !== 'unknown' && this.#length > this.#pass.wantedBytes) this.#tooLarge()
    else if (this.#waitingBytes > this.#pass.wantedBytes) this.#tooLarge()
    else if (this.#end !== undefined) void this.#passBody()
    else this.#goOn()
  }

  #wantsBody(): boolean {
    const { status, headers } = this.#pass.response as ResponseHead
    if (this.#length === 0 || this.#pass.wantedBytes === 0) return false
    if (this.inner.request.method === 'HEAD' || status === 204 || status === 304) return false
    const type = headers.get('content-type') ?? ''
    return !type.startsWith('text/event-stream') && !type.startsWith('application/grpc')
  }

  /** False: the caller asks to wait. */
  #tooLarge(): boolean {
    const refusal = this.#pass.bodyTooLarge()
    if (refusal === undefined) return this.#release()
    this.#replace(refusal)
    return true
  }

  async #passBody(): Promise<void> {
    this.#held = 'body'
    const whole = Buffer.concat(this.#waiting)
    const body = await this.#pass.passBody(whole)
    if (this.#cut) return
    if (!(body instanceof Uint8Array)) {
      this.#replace(body)
      return
    }
    const { headers } = this.#pass.response as ResponseHead
    if (headers.has('content-length')) headers.set('content-length', String(body.length))
    this.#length = body.length
    this.#waiting.length = 0
    this.#waiting.push(Buffer.from(body.buffer, body.byteOffset, body.byteLength))
    this.#exchange.responseBytes = body.length
    this.#release()
  }

  /** What is held goes, and what follows goes through. False: the caller asks to wait. */
  #release(): boolean {
    this.#held = 'no'
    const head = this.#pass.response as ResponseHead
    this.#exchange.status = head.status
    this.inner.sendHead(head, this.#length)
    let flowing = true
    for (const bytes of this.#waiting) flowing = this.inner.sendData(bytes)
    this.#waiting.length = 0
    this.#waitingBytes = 0
    if (this.#end !== undefined) {
      this.inner.sendEnd(this.#end.trailers)
      if (this.#finishing) this.#tell()
    } else if (flowing) this.#goOn()
    return flowing
  }

  #replace(answer: FilterRefusal): void {
    this.#cut = true
    this.#held = 'no'
    this.#waiting.length = 0
    const { head, body } = refusalResponse(answer)
    this.#exchange.detail = answer.detail
    sendReply(this.inner, this.#exchange, head, body, answer.detail, answer.grpcStatus)
    this.#answeredBytes = this.#exchange.responseBytes
    if (this.#finishing) this.#tell()
    else this.#goOn()
  }

  /** The destination may send what it has. */
  #goOn(): void {
    if (!this.#full) return
    this.#full = false
    this.#owner.filteredDrained()
  }

  #tell(): void {
    this.#measure()
    if (this.#compressed === undefined) this.#owner.finish()
    else this.#compressed.finish()
  }

  #measure(): void {
    if (this.#answeredBytes !== undefined) this.#exchange.responseBytes = this.#answeredBytes
  }
}
