// So many requests a second to one URL, whatever becomes of them. `await using` it: a load that outlives its test keeps its process for ever.
import { Agent, request } from 'node:http'

export interface OpenLoadOptions {
  readonly url: string
  readonly perSecond: number
  /** A caller does not wait longer. */
  readonly patienceMs: number
  readonly headers?: Readonly<Record<string, string>>
}

const tickMs = 10

export class OpenLoad implements AsyncDisposable {
  readonly #options: OpenLoadOptions
  readonly #agent = new Agent({ keepAlive: true })
  readonly #timer: NodeJS.Timeout
  readonly #startMs = performance.now()
  #sent = 0
  /** By status; 0: none in time. */
  #outcomes = new Map<number, number>()

  constructor(options: OpenLoadOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#tick(), tickMs)
  }

  /** What has become of requests since the last time. */
  take(): ReadonlyMap<number, number> {
    const outcomes = this.#outcomes
    this.#outcomes = new Map()
    return outcomes
  }

  [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#agent.destroy()
    return Promise.resolve()
  }

  #tick(): void {
    const due = ((performance.now() - this.#startMs) / 1_000) * this.#options.perSecond
    for (; this.#sent < due; this.#sent++) this.#send()
  }

  #send(): void {
    const { url, patienceMs, headers = {} } = this.#options
    let over = false
    const end = (status: number): void => {
      if (over) return
      over = true
      this.#outcomes.set(status, (this.#outcomes.get(status) ?? 0) + 1)
    }
    const sent = request(url, { agent: this.#agent, headers, signal: AbortSignal.timeout(patienceMs) }, (response) => {
      response.resume()
      response.on('end', () => end(response.statusCode ?? 0))
      response.on('error', () => end(0))
    })
    sent.on('error', () => end(0))
    sent.end()
  }
}
