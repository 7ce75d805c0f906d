// What a mirror made of its copy beside what the caller got, once both are known.

export interface ObservedAnswer {
  readonly status: number
  /** Of a gRPC call. */
  readonly grpcStatus: number | undefined
  /** Until it began. */
  readonly tookMs: number
}

/** `skipped`: no copy was sent, the body was too long to keep. A side has failed when it gave no answer. */
export type MirrorResult = 'same' | 'different' | 'mirror_failed' | 'primary_failed' | 'skipped'

export interface ComparedAnswers {
  readonly result: MirrorResult
  /** Undefined: there was none. */
  readonly primary: ObservedAnswer | undefined
  readonly mirror: ObservedAnswer | undefined
}

/** Each side is told of once; undefined: it gave no answer. */
export class MirrorComparison {
  readonly #compared: (answers: ComparedAnswers) => void
  #primary: ObservedAnswer | undefined
  #mirror: ObservedAnswer | undefined
  #sides = 0

  constructor(compared: (answers: ComparedAnswers) => void) {
    this.#compared = compared
  }

  primaryOver(answer: ObservedAnswer | undefined): void {
    this.#primary = answer
    this.#over()
  }

  mirrorOver(answer: ObservedAnswer | undefined): void {
    this.#mirror = answer
    this.#over()
  }

  #over(): void {
    if (++this.#sides < 2) return
    const [primary, mirror] = [this.#primary, this.#mirror]
    this.#compared({ result: compare(primary, mirror), primary, mirror })
  }
}

function compare(primary: ObservedAnswer | undefined, mirror: ObservedAnswer | undefined): MirrorResult {
  if (primary === undefined) return 'primary_failed'
  if (mirror === undefined) return 'mirror_failed'
  const same = primary.grpcStatus === undefined || primary.grpcStatus === mirror.grpcStatus
  return same && primary.status === mirror.status ? 'same' : 'different'
}
