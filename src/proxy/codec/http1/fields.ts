// The header lines of one message: checked, freed of what concerns only this hop, with the facts that framing needs.
import { HeaderList } from '../../../core/header-list.ts'
import { isForbiddenTrailer } from '../forbidden-trailers.ts'
import { COLON, CR, HT, isFieldText, isToken, LF, SP } from './characters.ts'
import { limits } from './limits.ts'
import { badMessage, HttpParseError } from './parse-error.ts'

export interface Fields {
  /** Position after the empty line. */
  readonly end: number
  /** Without Host and without hop-by-hop lines (RFC 9110 section 7.6.1); Content-Length stays. */
  readonly headers: HeaderList
  readonly host: string | undefined
  readonly contentLength: number | undefined
  readonly transferEncoding: string | undefined
  /** Connection options. */
  readonly close: boolean
  readonly keepAlive: boolean
  /** The Upgrade line, when Connection names it. */
  readonly upgrade: string | undefined
  readonly expect: string | undefined
  /** Seconds that the peer keeps an idle connection, from "Keep-Alive: timeout=5". */
  readonly keepAliveSeconds: number | undefined
}

/**
 * Lines from `from` to the empty line, which is read too. `text` is `bytes` from `base` to `end` as Latin-1. Undefined: they go on beyond
 * `end`. Throws HttpParseError.
 */
export function parseFields(
  bytes: Uint8Array,
  from: number,
  end: number,
  text: string,
  base: number,
): Fields | undefined {
  const hop = new HopFields()
  let plain = true
  let count = 0
  let used = 0
  let at = from
  while (bytes[at] !== CR) {
    const nameStart = at
    while (at < end && isToken[bytes[at] as number] === 1) at++
    if (at >= end) return undefined
    if (at === nameStart || bytes[at] !== COLON) refuseName(bytes, nameStart, at)
    const nameEnd = at++
    while (at < end && (bytes[at] === SP || bytes[at] === HT)) at++
    const valueStart = at
    while (at < end && isFieldText[bytes[at] as number] === 1) at++
    if (at + 1 >= end) return undefined
    if (bytes[at] !== CR || bytes[at + 1] !== LF) badMessage('a header value holds a control character')
    let valueEnd = at
    while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HT)) valueEnd--
    if (valueStart !== nameEnd + 2 || bytes[nameEnd + 1] !== SP || valueEnd !== at) plain = false
    at += 2
    if (++count > limits.headerLines) throw new HttpParseError(431, `more than ${limits.headerLines} header lines`)
    const length = nameEnd - nameStart
    if (length <= longestHopName && mayConcernHop[hopKey(length, bytes[nameStart] as number)] === 1) {
      const name = text.substring(nameStart - base, nameEnd - base).toLowerCase()
      if (hop.takes(name, text.substring(valueStart - base, valueEnd - base))) continue
    }
    scratch[used++] = nameStart - base
    scratch[used++] = nameEnd - base
    scratch[used++] = valueStart - base
    scratch[used++] = valueEnd - base
  }
  if (at + 1 >= end) return undefined
  if (bytes[at + 1] !== LF) badMessage('a line ends with a bare CR')
  hop.end = at + 2
  return hop.finish(HeaderList.received(text, scratch.slice(0, used), plain))
}

/** Positions of the lines of the head at hand: an array that grows would be copied several times a head. */
const scratch: number[] = Array.from({ length: limits.headerLines * 4 }, () => 0)

/** Names that concern a hop, by length and first letter: most lines are passed on without a further look. */
const hopNames = [
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'content_length',
  'transfer_encoding',
  'upgrade',
  'keep-alive',
  'te',
  'proxy-connection',
  'expect',
]
const longestHopName = 17
const mayConcernHop = new Uint8Array((longestHopName + 1) * 32)
for (const name of hopNames) mayConcernHop[hopKey(name.length, name.charCodeAt(0))] = 1

