// An HTTP/2 client that behaves: after a GOAWAY it finishes what is open and sends the rest over a new connection.
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2'

const refused = 'refused, and so not processed'

/** By then the test has failed. */
const mostFailures = 1_000

/** `await using` it: asking goes on until `stop`. */
export class Http2Caller implements AsyncDisposable {
  readonly failures: string[] = []
  ok = 0
  connections = 0
  readonly #url: string
  #session: ClientHttp2Session | undefined
  #stopped = false
  #loop: Promise<void> | undefined

  constructor(url: string) {
    this.#url = url
  }

  /** Asks for `path` again and again, one request after the other, until `stop`. */
  ask(path: string, pauseMs: number): void {
    this.#loop = this.#askOn(path, pauseMs)
  }

  /** A stream that goes on. */
  open(path: string): Http2Ticks {
    return new Http2Ticks(this.#current().request({ ':path': path }))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#loop
    this.#session?.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #askOn(path: string, pauseMs: number): Promise<void> {
    while (!this.#stopped && this.failures.length < mostFailures) {
      let failure = await this.#once(path)
      // Handed to the library before it had read the GOAWAY: it never left (RFC 9113 section 8.7 has the client repeat it).
      if (failure === refused) failure = await this.#once(path)
      if (failure === undefined) this.ok++
      else this.failures.push(failure)
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }

  #once(path: string): Promise<string | undefined> {
    return new Promise((resolve) => {
      const stream = this.#current().request({ ':path': path })
      let status = 0
      stream.on('response', (head) => (status = head[':status'] ?? 0))
      stream.on('error', (error) =>
        resolve(stream.rstCode === constants.NGHTTP2_REFUSED_STREAM ? refused : error.message),
      )
      stream.on('end', () => resolve(status === 200 ? undefined : `status ${status}`))
      stream.resume()
    })
  }

  #current(): ClientHttp2Session {
    if (this.#session !== undefined) return this.#session
    const session = connect(this.#url)
    this.connections++
    const leave = (): void => {
      if (this.#session === session) this.#session = undefined
    }
    session.on('goaway', leave)
    session.on('close', leave)
    session.on('error', (error) => {
      leave()
      this.failures.push(`connection: ${error.message}`)
    })
    this.#session = session
    return session
  }
}

/** What has come of a stream of server-sent events. */
export class Http2Ticks {
  count = 0
  /** How it ended; undefined while it goes on. */
  ended: string | undefined
  readonly #stream: ClientHttp2Stream

  constructor(stream: ClientHttp2Stream) {
    this.#stream = stream
    stream.on('data', (bytes: Buffer) => (this.count += bytes.toString().split('data:').length - 1))
    stream.on('error', (error) => (this.ended = error.message))
    stream.on('end', () => (this.ended ??= 'end'))
  }

  stop(): void {
    this.#stream.close()
  }
}
