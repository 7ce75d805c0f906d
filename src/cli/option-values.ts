// What options of the command line take, from their text. Throws InvalidArgumentError, which commander tells with the option.
import { InvalidArgumentError } from 'commander'

import { mostBodyBytes } from '../contracts/telemetry/tap.ts'

export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value]
}

export function parsePort(text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port < 1 || port > 65535) throw new InvalidArgumentError('A port is 1 to 65535.')
  return port
}

export function parseSeconds(text: string): number {
  const seconds = Number(text)
  if (!(seconds > 0)) throw new InvalidArgumentError('Seconds are a number above 0.')
  return seconds
}

/** So long the control plane remembers. */
const longestTimeMs = 6 * 3_600_000

/** Of a time to look at, in milliseconds; a number alone is of seconds. */
export function parseTime(text: string): number {
  const ms = parseDuration(/^\d+$/.test(text) ? `${text}s` : text)
  if (ms >= 1_000 && ms <= longestTimeMs) return ms
  throw new InvalidArgumentError('A time is 1s to 6h, such as 30s, 5m or 1h30m.')
}

export function parseCount(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('A count is 1 or more.')
  return Number(text)
}

export function parseBodyBytes(text: string): number {
  const bytes = Number(text)
  if (/^[1-9]\d*$/.test(text) && bytes <= mostBodyBytes) return bytes
  throw new InvalidArgumentError(`Of a body there are 1 to ${mostBodyBytes} bytes; a workload stands before --bodies.`)
}

export function parseStatus(text: string): string {
  if (!/^([1-5]\d\d|[0-5]xx)$/.test(text)) throw new InvalidArgumentError('A status is 503 or 5xx.')
  return text
}

/** Address of a server, below which it is asked. Credentials would be seen by whoever lists processes. */
export function parseServer(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isServer = url !== undefined && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === ''
  if (!isServer) throw new InvalidArgumentError('A server is http://127.0.0.1:9090 or https://….')
  if (url.username !== '' || url.password !== '')
    throw new InvalidArgumentError('A server is told without credentials.')
  return text
}

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const

/** Milliseconds. */
export function parseDuration(text: string): number {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h)){1,4}$/.test(text))
    throw new InvalidArgumentError('A duration is 250ms, 2s, 10m or 1h30m.')
  const parts = [...text.matchAll(/([\d.]+)(ms|s|m|h)/g)]
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * unitMs[unit as keyof typeof unitMs], 0)
}

export function parseSeed(text: string): number {
  const seed = Number(text)
  if (!/^\d+$/.test(text) || seed > 4_294_967_295) throw new InvalidArgumentError('A seed is 0 to 4294967295.')
  return seed
}
