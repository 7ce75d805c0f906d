// Start lines and heads of HTTP/1.1 messages: bytes of one complete head → a value, or HttpParseError.
import type { RequestHead, ResponseHead } from '../../../contracts/http-message.ts'
import { knownText } from '../../../core/known-text.ts'
import { latin1Slice } from '../../../core/latin1.ts'
import type { BodyLength } from '../http-stream.ts'
import { CR, isFieldText, isTarget, isToken, LF, SP } from './characters.ts'
import { type Fields, parseFields } from './fields.ts'
import { limits } from './limits.ts'
import { badMessage, HttpParseError } from './parse-error.ts'

export interface ParsedRequest {
  /** Position after the head. */
  readonly end: number
  readonly head: RequestHead
  readonly protocol: 'HTTP/1.0' | 'HTTP/1.1'
  readonly length: BodyLength
  /** The caller wants the connection kept. */
  readonly persistent: boolean
  readonly upgrade: string | undefined
  readonly expectsContinue: boolean
}

export interface ParsedResponse {
  /** Position after the head. */
  readonly end: number
  readonly head: ResponseHead
  /** `unknown` when chunked or ended by the connection's end. */
  readonly length: BodyLength
  readonly chunked: boolean
  readonly persistent: boolean
  readonly upgrade: string | undefined
  readonly keepAliveSeconds: number | undefined
}

/** Undefined: the head goes on beyond `end`. Throws HttpParseError. */
export function parseRequestHead(bytes: Buffer, start: number, end: number): ParsedRequest | undefined {
  const text = latin1Slice(bytes, start, end)
  let at = start
  while (at < end && isToken[bytes[at] as number] === 1) at++
  if (at >= end) return undefined
  if (at === start || at - start > 32 || bytes[at] !== SP) badMessage('the request does not start with a method')
  const method = knownText(text, 0, at - start)
  const targetStart = ++at
  while (at < end && isTarget[bytes[at] as number] === 1) at++
  if (at - start > limits.requestLineBytes) throw new HttpParseError(414, 'the request target is too long')
  if (at >= end) return undefined
  if (at === targetStart || bytes[at] !== SP)
    badMessage('the request target is empty or holds a character that is not allowed')
  const target = text.substring(targetStart - start, at - start)
  const versionStart = at + 1
  const line = versionStart + http11.length
  if (line + 1 >= end) return undefined
  const protocol = text.startsWith(http11, versionStart - start) ? http11 : http10
  if (
    (protocol === http10 && !text.startsWith(http10, versionStart - start)) ||
    bytes[line] !== CR ||
    bytes[line + 1] !== LF
  ) {
    refuseProtocol(text.substring(versionStart - start, text.indexOf('\r\n', versionStart - start)))
  }
  const fields = parseFields(bytes, line + 2, end, text, start)
  if (fields === undefined) return undefined
  const head = locate(method, target, protocol, fields)
  const length = requestLength(protocol, fields)
  if (method === 'CONNECT' && length !== 0) badMessage('CONNECT with a body')
  return {
    end: fields.end,
    head,
    protocol,
    length,
    persistent: protocol === 'HTTP/1.1' ? !fields.close : fields.keepAlive && !fields.close,
    // Nothing but WebSocket: what is inside another protocol would pass by every policy.
    upgrade: protocol === 'HTTP/1.1' && length === 0 && isWebSocket(fields.upgrade) ? fields.upgrade : undefined,
    expectsContinue: expectsContinue(protocol, fields),
  }
}

function isWebSocket(upgrade: string | undefined): boolean {
  return upgrade !== undefined && upgrade.toLowerCase() === 'websocket'
}

function refuseProtocol(protocol: string): never {
  if (/^HTTP\/\d\.\d$/.test(protocol)) throw new HttpParseError(505, `${protocol} is not spoken here`)
  badMessage('the request line does not end with the protocol version')
}

/** The four forms of the request target (RFC 9112 section 3.2). */
function locate(method: string, target: string, protocol: string, fields: Fields): RequestHead {
  const { host, headers } = fields
  if (host === undefined && protocol === 'HTTP/1.1') badMessage('the Host line is missing')
  const authority = host === undefined ? '' : checkedAuthority(host)
  if (method === 'CONNECT') {
    if (!/:\d{1,5}$/.test(target) || !isAuthority(target)) badMessage('the target of CONNECT is not host:port')
    return { method, scheme: 'http', authority: target.toLowerCase(), path: '', headers }
  }
  if (target.startsWith('/')) return { method, scheme: 'http', authority, path: target, headers }
  if (target === '*' && method === 'OPTIONS') return { method, scheme: 'http', authority, path: '*', headers }
  const absolute = /^(https?):\/\/([^/?]+)(.*)$/i.exec(target)
  if (absolute === null) badMessage('the request target is not a path and not an http URL')
  const [, scheme, named, rest] = absolute as unknown as [string, string, string, string]
  if (!isAuthority(named)) badMessage('the URL of the request names no valid host')
  return {
    method,
    scheme: scheme.toLowerCase() === 'https' ? 'https' : 'http',
    authority: named.toLowerCase(),
    path: rest.startsWith('/') ? rest : rest === '' && method === 'OPTIONS' ? '*' : `/${rest}`,
    headers,
  }
}

