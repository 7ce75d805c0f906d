// HPACK header blocks (RFC 7541) → fields. Names and values that stand in a table cost no new string.
import { latin1Slice } from '../../../../core/latin1.ts'
import { isFieldText, isToken } from '../../http1/characters.ts'
import { fieldKindOf, fieldKinds } from '../header-rules.ts'
import { DynamicTable } from './dynamic-table.ts'
import { HpackError } from './hpack-error.ts'
import { decodeHuffman } from './huffman.ts'
import { staticCount, staticNames, staticValues } from './static-table.ts'

export interface FieldSink {
  /** `kind` is one of `fieldKinds`. */
  field(kind: number, name: string, value: string): void
}

const staticKinds: readonly number[] = staticNames.map(fieldKindOf)

/** Bytes of field names: tokens without upper case, and the colon that pseudo-headers start with. */
const isNameByte: Uint8Array = isToken.map((allowed, byte) => (byte >= 65 && byte <= 90 ? 0 : allowed))

/** Names that came as literals before, of all connections: a peer that puts none into its table costs no string each time. */
const knownNames: (string | undefined)[] = Array.from({ length: 256 }, () => undefined)
const knownKinds = new Uint8Array(256)
const longestKnownName = 64

let scratch: Buffer = Buffer.allocUnsafeSlow(4096)

export class HpackDecoder {
  readonly #table: DynamicTable
  /** The largest table that the peer may use. */
  readonly #limitBytes: number
  /** Where the integer or string ends that was read last, and where its bytes lie. */
  #at = 0
  #source: Buffer = scratch
  #from = 0
  #to = 0
  /** Kind of the name that was read last. */
  #kind = 0

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
    this.#table = new DynamicTable(Math.min(limitBytes, 4096))
  }

  /** Reads `bytes[start..end)`, one whole block. Throws HpackError. */
  decode(bytes: Buffer, start: number, end: number, sink: FieldSink): void {
    const table = this.#table
    let at = start
    let mayResize = true
    while (at < end) {
      const first = bytes[at] as number
      if (first >= 0x80) {
        let index = first & 0x7f
        at++
        if (index === 0x7f) {
          index = this.#integer(bytes, at, end, 0x7f)
          at = this.#at
        }
        if (index < staticCount) {
          if (index === 0) throw new HpackError('a header has index 0')
          sink.field(staticKinds[index] as number, staticNames[index] as string, staticValues[index] as string)
        } else {
          if (index - staticCount >= table.count) throw new HpackError('a header has an index beyond the table')
          const entry = table.at(index - staticCount)
          sink.field(table.kinds[entry] as number, table.names[entry] as string, table.values[entry] as string)
        }
        mayResize = false
      } else if ((first & 0xe0) === 0x20) {
        if (!mayResize) throw new HpackError('a table size comes after a header')
        let size = first & 0x1f
        at++
        if (size === 0x1f) {
          size = this.#integer(bytes, at, end, 0x1f)
          at = this.#at
        }
        if (size > this.#limitBytes) throw new HpackError('the table grows beyond what was allowed')
        table.resize(size)
      } else {
        at = this.#literal(bytes, at, end, sink)
        mayResize = false
      }
    }
  }

  #literal(bytes: Buffer, start: number, end: number, sink: FieldSink): number {
    const first = bytes[start] as number
    const indexed = first >= 0x40
    const mask = indexed ? 0x3f : 0x0f
    let index = first & mask
    this.#at = start + 1
    if (index === mask) index = this.#integer(bytes, start + 1, end, mask)
    const name = index === 0 ? this.#newName(bytes, end) : this.#nameOf(index)
    let kind = this.#kind
    this.#string(bytes, this.#at, end)
    const source = this.#source
    const from = this.#from
    const to = this.#to
    if (!isFieldValue(source, from, to)) kind = fieldKinds.invalid
    const value = from === to ? '' : latin1Slice(source, from, to)
    if (indexed) this.#table.add(name, value, kind)
    sink.field(kind, name, value)
    return this.#at
  }

  #nameOf(index: number): string {
    if (index < staticCount) {
      this.#kind = staticKinds[index] as number
      return staticNames[index] as string
    }
    const table = this.#table
    if (index - staticCount >= table.count) throw new HpackError('a name has an index beyond the table')
    const entry = table.at(index - staticCount)
    const name = table.names[entry] as string
    const kind = table.kinds[entry] as number
    // The value may have been what was wrong with it.
    this.#kind = kind === fieldKinds.invalid ? checkedKindOf(name) : kind
    return name
  }

  #newName(bytes: Buffer, end: number): string {
    this.#string(bytes, this.#at, end)
    const source = this.#source
    const from = this.#from
    const to = this.#to
    let hash = to - from
    for (let at = from; at < to; at++) hash = (hash * 31 + (source[at] as number)) | 0
    const slot = (hash ^ (hash >>> 8)) & 255
    const known = knownNames[slot]
    if (known !== undefined && isSameText(known, source, from, to)) {
      this.#kind = knownKinds[slot] as number
      return known
    }
    const name = latin1Slice(source, from, to)
    this.#kind = checkedKindOf(name)
    if (name.length <= longestKnownName) {
      knownNames[slot] = name
      knownKinds[slot] = this.#kind
    }
    return name
  }

  /** Sets where the bytes of the string are; Huffman codes are decoded to memory that the next one uses again. */
  #string(bytes: Buffer, start: number, end: number): void {
    if (start >= end) throw new HpackError('a header block ends early')
    const first = bytes[start] as number
    let length = first & 0x7f
    let at = start + 1
    if (length === 0x7f) {
      length = this.#integer(bytes, at, end, 0x7f)
      at = this.#at
    }
    if (length > end - at) throw new HpackError('a header block ends early')
    this.#at = at + length
    if (first < 0x80) {
      this.#source = bytes
      this.#from = at
      this.#to = at + length
      return
    }
    if (scratch.length < length * 2) scratch = Buffer.allocUnsafeSlow(length * 2)
    this.#source = scratch
    this.#from = 0
    this.#to = decodeHuffman(bytes, at, at + length, scratch)
  }

  /** The bytes after a prefix that was all ones (RFC 7541 section 5.1). */
  #integer(bytes: Uint8Array, start: number, end: number, prefix: number): number {
    let value = prefix
    let shift = 0
    for (let at = start; at < end && shift <= 21; at++, shift += 7) {
      const byte = bytes[at] as number
      value += (byte & 0x7f) << shift
      if (byte < 0x80) {
        this.#at = at + 1
        return value
      }
    }
    throw new HpackError('an integer of a header block is too large or ends early')
  }
}

function isSameText(text: string, bytes: Uint8Array, from: number, to: number): boolean {
  if (text.length !== to - from) return false
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) !== bytes[from + at]) return false
  return true
}

/** RFC 9113 section 8.2.1: no control characters, and no space at either end. */
function isFieldValue(bytes: Uint8Array, from: number, to: number): boolean {
  if (from === to) return true
  if ((bytes[from] as number) <= 0x20 || (bytes[to - 1] as number) <= 0x20) return false
  for (let at = from; at < to; at++) if (isFieldText[bytes[at] as number] === 0) return false
  return true
}

function checkedKindOf(name: string): number {
  const from = name.charCodeAt(0) === 0x3a ? 1 : 0
  if (name.length === from) return fieldKinds.invalid
  for (let at = from; at < name.length; at++) if (isNameByte[name.charCodeAt(at)] !== 1) return fieldKinds.invalid
  return fieldKindOf(name)
}
