// Heads as a filter sees them: drafts that become real when its call has gone well, and are thrown away when it has not.
import type { FilterHeaders, FilterRequest, FilterResponse } from '../../contracts/filter.ts'
import type { RequestHead, ResponseHead } from '../../contracts/http-message.ts'
import type { HeaderList } from '../../core/header-list.ts'

/** They say how a message is framed, or speak of one connection: the proxy writes them. */
const framing: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const token = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/i
const visiblePath = /^(\/[\x21-\x7e]*|\*)$/

export class HeaderDraft implements FilterHeaders {
  readonly list: HeaderList
  changed = false
  /** Whoever comes too late changes nothing. */
  closed = false

  constructor(list: HeaderList) {
    this.list = list.clone()
  }

  get(name: string): string | undefined {
    return this.list.get(name)
  }

  has(name: string): boolean {
    return this.list.has(name)
  }

  set(name: string, value: string): void {
    this.#check(name, value)
    this.list.set(name, value)
  }

  append(name: string, value: string): void {
    this.#check(name, value)
    this.list.add(name, value)
  }

  delete(name: string): void {
    this.#check(name)
    this.list.delete(name)
  }

  [Symbol.iterator](): IterableIterator<readonly [name: string, value: string]> {
    return this.list[Symbol.iterator]()
  }

  #check(name: string, value: unknown = ''): void {
    if (this.closed) throw new Error('too late: the call that this head was given to is over')
    if (!token.test(name)) throw new TypeError(`${JSON.stringify(name)} is not a header name`)
    if (framing.has(name.toLowerCase()))
      throw new TypeError(`"${name}" belongs to the proxy: a filter cannot change it`)
    if (typeof value !== 'string') throw new TypeError(`the value of "${name}" is not a text`)
    this.changed = true
  }
}

export class RequestDraft implements FilterRequest {
  readonly method: string
  readonly scheme: 'http' | 'https'
  readonly authority: string
  readonly headers: HeaderDraft
  #path: string
  #pathChanged = false

  constructor(head: RequestHead) {
    this.method = head.method
    this.scheme = head.scheme
    this.authority = head.authority
    this.headers = new HeaderDraft(head.headers)
    this.#path = head.path
  }

  get path(): string {
    return this.#path
  }

  set path(path: string) {
    if (this.headers.closed) throw new Error('too late: the call that this head was given to is over')
    if (!visiblePath.test(path))
      throw new TypeError(`${JSON.stringify(path)} is not a path: it starts with "/" and has no blanks`)
    this.#pathChanged ||= path !== this.#path
    this.#path = path
  }

  get changed(): boolean {
    return this.#pathChanged || this.headers.changed
  }

  /** Nobody changes it any more. */
  close(): void {
    this.headers.closed = true
  }

  /** `head` becomes what it has become. */
  commit(head: RequestHead): void {
    if (!this.changed) return
    head.path = this.#path
    head.headers.become(this.headers.list)
  }
}

export class ResponseDraft implements FilterResponse {
  readonly headers: HeaderDraft
  bodySkipped = false
  #status: number
  #statusChanged = false

  constructor(head: ResponseHead) {
    this.headers = new HeaderDraft(head.headers)
    this.#status = head.status
  }

  get status(): number {
    return this.#status
  }

  set status(status: number) {
    if (this.headers.closed) throw new Error('too late: the call that this head was given to is over')
    this.#statusChanged ||= status !== this.#status
    this.#status = checkedStatus(status)
  }

  get changed(): boolean {
    return this.#statusChanged || this.headers.changed
  }

  skipBody(): void {
    this.bodySkipped = true
  }

  close(): void {
    this.headers.closed = true
  }

  get head(): ResponseHead {
    return { status: this.#status, headers: this.headers.list }
  }
}

export function checkedStatus(status: number): number {
  if (!Number.isInteger(status) || status < 200 || status > 599)
    throw new TypeError(`${String(status)} is not a status of a response: 200 to 599`)
  return status
}
