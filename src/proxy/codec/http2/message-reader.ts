// One decoded header block as a message's head or trailers, checked as RFC 9113 section 8 wants it.
import { HeaderList } from '../../../core/header-list.ts'
import { isForbiddenTrailer } from '../forbidden-trailers.ts'
import { isToken } from '../http1/characters.ts'
import { fieldKinds } from './header-rules.ts'
import type { FieldSink } from './hpack/decoder.ts'
import { limits } from './limits.ts'

export type MessagePart = 'request' | 'response' | 'trailers'

const targetPattern = /^\/[\x21\x22\x24-\x7e]*$/
const authorityPattern = /^(?:\[[0-9a-f:.]+\]|[\w.~!$&'()*+,;=%-]+)(?::\d{0,5})?$/i
const longestTarget = 16_384

export class MessageReader implements FieldSink {
  method: string | undefined
  path: string | undefined
  scheme: string | undefined
  authority: string | undefined
  protocol: string | undefined
  status = 0
  contentLength: number | undefined
  expectsContinue = false
  /** What is wrong with the message: the stream ends with PROTOCOL_ERROR. */
  problem: string | undefined
  /** What a server answers to a well-formed request that it does not take; 0: none. */
  refusal: 0 | 414 | 417 | 431 | 501 = 0
  #part: MessagePart = 'request'
  #lines: string[] = []
  #bytes = 0
  #limitBytes = 0
  #host: string | undefined
  #cookie: string | undefined
  #regularSeen = false
  /** Checked before: callers say the same one again and again. */
  #knownAuthority: string | undefined

  begin(part: MessagePart): void {
    this.#part = part
    this.#lines = []
    this.#bytes = 0
    this.#limitBytes = part === 'trailers' ? limits.trailerBytes : limits.headBytes
    this.#host = undefined
    this.#cookie = undefined
    this.#regularSeen = false
    this.method = undefined
    this.path = undefined
    this.scheme = undefined
    this.authority = undefined
    this.protocol = undefined
    this.status = 0
    this.contentLength = undefined
    this.expectsContinue = false
    this.problem = undefined
    this.refusal = 0
  }

  field(kind: number, name: string, value: string): void {
    this.#bytes += name.length + value.length + 4
    if (this.#bytes > this.#limitBytes) {
      this.refusal = 431
      return
    }
    if (kind === fieldKinds.regular) {
      this.#regularSeen = true
      if (this.#part !== 'trailers' || !isForbiddenTrailer(name)) this.#lines.push(name, value)
      return
    }
    this.#special(kind, name, value)
  }

  /** The lines collected, with the pieces of the cookie joined (RFC 9113 section 8.2.3). */
  takeHeaders(): HeaderList {
    const lines = this.#lines
    this.#lines = []
    if (this.#cookie !== undefined) lines.push('cookie', this.#cookie)
    if (lines.length > limits.headerLines * 2) this.refusal = 431
    return new HeaderList(lines)
  }

  /** Sees that a request is whole. `problem` and `refusal` say what is not. */
  finishRequest(): void {
    const { method, path, scheme, protocol } = this
    const authority = this.#settleAuthority()
    if (this.problem !== undefined || this.refusal === 431) return
    if (method === undefined || authority === undefined) {
      this.#wrong(method === undefined ? ':method is missing' : 'the request names no host')
      return
    }
    if (method === 'CONNECT' && protocol === undefined) {
      if (path !== undefined || scheme !== undefined) this.#wrong('CONNECT with :path or :scheme')
      else if (!/:\d{1,5}$/.test(authority)) this.#wrong('the target of CONNECT is not host:port')
      return
    }
    if (scheme === undefined || path === undefined) {
      this.#wrong(scheme === undefined ? ':scheme is missing' : ':path is missing')
    } else if (scheme !== 'http' && scheme !== 'https') {
      this.#wrong(':scheme is not http or https')
    } else if (protocol !== undefined) {
      if (method !== 'CONNECT') this.#wrong(':protocol without CONNECT')
      else if (protocol.toLowerCase() !== 'websocket') this.refusal = 501
    }
    if (path !== undefined && !targetPattern.test(path) && !(path === '*' && method === 'OPTIONS'))
      this.#wrong(':path does not start with "/" or holds a character that is not allowed')
    if (path !== undefined && path.length > longestTarget) this.refusal = 414
  }

  #settleAuthority(): string | undefined {
    const authority = (this.authority ?? this.#host)?.toLowerCase()
    if (this.authority !== undefined && this.#host !== undefined && this.#host.toLowerCase() !== authority)
      this.#wrong('Host and :authority differ')
    if (authority === undefined) return undefined
    if (authority !== this.#knownAuthority) {
      if (authorityPattern.test(authority)) this.#knownAuthority = authority
      else this.#wrong(':authority is not a host and port')
    }
    return (this.authority = authority)
  }

  #special(kind: number, name: string, value: string): void {
    if (kind <= fieldKinds.unknownPseudo) {
      this.#pseudo(kind, name, value)
      return
    }
    this.#regularSeen = true
    switch (kind) {
      case fieldKinds.contentLength:
        this.#takeContentLength(name, value)
        return
      case fieldKinds.te:
        if (value.toLowerCase() !== 'trailers') this.#wrong('te says more than "trailers"')
        break
      case fieldKinds.host:
        if (this.#part !== 'request') return
        if (this.#host !== undefined && this.#host !== value) this.#wrong('two Host lines differ')
        this.#host = value
        return
      case fieldKinds.cookie:
        if (this.#part !== 'request') break
        this.#cookie = this.#cookie === undefined ? value : `${this.#cookie}; ${value}`
        return
      case fieldKinds.expect:
        if (this.#part !== 'request') break
        if (value.toLowerCase() === '100-continue') this.expectsContinue = true
        else this.refusal = 417
        break
      case fieldKinds.connection:
        this.#wrong(`${name} belongs to HTTP/1.1`)
        return
      default:
        this.#wrong('a header name or value holds a character that is not allowed')
        return
    }
    if (this.#part !== 'trailers' || !isForbiddenTrailer(name)) this.#lines.push(name, value)
  }

  #pseudo(kind: number, name: string, value: string): void {
    if (this.#regularSeen) this.#wrong('a pseudo-header comes after a header')
    if (this.#part === 'trailers') this.#wrong('a pseudo-header in trailers')
    if ((kind === fieldKinds.status) !== (this.#part === 'response')) this.#wrong(`${name} does not belong here`)
    let earlier: string | number | undefined
    switch (kind) {
      case fieldKinds.method:
        earlier = this.method
        if (value.length > 32 || !isTokenText(value)) this.#wrong(':method is not a method')
        this.method = value
        break
      case fieldKinds.path:
        earlier = this.path
        this.path = value
        break
      case fieldKinds.scheme:
        earlier = this.scheme
        this.scheme = value
        break
      case fieldKinds.authority:
        earlier = this.authority
        this.authority = value
        break
      case fieldKinds.protocol:
        earlier = this.protocol
        this.protocol = value
        break
      case fieldKinds.status:
        earlier = this.status === 0 ? undefined : this.status
        if (!/^[1-9]\d\d$/.test(value)) this.#wrong(':status is not a status')
        this.status = Number(value)
        break
      default:
        this.#wrong('a pseudo-header that does not exist')
    }
    if (earlier !== undefined) this.#wrong(`${name} comes twice`)
  }

  #takeContentLength(name: string, value: string): void {
    if (this.#part === 'trailers') return
    if (!/^\d{1,15}$/.test(value)) {
      this.#wrong('content-length is not a number')
      return
    }
    const length = Number(value)
    if (this.contentLength === undefined) {
      this.contentLength = length
      this.#lines.push(name, value)
    } else if (this.contentLength !== length) {
      this.#wrong('two content-length lines differ')
    }
  }

  #wrong(problem: string): void {
    this.problem ??= problem
  }
}

function isTokenText(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (isToken[text.charCodeAt(at)] !== 1) return false
  return text.length > 0
}
