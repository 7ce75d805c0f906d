// The header lines of one message, in wire order. Lookup ignores case. Lines as they were received stay one text until somebody changes them:
// most are only passed on, and a text is written as fast as it was read.

import { knownText } from './known-text.ts'

/** Positions of one received line in the text: name from and to, value from and to. */
const spanSize = 4

const noText = ''
const noSpans: number[] = []

export class HeaderList {
  #text = noText
  /** Received lines, `spanSize` numbers each; they come before the others. */
  #spans = noSpans
  /** Every received line is `name: value` and CR LF, with nothing between it and the next that is left. */
  #plain = true
  /** The other lines: name, value, name, value. */
  #lines: string[]
  /** A clone has the same ones: copy before changing. */
  #spansShared = false
  #linesShared = false

  /** `lines` were read from a message: they can be written into another. */
  constructor(lines: string[] = []) {
    this.#lines = lines
  }

  static of(...pairs: readonly (readonly [name: string, value: string])[]): HeaderList {
    return new HeaderList(pairs.flat().map(writable))
  }

  /** Lines of a head: four positions in `text` each. `plain`: written as `name: value` and CR LF without other blanks. */
  static received(text: string, spans: number[], plain: boolean): HeaderList {
    const list = new HeaderList()
    list.#text = text
    list.#spans = spans
    list.#plain = plain
    return list
  }

  /** Number of lines. */
  get size(): number {
    return this.receivedSize + this.#lines.length / 2
  }

  /** How many of the lines, the first ones, are as they were received. */
  get receivedSize(): number {
    return this.#spans.length / spanSize
  }

  /** The received lines, each `name: value` and CR LF. */
  receivedText(): string {
    const spans = this.#spans
    const text = this.#text
    let written = ''
    let runStart = 0
    let runEnd = 0
    for (let at = 0; at < spans.length; at += spanSize) {
      const start = spans[at] as number
      const end = (spans[at + 3] as number) + 2
      if (!this.#plain) {
        written += `${text.substring(start, spans[at + 1])}: ${text.substring(spans[at + 2] as number, spans[at + 3])}\r\n`
      } else if (start === runEnd) {
        runEnd = end
      } else {
        if (runEnd > runStart) written += text.substring(runStart, runEnd)
        runStart = start
        runEnd = end
      }
    }
    return runEnd > runStart ? written + text.substring(runStart, runEnd) : written
  }