/** Letters of either case have the same last five bits. */
function hopKey(length: number, first: number): number {
  return length * 32 + (first & 31)
}

/** Gathers what of a head concerns this hop, line by line. */
class HopFields {
  end = 0
  host: string | undefined = undefined
  contentLength: number | undefined = undefined
  transferEncoding: string | undefined = undefined
  upgrade: string | undefined = undefined
  expect: string | undefined = undefined
  keepAliveSeconds: number | undefined = undefined
  close = false
  keepAlive = false
  headers: HeaderList = noHeaders
  #connection: string | undefined = undefined

  /** True: the line goes no further. `name` in lower case. */
  takes(name: string, value: string): boolean {
    switch (name) {
      case 'host':
        if (this.host !== undefined) badMessage('more than one Host line')
        this.host = value
        return true
      case 'connection':
        this.#connection = joined(this.#connection, value)
        return true
      case 'content-length':
        return !takeContentLength(this, value)
      case 'transfer-encoding':
        this.transferEncoding = joined(this.transferEncoding, value)
        return true
      // Gateways behind CGI-like interfaces read these as the lines with hyphens.
      case 'content_length':
      case 'transfer_encoding':
        return badMessage('a framing line is spelt with an underscore')
      case 'upgrade':
        this.upgrade = joined(this.upgrade, value)
        return true
      case 'keep-alive':
        this.keepAliveSeconds = keepAliveTimeout(value)
        return true
      case 'te':
      case 'proxy-connection':
        return true
      case 'expect':
        this.expect = value.toLowerCase()
        return false
      default:
        return false
    }
  }

  finish(headers: HeaderList): Fields {
    this.headers = headers
    let upgrade = false
    if (this.#connection !== undefined) {
      for (const part of this.#connection.toLowerCase().split(',')) {
        const option = part.trim()
        if (option === 'close') this.close = true
        else if (option === 'keep-alive') this.keepAlive = true
        else if (option === 'upgrade') upgrade = true
        else if (option !== '') headers.delete(option)
      }
    }
    if (!upgrade) this.upgrade = undefined
    return this
  }
}

const noHeaders = new HeaderList()

/** A list whose lines are one, as RFC 9110 section 5.3 has it. */
function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before},${value}`
}

function refuseName(bytes: Uint8Array, start: number, at: number): never {
  const byte = bytes[at] as number
  if (byte !== SP && byte !== HT) badMessage('a header name is empty or holds a character that is not allowed')
  badMessage(at === start ? 'a header line is folded' : 'there is space before the colon of a header line')
}

/** False for a repetition of the same length, which is dropped (RFC 9110 section 8.6). */
function takeContentLength(fields: { contentLength: number | undefined }, value: string): boolean {
  const length = parseLength(value)
  if (length === undefined) badMessage('Content-Length is not a number')
  if (fields.contentLength === undefined) {
    fields.contentLength = length
    return true
  }
  if (fields.contentLength !== length) badMessage('two Content-Length lines differ')
  return false
}

/** Digits and nothing else, few enough for a double. */
export function parseLength(text: string): number | undefined {
  if (text.length === 0 || text.length > 15) return undefined
  let length = 0
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return undefined
    length = length * 10 + digit
  }
  return length
}

function keepAliveTimeout(value: string): number | undefined {
  const seconds = /(?:^|[,\s])timeout=(\d{1,6})/i.exec(value)?.[1]
  return seconds === undefined ? undefined : Number(seconds)
}

/** Whole trailers with their empty line; lines that would change framing, routing or authentication are dropped (RFC 9110 section 6.5.1). */
export function parseTrailers(bytes: Buffer): HeaderList {
  const headers = parseFields(bytes, 0, bytes.length, bytes.toString('latin1'), 0)?.headers ?? new HeaderList()
  const names = [...headers].map(([name]) => name)
  for (const name of names) if (isForbiddenTrailer(name.toLowerCase())) headers.delete(name)
  return headers
}
