// Responses that never end: a configuration change must not touch them.
import { Agent, get } from 'node:http'

export class OpenStreams {
  readonly #agent = new Agent({ maxSockets: Infinity })
  readonly #lastTickMs: number[] = []
  readonly #broken: string[] = []
  #closing = false

  constructor(url: string, count: number) {
    for (let index = 0; index < count; index++) this.#open(url, index)
  }

  /** What went wrong with each stream that did not last: its end, or a silence of more than a second. */
  close(): readonly string[] {
    this.#closing = true
    const nowMs = performance.now()
    for (const [index, lastMs] of this.#lastTickMs.entries()) {
      if (nowMs - lastMs > 1_000) this.#broken.push(`stream ${index}: silent for ${Math.round(nowMs - lastMs)} ms`)
    }
    this.#agent.destroy()
    return this.#broken
  }

  #open(url: string, index: number): void {
    this.#lastTickMs[index] = performance.now()
    const ended = (why: string): void => {
      if (!this.#closing) this.#broken.push(`stream ${index}: ${why}`)
    }
    get(url, { agent: this.#agent }, (response) => {
      if (response.statusCode !== 200) ended(`status ${response.statusCode}`)
      response.on('data', () => (this.#lastTickMs[index] = performance.now()))
      response.on('close', () => ended('closed'))
      response.on('error', () => {})
    }).on('error', (error) => ended(error.message))
  }
}