  nameAt(line: number): string {
    const at = line * spanSize
    if (at < this.#spans.length) return knownText(this.#text, this.#spans[at] as number, this.#spans[at + 1] as number)
    return this.#lines[(line - this.receivedSize) * 2] as string
  }

  valueAt(line: number): string {
    const at = line * spanSize
    if (at < this.#spans.length) return this.#text.substring(this.#spans[at + 2] as number, this.#spans[at + 3])
    return this.#lines[(line - this.receivedSize) * 2 + 1] as string
  }

  /** Undefined when absent. Several lines of the name are joined, as RFC 9110 section 5.3 allows for list headers. */
  get(name: string, separator = ', '): string | undefined {
    let found: string | undefined
    for (let at = this.#nextSpan(0, name); at !== -1; at = this.#nextSpan(at + spanSize, name)) {
      const value = this.#text.substring(this.#spans[at + 2] as number, this.#spans[at + 3])
      found = found === undefined ? value : `${found}${separator}${value}`
    }
    const lines = this.#lines
    for (let i = 0; i < lines.length; i += 2) {
      if (!sameName(lines[i] as string, name)) continue
      found = found === undefined ? (lines[i + 1] as string) : `${found}${separator}${lines[i + 1]}`
    }
    return found
  }

  hasReceived(name: string): boolean {
    return this.#nextSpan(0, name) !== -1
  }

  has(name: string): boolean {
    if (this.hasReceived(name)) return true
    const lines = this.#lines
    for (let i = 0; i < lines.length; i += 2) if (sameName(lines[i] as string, name)) return true
    return false
  }

  /** Replaces every line of that name by one: behind the received ones, whose order among other names says nothing (RFC 9110 section 5.3). */
  set(name: string, value: string): void {
    this.#deleteSpans(name)
    const lines = this.#ownLines()
    for (let i = 0; i < lines.length; i += 2) {
      if (!sameName(lines[i] as string, name)) continue
      lines[i] = writable(name)
      lines[i + 1] = writable(value)
      this.#deleteLines(i + 2, name)
      return
    }
    lines.push(writable(name), writable(value))
  }

  add(name: string, value: string): void {
    this.#ownLines().push(writable(name), writable(value))
  }

  delete(name: string): void {
    this.#deleteSpans(name)
    const lines = this.#lines
    for (let i = 0; i < lines.length; i += 2) {
      if (!sameName(lines[i] as string, name)) continue
      this.#ownLines()
      this.#deleteLines(i, name)
      return
    }
  }

  /** `prefix` in lower case. */
  deletePrefixed(prefix: string): void {
    for (let line = 0; line < this.size;) {
      // Only lines of that name, which begin here, go: the next one has moved to this place.
      if (this.#startsWith(line, prefix)) this.delete(this.nameAt(line))
      else line++
    }
  }

  clone(): HeaderList {
    const copy = new HeaderList(this.#lines)
    copy.#text = this.#text
    copy.#spans = this.#spans
    copy.#plain = this.#plain
    copy.#spansShared = this.#spansShared = true
    copy.#linesShared = this.#linesShared = true
    return copy
  }

  /** Has the lines of `other` from now on, which is not to be changed any more. */
  become(other: HeaderList): void {
    this.#lines = other.#lines
    this.#text = other.#text
    this.#spans = other.#spans
    this.#plain = other.#plain
    this.#spansShared = true
    this.#linesShared = true
  }

  *[Symbol.iterator](): IterableIterator<readonly [name: string, value: string]> {
    for (let line = 0; line < this.size; line++) yield [this.nameAt(line), this.valueAt(line)]
  }

  /** Position in the spans of the next received line of that name; -1: none. */
  #nextSpan(from: number, name: string): number {
    const spans = this.#spans
    const { length } = name
    for (let at = from; at < spans.length; at += spanSize) {
      const start = spans[at] as number
      if ((spans[at + 1] as number) - start === length && namesAt(this.#text, start, name)) return at
    }
    return -1
  }

  #startsWith(line: number, prefix: string): boolean {
    const at = line * spanSize
    if (at >= this.#spans.length) {
      const name = this.nameAt(line)
      return name.length >= prefix.length && namesAt(name, 0, prefix)
    }
    const start = this.#spans[at] as number
    return (this.#spans[at + 1] as number) - start >= prefix.length && namesAt(this.#text, start, prefix)
  }

  #ownLines(): string[] {
    if (this.#linesShared) {
      this.#linesShared = false
      this.#lines = this.#lines.slice()
    }
    return this.#lines
  }

  #deleteSpans(name: string): void {
    for (let at = this.#nextSpan(0, name); at !== -1; at = this.#nextSpan(at, name)) {
      if (this.#spansShared) {
        this.#spansShared = false
        this.#spans = this.#spans.slice()
      }
      this.#spans.copyWithin(at, at + spanSize).length -= spanSize
    }
  }

  #deleteLines(start: number, name: string): void {
    const lines = this.#lines
    let to = start
    for (let i = start; i < lines.length; i += 2) {
      if (sameName(lines[i] as string, name)) continue
      if (to !== i) {
        lines[to] = lines[i] as string
        lines[to + 1] = lines[i + 1] as string
      }
      to += 2
    }
    lines.length = to
  }
}

/** What could end its line, and forge others, becomes "?", and blanks at the ends go: configuration and filters may put anything in. */
function writable(text: string): string {
  return isPlain(text) ? text : text.replace(unwritable, '?').replace(/^[\t ]+|[\t ]+$/g, '')
}

const unwritable = /[^\t\x20-\x7e\x80-\xff]/g
const unusual = /[^\x20-\x7e]/
const blank = 0x20

/** Nearly every name and value is. */
function isPlain(text: string): boolean {
  return !unusual.test(text) && text.charCodeAt(0) !== blank && text.charCodeAt(text.length - 1) !== blank
}

function sameName(a: string, b: string): boolean {
  return a === b || (a.length === b.length && namesAt(a, 0, b))
}

/** Whether `name` stands at `start`, in whatever case. */
function namesAt(text: string, start: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const a = text.charCodeAt(start + i)
    const b = name.charCodeAt(i)
    if (a !== b && (lowerCase[a] ?? a) !== (lowerCase[b] ?? b)) return false
  }
  return true
}

const lowerCase = Uint8Array.from({ length: 256 }, (_, code) => (code >= 65 && code <= 90 ? code + 32 : code))
