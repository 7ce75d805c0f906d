// The second attempt of a request whose first is slow. Until one of the two has an answer that will do, nobody hears of it.
import type { ResponseHead } from '../../contracts/http-message.ts'
import type { HeaderList } from '../../core/header-list.ts'
import type { BodyLength, ClientStream } from '../codec/http-stream.ts'
import type { Attempt, AttemptFailure, AttemptOwner } from './attempt.ts'

/** Whose request it is. */
export interface HedgedRequest extends AttemptOwner {
  /** It is to be the attempt of the request from now on. */
  hedgeWon(hedge: Hedge): void
  hedgeLost(hedge: Hedge): void
  sendBody(stream: ClientStream): void
}

export class Hedge implements AttemptOwner {
  readonly #request: HedgedRequest
  readonly #create: (owner: AttemptOwner) => Attempt
  #attempt: Attempt | undefined
  #racing = true

  /** `create`: makes the attempt. */
  constructor(request: HedgedRequest, create: (owner: AttemptOwner) => Attempt) {
    this.#request = request
    this.#create = create
  }

  get attempt(): Attempt {
    return (this.#attempt ??= this.#create(this))
  }

  /** All that it does from now on is told to the request. */
  take(): void {
    this.#racing = false
  }

  attemptReady(attempt: Attempt): void {
    this.#request.attemptReady(attempt)
  }

  attemptSlow(): void {}

  attemptConnected(stream: ClientStream): void {
    if (this.#racing) this.#request.sendBody(stream)
    else this.#request.attemptConnected(stream)
  }

  attemptInformational(head: ResponseHead): void {
    if (!this.#racing) this.#request.attemptInformational(head)
  }

  /** The failure of a server is no answer while the other may have one. */
  attemptHead(head: ResponseHead, length: BodyLength): void {
    if (this.#racing && head.status >= 500) {
      this.attempt.discard(true)
      this.#request.hedgeLost(this)
      return
    }
    if (this.#racing) this.#request.hedgeWon(this)
    this.#request.attemptHead(head, length)
  }

  attemptData(bytes: Uint8Array): void {
    this.#request.attemptData(bytes)
  }

  attemptEnd(trailers: HeaderList | undefined): void {
    this.#request.attemptEnd(trailers)
  }

  attemptDrain(): void {
    if (!this.#racing) this.#request.attemptDrain()
  }

  attemptFailed(failure: AttemptFailure): void {
    if (this.#racing) this.#request.hedgeLost(this)
    else this.#request.attemptFailed(failure)
  }
}
