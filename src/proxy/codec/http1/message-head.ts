// Start lines and heads of HTTP/1.1 messages: bytes of one complete head → a value, or HttpParseError.
import type { RequestHead, ResponseHead } from '../../../contracts/http-message.ts'
import type { BodyLength } from '../http-stream.ts'
import { isTarget, isToken, SP } from './characters.ts'
import { type Fields, parseFields } from './fields.ts'
import { limits } from './limits.ts'
import { badMessage, HttpParseError } from './parse-error.ts'

export interface ParsedRequest {
  readonly head: RequestHead
  readonly protocol: 'HTTP/1.0' | 'HTTP/1.1'
  readonly length: BodyLength
  /** The caller wants the connection kept. */
  readonly persistent: boolean
  readonly upgrade: string | undefined
  readonly expectsContinue: boolean
}

export interface ParsedResponse {
  readonly head: ResponseHead
  /** `unknown` when chunked or ended by the connection's end. */
  readonly length: BodyLength
  readonly chunked: boolean
  readonly persistent: boolean
  readonly upgrade: string | undefined
  readonly keepAliveSeconds: number | undefined
}

/** `bytes[start..end)` is a head with its empty line. Throws HttpParseError. */
export function parseRequestHead(bytes: Buffer, start: number, end: number): ParsedRequest {
  const text = bytes.toString('latin1', start, end)
  let at = start
  while (isToken[bytes[at] as number] === 1) at++
  if (at === start || at - start > 32 || bytes[at] !== SP) badMessage('the request does not start with a method')
  const method = text.substring(0, at - start)
  const targetStart = ++at
  while (isTarget[bytes[at] as number] === 1) at++
  if (at - start > limits.requestLineBytes) throw new HttpParseError(414, 'the request target is too long')
  if (at === targetStart || bytes[at] !== SP)
    badMessage('the request target is empty or holds a character that is not allowed')
  const target = text.substring(targetStart - start, at - start)
  const line = text.indexOf('\r\n', at - start)
  const protocol = text.substring(at + 1 - start, line)
  if (protocol !== 'HTTP/1.1' && protocol !== 'HTTP/1.0') refuseProtocol(protocol)
  const fields = parseFields(bytes, start + line + 2, end - 2, text, start)
  const head = locate(method, target, protocol, fields)
  const length = requestLength(protocol, fields)
  if (method === 'CONNECT' && length !== 0) badMessage('CONNECT with a body')
  return {
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
  if (host !== undefined && !isAuthority(host)) badMessage('the Host line is not a host and port')
  const authority = (host ?? '').toLowerCase()
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

const authorityPattern = /^(?:\[[0-9a-f:.]+\]|[\w.~!$&'()*+,;=%-]*)(?::\d{0,5})?$/i

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

/** `method` is the request's: it decides whether there is a body. Throws HttpParseError. */
export function parseResponseHead(bytes: Buffer, start: number, end: number, method: string): ParsedResponse {
  const text = bytes.toString('latin1', start, end)
  const line = text.indexOf('\r\n')
  const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/.exec(text.substring(0, line))
  if (statusLine === null) badMessage('the response does not start with a status line')
  const [, minor, code] = statusLine as unknown as [string, string, string]
  const status = Number(code)
  const fields = parseFields(bytes, start + line + 2, end - 2, text, start)
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
    head: { status, headers: fields.headers },
    length,
    chunked,
    persistent: minor === '1' && !fields.close && (length !== 'unknown' || chunked),
    upgrade: fields.upgrade,
    keepAliveSeconds: fields.keepAliveSeconds,
  }
}
