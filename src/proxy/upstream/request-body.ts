// The body of one request on its way upstream: kept while it is small, or while filters wait for it; so an attempt can be repeated, and mirrors get a copy.
import type { GatheredBody } from '../../contracts/http-filter.ts'
import type { HeaderList } from '../../core/header-list.ts'
import type { BodyLength, ClientStream } from '../codec/http-stream.ts'

/** What is kept for a repetition. Beyond it a request can be sent only once. */
export const replayBytes = 65_536

interface Gathering {
  readonly bytes: number
  readonly promise: Promise<GatheredBody>
  resolve(body: GatheredBody): void
  reject(error: Error): void
}

export class RequestBody {
  length: BodyLength
  receivedBytes = 0
  complete = false
  trailers: HeaderList | undefined
  #kept: Buffer[] | undefined = []
  #keptBytes = 0
  #gathering: Gathering | undefined

  constructor(length: BodyLength) {
    this.length = length
    this.complete = length === 0
  }

  /** Nothing of it has been let go. */
  get replayable(): boolean {
    return this.#kept !== undefined && this.#keptBytes <= replayBytes
  }

  /** More than should wait in memory for a connection. */
  get full(): boolean {
    return this.#keptBytes > replayBytes
  }

  /** `bytes` go on to `stream` when there is one. False: it asks to wait. */
  take(bytes: Uint8Array, stream: ClientStream | undefined): boolean {
    this.receivedBytes += bytes.length
    if (this.#kept !== undefined) {
      this.#keptBytes += bytes.length
      if (stream === undefined || !this.full) this.#kept.push(Buffer.from(bytes))
      else this.#kept = undefined
    }
    return stream === undefined ? this.#roomLeft() : stream.sendData(bytes)
  }

  #roomLeft(): boolean {
    const gathering = this.#gathering
    if (gathering === undefined) return !this.full
    if (this.#keptBytes < gathering.bytes) return true
    this.#gathered(gathering)
    return false
  }

  /** Somebody waits to see it: it has to come. */
  get awaited(): boolean {
    return this.#gathering !== undefined
  }

  /** Waits for so much of it, or its end. Only before any of it goes on; one at a time. */
  gather(bytes: number): Promise<GatheredBody> {
    const gathering: Gathering = { bytes, ...Promise.withResolvers<GatheredBody>() }
    if (this.complete || this.#keptBytes >= bytes) this.#gathered(gathering)
    else this.#gathering = gathering
    return gathering.promise
  }

  #gathered(gathering: Gathering): void {
    this.#gathering = undefined
    gathering.resolve({ bytes: Buffer.concat(this.#kept ?? []), complete: this.complete })
  }

  /** The rest of it never comes. */
  abandon(): void {
    this.#gathering?.reject(new Error('the request is over'))
    this.#gathering = undefined
  }

  end(trailers: HeaderList | undefined): void {
    this.complete = true
    this.trailers = trailers
    if (this.#gathering !== undefined) this.#gathered(this.#gathering)
  }

  /** What has come so far, while all of it is here. */
  get kept(): Buffer {
    return Buffer.concat(this.#kept ?? [])
  }

  /** Another goes in its place. Only once it is complete, and before any of it goes on. */
  replace(bytes: Uint8Array): void {
    this.#kept = [Buffer.from(bytes)]
    this.#keptBytes = bytes.length
    this.length = bytes.length
  }

  /** Sends what has come so far, from the beginning. False: the stream asks to wait. */
  sendTo(stream: ClientStream): boolean {
    let flowing = true
    for (const bytes of this.#kept ?? []) flowing = stream.sendData(bytes)
    if (this.full) this.#kept = undefined
    if (this.complete) this.sendEndTo(stream)
    return flowing
  }

  sendEndTo(stream: ClientStream): void {
    stream.sendEnd(this.trailers)
  }

  /** The whole body; undefined when it was too long to keep. */
  whole(): Buffer | undefined {
    return this.complete && this.replayable ? Buffer.concat(this.#kept as Buffer[]) : undefined
  }
}
