// Steady keep-alive load on one URL: a bounded number of connections, each with one request at a time, every failure kept.
// `await using` it: a load that outlives the test that failed keeps its process for ever.
import { Agent, request } from 'node:http'

export interface LoadResult {
  readonly ok: number
  /** One line per failure: what happened, and from when to when, since the start. */
  readonly failures: readonly string[]
  /** TCP connections that were opened; with keep-alive never more than `connections` unless one was dropped. */
  readonly connectionsOpened: number
  readonly latenciesMs: readonly number[]
}

export interface LoadOptions {
  readonly url: string
  /** GET unless given. A method that is not idempotent is never repeated by a proxy that does not know how far it came. */
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly connections: number
  /** Pause of one connection between its requests. */
  readonly pauseMs: number
  /** Extra check of a 200 answer; a returned text is a failure. */
  readonly check?: (headers: NodeJS.Dict<string | string[]>, body: string) => string | undefined
}

/** By then the test has failed. */
const mostFailures = 1_000

export class SteadyLoad implements AsyncDisposable {
  readonly #options: LoadOptions
  readonly #agent: Agent
  readonly #failures: string[] = []
  readonly #latenciesMs: number[] = []
  readonly #startMs = performance.now()
  readonly #sockets = new Set<object>()
  #ok = 0
  #stopping = false
  readonly #workers: Promise<void>[]

  constructor(options: LoadOptions) {
    this.#options = options
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.connections })
    this.#workers = Array.from({ length: options.connections }, () => this.#work())
  }

  get ok(): number {
    return this.#ok
  }

  async stop(): Promise<LoadResult> {
    this.#stopping = true
    await Promise.all(this.#workers)
    this.#agent.destroy()
    return {
      ok: this.#ok,
      failures: this.#failures,
      connectionsOpened: this.#sockets.size,
      latenciesMs: this.#latenciesMs,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #work(): Promise<void> {
    while (!this.#stopping && this.#failures.length < mostFailures) {
      const startMs = performance.now()
      const failure = await this.#once()
      if (failure === undefined) {
        this.#ok++
        this.#latenciesMs.push(performance.now() - startMs)
      } else {
        const [sentMs, failedMs] = [startMs, performance.now()].map((ms) => Math.round(ms - this.#startMs))
        this.#failures.push(`sent at ${sentMs} ms, failed at ${failedMs} ms: ${failure}`)
      }
      await new Promise((resolve) => setTimeout(resolve, this.#options.pauseMs))
    }
  }

  #once(): Promise<string | undefined> {
    return new Promise((resolve) => {
      const { url, method = 'GET', headers = {}, check } = this.#options
      const sent = request(url, { agent: this.#agent, method, headers, timeout: 10_000 }, (response) => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (text: string) => (body += text))
        response.on('error', (error) => resolve(`response broke: ${error.message}`))
        response.on('end', () =>
          resolve(
            response.statusCode === 200
              ? check?.(response.headers, body)
              : `status ${response.statusCode}: ${body.slice(0, 200)}`,
          ),
        )
      })
      sent.on('socket', (socket) => this.#sockets.add(socket))
      sent.on('timeout', () => sent.destroy(new Error('no answer within 10 s')))
      sent.on('error', (error) => resolve(error.message))
      sent.end()
    })
  }
}

/** The value below which `share` (0 to 1) of the values lie. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}