const http11 = 'HTTP/1.1'
const http10 = 'HTTP/1.0'

const authorityPattern = /^(?:\[[0-9a-f:.]+\]|[\w.~!$&'()*+,;=%-]*)(?::\d{0,5})?$/i

let lastHost = ''
let lastAuthority = ''

/** Most requests name the host of the one before. Throws HttpParseError. */
function checkedAuthority(host: string): string {
  if (host !== lastHost) {
    if (!isAuthority(host)) badMessage('the Host line is not a host and port')
    lastHost = host
    lastAuthority = host.toLowerCase()
  }
  return lastAuthority
}

function isAuthority(text: string): boolean {
  return authorityPattern.test(text)
}

function requestLength(protocol: string, fields: Fields): BodyLength {
  const { transferEncoding, contentLength } = fields
  if (transferEncoding === undefined) return contentLength ?? 0
  if (contentLength !== undefined) badMessage('both Content-Length and Transfer-Encoding')
  if (protocol === 'HTTP/1.0') badMessage('Transfer-Encoding in an HTTP/1.0 request')
  const codings = transferEncoding.toLowerCase().split(',').map(withoutWhitespace)
  if (codings.length === 1 && codings[0] === 'chunked') return 'unknown'
  if (codings.indexOf('chunked') !== codings.length - 1) badMessage('chunked is not the last transfer coding, once')
  throw new HttpParseError(501, 'a transfer coding other than chunked')
}

/** Space and tab only: what `trim` takes off besides, like U+00A0, other readers take for a part of the coding. */
function withoutWhitespace(text: string): string {
  return text.replace(/^[\t ]+|[\t ]+$/g, '')
}

function expectsContinue(protocol: string, fields: Fields): boolean {
  if (fields.expect === undefined) return false
  if (fields.expect !== '100-continue') throw new HttpParseError(417, 'an expectation other than 100-continue')
  // RFC 9110 section 10.1.1: ignored from HTTP/1.0 clients.
  return protocol === 'HTTP/1.1'
}

/** `method` is the request's: it decides whether there is a body. Undefined: the head goes on beyond `end`. Throws HttpParseError. */
export function parseResponseHead(
  bytes: Buffer,
  start: number,
  end: number,
  method: string,
): ParsedResponse | undefined {
  const text = latin1Slice(bytes, start, end)
  // "HTTP/1.1 200" and a blank or the line's end.
  const minor = text.charAt(7)
  const status = parseStatus(text)
  let at = start + 12
  if (status < 100 || (minor !== '0' && minor !== '1') || !text.startsWith('HTTP/1.') || text.charCodeAt(8) !== SP) {
    if (!text.includes('\r\n')) return undefined
    badMessage('the response does not start with a status line')
  }
  if (bytes[at] === SP) while (at < end && isFieldText[bytes[at] as number] === 1) at++
  if (at + 1 >= end) return undefined
  if (bytes[at] !== CR || bytes[at + 1] !== LF) badMessage('the response does not start with a status line')
  const fields = parseFields(bytes, at + 2, end, text, start)
  if (fields === undefined) return undefined
  const { transferEncoding, contentLength } = fields
  if (transferEncoding !== undefined && contentLength !== undefined)
    badMessage('both Content-Length and Transfer-Encoding')
  if (transferEncoding !== undefined && (minor === '0' || transferEncoding.toLowerCase() !== 'chunked')) {
    badMessage('a transfer coding other than chunked')
  }
  const bodyless = method === 'HEAD' || status < 200 || status === 204 || status === 304
  const length = bodyless ? 0 : transferEncoding !== undefined ? 'unknown' : (contentLength ?? 'unknown')
  const chunked = !bodyless && transferEncoding !== undefined
  return {
    end: fields.end,
    head: { status, headers: fields.headers },
    length,
    chunked,
    persistent: minor === '1' && !fields.close && (length !== 'unknown' || chunked),
    upgrade: fields.upgrade,
    keepAliveSeconds: fields.keepAliveSeconds,
  }
}

/** Three digits, the first not 0; 0 for anything else. */
function parseStatus(text: string): number {
  let status = 0
  for (let i = 9; i < 12; i++) {
    const digit = text.charCodeAt(i) - 48
    if (!(digit >= 0 && digit <= 9)) return 0
    status = status * 10 + digit
  }
  return status
}
