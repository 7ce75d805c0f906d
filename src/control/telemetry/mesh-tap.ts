// Requests as they happen, for who watches the page: the decision records that proxies give at their admin ports, while somebody watches and no longer.
import { Agent, get } from 'node:http'
import type { IncomingMessage } from 'node:http'

import { z } from 'zod'

import type { DecisionRecord } from '../../contracts/decision-record.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import { KeptRequests } from './kept-requests.ts'
import { decisionRecord } from './record-schema.ts'

/** A proxy that may be asked. */
export interface TappedProxy {
  /** "default/web". */
  readonly name: string
  /** "http://127.0.0.1:20003". */
  readonly adminUrl: string
}

export interface ProxyAdmins {
  readonly clock: Clock
  /** Bearer token of the proxies' admin ports. */
  readonly token: string
  /** Those that there are now. */
  readonly proxies: () => readonly TappedProxy[]
}

export interface TapState {
  /** Names of those that answer, and of those that do not: they stopped, or run where this control plane cannot reach their admin ports. */
  readonly answering: readonly string[]
  readonly silent: readonly string[]
  /** Records that were left out since the tap began: they came faster than anybody can read. */
  readonly leftOut: number
}

export interface Tapping {
  state(): TapState
  close(): void
}

/** How often it looks for proxies that came, went or started again. */
const lookMs = 1_000
/** A second; then the proxies are not read from, and leave out what they cannot get rid of. */
const mostRecords = 500
const mostLineLength = 256 * 1024

export class MeshTap {
  /** What was tapped, so that one can be looked at with all its hops: the newest. */
  readonly requests: KeptRequests = new KeptRequests({ mostRecords: 5_000, mostCharacters: 8 * 1024 * 1024 })
  readonly #deps: ProxyAdmins

  constructor(deps: ProxyAdmins) {
    this.#deps = deps
  }

  /** `query`: as the proxies take it. `take` must not throw. */
  open(query: URLSearchParams, take: (record: DecisionRecord) => void): Tapping {
    const { clock, token, proxies } = this.#deps
    // an own agent: Node's global one obeys HTTP_PROXY when NODE_USE_ENV_PROXY is set
    const agent = new Agent({ keepAlive: false })
    const streams = new Map<string, TappedStream>()
    let budget = mostRecords
    let leftOut = 0
    const listener: StreamListener = {
      mayRead: () => budget > 0,
      record: (record) => {
        budget--
        this.requests.add(record)
        take(record)
      },
      leftOut: (count) => (leftOut += count),
    }
    const look = (): void => {
      budget = mostRecords
      const wanted = new Set<string>()
      for (const { name, adminUrl } of proxies()) {
        const key = `${name} ${adminUrl}`
        wanted.add(key)
        const stream = streams.get(key)
        if (stream === undefined || stream.state === 'ended') {
          const options = { agent, headers: { authorization: `Bearer ${token}` } }
          streams.set(key, new TappedStream(name, new URL(`/tap?${query.toString()}`, adminUrl), options, listener))
        } else stream.read()
      }
      for (const [key, stream] of streams) {
        if (wanted.has(key)) continue
        stream.close()
        streams.delete(key)
      }
      timer = clock.setTimer(lookMs, look)
    }
    let timer: Timer | undefined
    look()
    return {
      state() {
        return { answering: namesOf(streams, 'open'), silent: namesOf(streams, 'ended'), leftOut }
      },
      close() {
        timer?.cancel()
        for (const stream of streams.values()) stream.close()
        agent.destroy()
      },
    }
  }
}

function namesOf(streams: ReadonlyMap<string, TappedStream>, wanted: TappedStream['state']): string[] {
  return [...streams.values()].filter(({ state }) => state === wanted).map(({ name }) => name)
}

/** What a proxy says is held against it before it is believed. */
const tapLine = z
  .string()
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text)
    } catch {
      context.addIssue('is no JSON')
      return z.NEVER
    }
  })
  .pipe(z.union([z.object({ dropped: z.int() }), decisionRecord]))

interface StreamListener {
  readonly mayRead: () => boolean
  readonly record: (record: DecisionRecord) => void
  readonly leftOut: (count: number) => void
}

/** One proxy's records, one JSON object a line. */
class TappedStream {
  readonly name: string
  state: 'asked' | 'open' | 'ended' = 'asked'
  readonly #request: ReturnType<typeof get>
  readonly #listener: StreamListener
  #answer: IncomingMessage | undefined
  /** What came and is not read yet. */
  #text = ''

  constructor(name: string, url: URL, options: Parameters<typeof get>[1], listener: StreamListener) {
    this.name = name
    this.#listener = listener
    this.#request = get(url, options, (answer) => {
      if (answer.statusCode !== 200) {
        this.close()
        return
      }
      this.state = 'open'
      this.#answer = answer.setEncoding('utf8')
      answer.on('data', (text: string) => {
        this.#text += text
        this.read()
      })
      answer.on('error', () => this.close())
      answer.on('close', () => this.close())
    })
    this.#request.on('error', () => this.close())
  }

  /** As far as it may; a proxy that is not read from leaves records out by itself. */
  read(): void {
    if (this.state !== 'open') return
    let start = 0
    for (
      let end = this.#text.indexOf('\n');
      end >= 0 && this.#listener.mayRead();
      end = this.#text.indexOf('\n', start)
    ) {
      this.#line(this.#text.slice(start, end))
      start = end + 1
    }
    this.#text = this.#text.slice(start)
    if (this.#text.length > mostLineLength && !this.#text.includes('\n')) this.close()
    else if (this.#listener.mayRead()) this.#answer?.resume()
    else this.#answer?.pause()
  }

  close(): void {
    this.state = 'ended'
    this.#text = ''
    this.#request.destroy()
  }

  #line(line: string): void {
    const { success, data } = tapLine.safeParse(line)
    if (!success) this.close()
    else if ('dropped' in data) this.#listener.leftOut(data.dropped)
    else this.#listener.record(data)
  }
}
