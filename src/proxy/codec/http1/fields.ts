// The header lines of one message: checked, freed of what concerns only this hop, with the facts that framing needs.
import { HeaderList } from '../../../core/header-list.ts'
import { COLON, CR, HT, isFieldText, isToken, LF, SP } from './characters.ts'
import { limits } from './limits.ts'
import { badMessage, HttpParseError } from './parse-error.ts'

export interface Fields {
  /** Without Host and without hop-by-hop lines (RFC 9110 section 7.6.1); Content-Length stays. */
  readonly headers: HeaderList
  host: string | undefined
  contentLength: number | undefined
  transferEncoding: string | undefined
  /** Connection options. */
  close: boolean
  keepAlive: boolean
  /** The Upgrade line, when Connection names it. */
  upgrade: string | undefined
  expect: string | undefined
  /** Seconds that the peer keeps an idle connection, from "Keep-Alive: timeout=5". */
  keepAliveSeconds: number | undefined
}

/** `text` is `bytes` from `base` on as Latin-1. The last line ends right before `end`. Throws HttpParseError. */
export function parseFields(bytes: Uint8Array, from: number, end: number, text: string, base: number): Fields {
  const lines: string[] = []
  const fields: Fields = {
    headers: new HeaderList(lines),
    host: undefined,
    contentLength: undefined,
    transferEncoding: undefined,
    close: false,
    keepAlive: false,
    upgrade: undefined,
    expect: undefined,
    keepAliveSeconds: undefined,
  }
  let connection: string | undefined
  let count = 0
  let at = from
  while (at < end) {
    const nameStart = at
    while (isToken[bytes[at] as number] === 1) at++
    if (at === nameStart || bytes[at] !== COLON) refuseName(bytes, nameStart, at)
    const nameEnd = at++
    while (bytes[at] === SP || bytes[at] === HT) at++
    const valueStart = at
    while (isFieldText[bytes[at] as number] === 1) at++
    if (bytes[at] !== CR || bytes[at + 1] !== LF) badMessage('a header value holds a control character')
    let valueEnd = at
    while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HT)) valueEnd--
    at += 2
    if (++count > limits.headerLines) throw new HttpParseError(431, `more than ${limits.headerLines} header lines`)
    const name = text.substring(nameStart - base, nameEnd - base)
    const value = text.substring(valueStart - base, valueEnd - base)
    if (mayConcernHop[name.length] === 1) {
      switch (name.toLowerCase()) {
        case 'host':
          if (fields.host !== undefined) badMessage('more than one Host line')
          fields.host = value
          continue
        case 'connection':
          connection = connection === undefined ? value : `${connection},${value}`
          continue
        case 'content-length':
          if (!takeContentLength(fields, value)) continue
          break
        case 'transfer-encoding':
          fields.transferEncoding =
            fields.transferEncoding === undefined ? value : `${fields.transferEncoding},${value}`
          continue
        // Gateways behind CGI-like interfaces read these as the lines with hyphens.
        case 'content_length':
        case 'transfer_encoding':
          return badMessage('a framing line is spelt with an underscore')
        case 'upgrade':
          fields.upgrade = fields.upgrade === undefined ? value : `${fields.upgrade},${value}`
          continue
        case 'keep-alive':
          fields.keepAliveSeconds = keepAliveTimeout(value)
          continue
        case 'te':
        case 'proxy-connection':
          continue
        case 'expect':
          fields.expect = value.toLowerCase()
          break
        default:
      }
    }
    lines.push(name, value)
  }
  applyConnection(fields, connection)
  return fields
}

/** Lengths of the names that `parseFields` looks at: most lines are passed on without a look. */
const mayConcernHop: Uint8Array = Uint8Array.from({ length: limits.headBytes }, (_, length) =>
  [2, 4, 6, 7, 10, 14, 16, 17].includes(length) ? 1 : 0,
)

function refuseName(bytes: Uint8Array, start: number, at: number): never {
  const byte = bytes[at] as number
  if (byte !== SP && byte !== HT) badMessage('a header name is empty or holds a character that is not allowed')
  badMessage(at === start ? 'a header line is folded' : 'there is space before the colon of a header line')
}

/** False for a repetition of the same length, which is dropped (RFC 9110 section 8.6). */
function takeContentLength(fields: Fields, value: string): boolean {
  if (!/^\d{1,15}$/.test(value)) badMessage('Content-Length is not a number')
  const length = Number(value)
  if (fields.contentLength === undefined) {
    fields.contentLength = length
    return true
  }
  if (fields.contentLength !== length) badMessage('two Content-Length lines differ')
  return false
}

function keepAliveTimeout(value: string): number | undefined {
  const seconds = /(?:^|[,\s])timeout=(\d{1,6})/i.exec(value)?.[1]
  return seconds === undefined ? undefined : Number(seconds)
}

function applyConnection(fields: Fields, connection: string | undefined): void {
  let upgrade = false
  if (connection !== undefined) {
    for (const part of connection.toLowerCase().split(',')) {
      const option = part.trim()
      if (option === 'close') fields.close = true
      else if (option === 'keep-alive') fields.keepAlive = true
      else if (option === 'upgrade') upgrade = true
      else if (option !== '') fields.headers.delete(option)
    }
  }
  if (!upgrade) fields.upgrade = undefined
}

/** Trailer lines; those that would change framing, routing or authentication are dropped (RFC 9110 section 6.5.1). */
export function parseTrailers(bytes: Uint8Array, from: number, end: number, text: string, base: number): HeaderList {
  const { headers } = parseFields(bytes, from, end, text, base)
  for (const name of forbiddenTrailers) headers.delete(name)
  return headers
}

const forbiddenTrailers = [
  'content-length',
  'trailer',
  'expect',
  'authorization',
  'cookie',
  'set-cookie',
  'content-encoding',
  'content-type',
  'content-range',
  'cache-control',
]
