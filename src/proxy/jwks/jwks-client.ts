// Fetches a JSON Web Key Set by http or https: seldom, and off the path of requests, so with Node's own client.
import { get as httpGet } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { get as httpsGet } from 'node:https'

import type { Clock } from '../../core/clock.ts'

export interface FetchedJwks {
  readonly text: string
  /** What the server says (Cache-Control); undefined: nothing. */
  readonly maxAgeMs: number | undefined
}

export interface FetchOptions {
  readonly clock: Clock
  /** For the whole exchange. */
  readonly timeoutMs: number
  /** Ends the fetch with a rejection. */
  readonly signal: AbortSignal
  /** PEM of the roots to trust; undefined: those of the runtime. */
  readonly ca: string | undefined
}

export const maxJwksBytes: number = 1024 * 1024

/** Rejects with an Error that says why there is none. Follows no redirects: the keys are where the configuration says or nowhere. */
export function fetchJwks(url: URL, options: FetchOptions): Promise<FetchedJwks> {
  const { clock, timeoutMs, signal, ca } = options
  return new Promise((resolve, reject) => {
    // A connection of its own: there is none to keep for minutes
    const settings = {
      agent: false as const,
      signal,
      headers: { accept: 'application/jwk-set+json, application/json' },
    }
    const request: ClientRequest =
      url.protocol === 'https:'
        ? httpsGet(url, { ...settings, ...(ca === undefined ? {} : { ca }) })
        : httpGet(url, settings)
    const timer = clock.setTimer(timeoutMs, () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)))
    request.on('error', reject)
    request.on('response', (response) => {
      if (response.statusCode !== 200) {
        request.destroy(new Error(`the server answered with status ${response.statusCode}`))
        return
      }
      readBody(request, response, resolve, reject)
    })
    request.on('close', () => timer.cancel())
  })
}

function readBody(
  request: ClientRequest,
  response: IncomingMessage,
  resolve: (fetched: FetchedJwks) => void,
  reject: (reason: Error) => void,
): void {
  const chunks: Buffer[] = []
  let bytes = 0
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    chunks.push(chunk)
    if (bytes > maxJwksBytes) request.destroy(new Error(`the answer is larger than ${maxJwksBytes} bytes`))
  })
  response.on('error', reject)
  response.on('end', () => {
    resolve({ text: Buffer.concat(chunks).toString(), maxAgeMs: maxAgeMs(response.headers['cache-control']) })
  })
}

function maxAgeMs(cacheControl: string | undefined): number | undefined {
  if (cacheControl === undefined) return undefined
  if (/(?:^|[\s,])no-(?:store|cache)(?:$|[\s,=])/i.test(cacheControl)) return 0
  const seconds = /(?:^|[\s,])max-age="?([0-9]{1,9})(?![0-9])/i.exec(cacheControl)?.[1]
  return seconds === undefined ? undefined : Number(seconds) * 1000
}
