// Copies of the beginnings of bodies, for taps that ask for them: of the exchanges under way, bounded, and none while nobody asks.
import type { HeaderList } from '../../core/header-list.ts'
import type { Exchange } from './exchange.ts'

/** Exchanges whose bodies are copied at once; the others are shown without. */
const mostExchanges = 256

export class CopiedBody {
  readonly #most: number
  readonly #chunks: Buffer[] = []
  /** Of all of it, so far. */
  bytes = 0
  /** As its headers say: media type, content coding. */
  type = ''
  coding = ''

  constructor(most: number) {
    this.#most = most
  }

  describe(headers: HeaderList): void {
    this.type = headers.get('content-type') ?? ''
    this.coding = headers.get('content-encoding') ?? ''
  }

  add(bytes: Uint8Array): void {
    if (this.bytes < this.#most) this.#chunks.push(Buffer.from(bytes.subarray(0, this.#most - this.bytes)))
    this.bytes += bytes.length
  }

  get beginning(): Buffer {
    return Buffer.concat(this.#chunks)
  }
}

export interface CopiedBodies {
  readonly request: CopiedBody
  readonly response: CopiedBody
}

export class BodyCopies {
  readonly #copies = new Map<Exchange, CopiedBodies>()
  /** Of one body; 0: nobody asks. */
  mostBytes = 0

  /** Undefined: they are not copied. */
  begin(exchange: Exchange): CopiedBodies | undefined {
    if (this.mostBytes === 0 || this.#copies.size >= mostExchanges || exchange.request.method === 'CONNECT')
      return undefined
    const copies = { request: new CopiedBody(this.mostBytes), response: new CopiedBody(this.mostBytes) }
    copies.request.describe(exchange.request.headers)
    this.#copies.set(exchange, copies)
    return copies
  }

  of(exchange: Exchange): CopiedBodies | undefined {
    return this.#copies.get(exchange)
  }

  end(exchange: Exchange): void {
    this.#copies.delete(exchange)
  }
}
