// Headers → HPACK header blocks (RFC 7541). Values that come again go into the table; text stays plain, which costs bytes but little time.
import type { HeaderList } from '../../../../core/header-list.ts'
import { latin1Write } from '../../../../core/latin1.ts'
import type { OutputBuffer } from '../../../io/output-buffer.ts'
import { sendRuleOf, sendRules } from '../header-rules.ts'
import { limits } from '../limits.ts'
import { entryOverheadBytes } from './dynamic-table.ts'
import { staticIndexOf, staticNames, staticValues } from './static-table.ts'

/** What Content-Length says: so many bytes, what the header list declares (HEAD, 304), or nothing. */
export type DeclaredLength = number | 'as-listed' | 'none'

/** Values remembered of one name. */
const valuesOfName = 8
/** Names remembered; more is a flood of made-up ones. */
const mostNames = 512
/** What a name may lose on values that never come again before only repeated ones go into the table. */
const initialTrust = 8
const mostTrust = 32
/** Once all trust is lost, so many values are not even looked at before the next one is: most would be another new one. */
const overlookedValues = 15

class NameSlot {
  readonly rule: number
  /** Name as a literal with its length, for when no table holds it; each character is a byte. */
  readonly literal: string
  readonly nameLength: number
  readonly staticIndex: number
  /** Number of the last entry of that name put into the table. */
  nameEntry = -1
  /** Values seen, with the number of their entry or -1. */
  readonly values: string[] = []
  readonly entries: number[] = []
  next = 0
  trust = initialTrust
  /** That are not looked at. */
  overlooked = 0

  constructor(name: string) {
    const lower = name.toLowerCase()
    this.rule = sendRuleOf(lower)
    this.nameLength = lower.length
    this.staticIndex = staticIndexOf.get(lower) ?? 0
    this.literal = this.staticIndex === 0 ? literalOf(lower) : ''
  }
}

export class HpackEncoder {
  readonly #slots = new Map<string, NameSlot>()
  readonly #authority = new NameSlot(':authority')
  readonly #method = new NameSlot(':method')
  readonly #path = new NameSlot(':path')
  #maxBytes = 4096
  /** Sizes that the peer must be told before the next header (RFC 7541 section 4.2); -1: none. */
  #leastBytes = -1
  #announceBytes = -1
  #bytes = 0
  /** Entries added so far, and those still there; sizes of these in a ring. */
  #added = 0
  #count = 0
  #sizes: number[] = []
  #sizesMask = -1

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  allowTable(peerBytes: number): void {
    const bytes = Math.min(peerBytes, limits.headerTableBytes)
    if (bytes === this.#maxBytes) return
    this.#maxBytes = bytes
    this.#leastBytes = this.#leastBytes === -1 ? bytes : Math.min(this.#leastBytes, bytes)
    this.#announceBytes = bytes
    this.#evictTo(bytes)
  }

  /** Comes before the first header of every block. */
  begin(output: OutputBuffer): void {
    if (this.#announceBytes === -1) return
    output.reserve(16)
    if (this.#leastBytes < this.#announceBytes) writeInteger(output, 0x20, 0x1f, this.#leastBytes)
    writeInteger(output, 0x20, 0x1f, this.#announceBytes)
    this.#leastBytes = -1
    this.#announceBytes = -1
  }

  method(output: OutputBuffer, method: string): void {
    if (method === 'GET') writeByte(output, 0x82)
    else if (method === 'POST') writeByte(output, 0x83)
    else this.#indexed(output, this.#method, method)
  }

  scheme(output: OutputBuffer, scheme: string): void {
    writeByte(output, scheme === 'https' ? 0x87 : 0x86)
  }

  path(output: OutputBuffer, path: string): void {
    if (path === '/') writeByte(output, 0x84)
    else this.#literal(output, this.#path, path, 0x00)
  }

  authority(output: OutputBuffer, authority: string): void {
    this.#indexed(output, this.#authority, authority)
  }

  status(output: OutputBuffer, status: number): void {
    output.reserve(5)
    const known = knownStatuses.get(status)
    if (known !== undefined) {
      writeByte(output, 0x80 | known)
      return
    }
    const { bytes, used } = output
    bytes[used] = 8
    bytes[used + 1] = 3
    bytes[used + 2] = 48 + (Math.trunc(status / 100) % 10)
    bytes[used + 3] = 48 + (Math.trunc(status / 10) % 10)
    bytes[used + 4] = 48 + (status % 10)
    output.used = used + 5
  }

  /** Lower case, without what belongs to one connection. */
  fields(output: OutputBuffer, headers: HeaderList, length: DeclaredLength): void {
    const count = headers.size
    let lengthWritten = false
    for (let line = 0; line < count; line++) {
      const name = headers.nameAt(line)
      const value = headers.valueAt(line)
      const slot = this.#slots.get(name) ?? this.#learn(name)
      switch (slot.rule) {
        case sendRules.index:
          this.#indexed(output, slot, value)
          break
        case sendRules.literal:
          this.#named(output, slot, value)
          break
        case sendRules.secret:
          this.#literal(output, slot, value, 0x10)
          break
        case sendRules.cookie:
          if (value.length < 20) this.#literal(output, slot, value, 0x10)
          else this.#indexed(output, slot, value)
          break
        case sendRules.te:
          if (/(?:^|,)[\t ]*trailers[\t ]*(?:,|;|$)/i.test(value)) this.#indexed(output, slot, 'trailers')
          break
        case sendRules.contentLength:
          if (lengthWritten || length === 'none') break
          if (length === 'as-listed' && !/^\d{1,15}$/.test(value)) break
          lengthWritten = true
          this.#literal(output, slot, length === 'as-listed' ? value : `${length}`, 0x00)
          break
        default:
      }
    }
    if (lengthWritten || typeof length !== 'number' || length === 0) return
    this.#literal(output, contentLength, `${length}`, 0x00)
  }

  /** Any other pseudo-header. */
  pseudo(output: OutputBuffer, name: string, value: string): void {
    this.#indexed(output, this.#slots.get(name) ?? this.#learn(name), value)
  }

  #learn(name: string): NameSlot {
    if (this.#slots.size >= mostNames) this.#slots.clear()
    const slot = new NameSlot(name)
    this.#slots.set(name, slot)
    return slot
  }

  #indexed(output: OutputBuffer, slot: NameSlot, value: string): void {
    if (slot.overlooked > 0) {
      slot.overlooked--
      this.#literal(output, slot, value, 0x00)
      return
    }
    const { values, entries } = slot
    for (let at = 0; at < values.length; at++) {
      if (values[at] !== value) continue
      const entry = entries[at] as number
      if (entry >= this.#added - this.#count) {
        slot.trust = mostTrust
        output.reserve(6)
        writeInteger(output, 0x80, 0x7f, 61 + this.#added - entry)
      } else {
        entries[at] = this.#insert(output, slot, value)
      }
      return
    }
    const full = fullMatch(slot, value)
    if (full !== 0) {
      writeByte(output, 0x80 | full)
      return
    }
    const at = slot.next
    slot.next = (at + 1) % valuesOfName
    values[at] = value
    if (slot.trust > 0) {
      slot.trust--
      entries[at] = this.#insert(output, slot, value)
    } else {
      entries[at] = -1
      slot.overlooked = overlookedValues
      this.#literal(output, slot, value, 0x00)
    }
  }

  /** Only the name is worth a place: it gets one with the first value. */
  #named(output: OutputBuffer, slot: NameSlot, value: string): void {
    if (slot.staticIndex !== 0 || slot.nameEntry >= this.#added - this.#count || value.length > 256)
      this.#literal(output, slot, value, 0x00)
    else this.#insert(output, slot, value)
  }

  /** Returns the entry's number, -1 when it is too large to be worth a place. */
  #insert(output: OutputBuffer, slot: NameSlot, value: string): number {
    const bytes = slot.nameLength + value.length + entryOverheadBytes
    if (bytes > this.#maxBytes >> 2) {
      this.#literal(output, slot, value, 0x00)
      return -1
    }
    this.#literal(output, slot, value, 0x40)
    this.#evictTo(this.#maxBytes - bytes)
    if (this.#count > this.#sizesMask) this.#growSizes()
    const entry = this.#added++
    this.#sizes[entry & this.#sizesMask] = bytes
    this.#count++
    this.#bytes += bytes
    slot.nameEntry = entry
    return entry
  }

  /** `form`: 0x40 into the table, 0x00 not, 0x10 never (RFC 7541 section 6.2). */
  #literal(output: OutputBuffer, slot: NameSlot, value: string, form: number): void {
    output.reserve(slot.nameLength + value.length + 24)
    const prefix = form === 0x40 ? 0x3f : 0x0f
    if (slot.staticIndex !== 0) writeInteger(output, form, prefix, slot.staticIndex)
    else if (slot.nameEntry >= this.#added - this.#count && slot.nameEntry >= 0)
      writeInteger(output, form, prefix, 61 + this.#added - slot.nameEntry)
    else {
      const { bytes, used } = output
      const { literal } = slot
      bytes[used] = form
      for (let at = 0; at < literal.length; at++) bytes[used + 1 + at] = literal.charCodeAt(at)
      output.used = used + 1 + literal.length
    }
    writeText(output, value)
  }

  #evictTo(bytes: number): void {
    while (this.#bytes > bytes && this.#count > 0) {
      this.#bytes -= this.#sizes[(this.#added - this.#count) & this.#sizesMask] as number
      this.#count--
    }
  }

  #growSizes(): void {
    const size = Math.max(16, this.#sizes.length * 2)
    const sizes = Array.from({ length: size }, () => 0)
    for (let entry = this.#added - this.#count; entry < this.#added; entry++)
      sizes[entry & (size - 1)] = this.#sizes[entry & this.#sizesMask] as number
    this.#sizes = sizes
    this.#sizesMask = size - 1
  }
}

const contentLength = new NameSlot('content-length')

const knownStatuses: ReadonlyMap<number, number> = new Map(
  [200, 204, 206, 304, 400, 404, 500].map((status, at) => [status, 8 + at] as const),
)

/** Index of the static entry that has the value too; 0: none. */
function fullMatch(slot: NameSlot, value: string): number {
  const first = slot.staticIndex
  if (first === 0 || staticValues[first] === '') return 0
  for (let index = first; staticNames[index] === staticNames[first]; index++)
    if (staticValues[index] === value) return index
  return 0
}

function literalOf(name: string): string {
  const prefix: number[] = []
  let rest = name.length - 0x7f
  if (rest < 0) prefix.push(name.length)
  else {
    prefix.push(0x7f)
    for (; rest > 127; rest >>>= 7) prefix.push((rest & 127) | 128)
    prefix.push(rest)
  }
  return String.fromCharCode(...prefix) + name.replace(/[^\x21-\x7e]/g, '?')
}

function writeByte(output: OutputBuffer, byte: number): void {
  output.reserve(1)
  output.bytes[output.used++] = byte
}

/** Room for it was made before. */
function writeInteger(output: OutputBuffer, flags: number, mask: number, value: number): void {
  const { bytes } = output
  if (value < mask) {
    bytes[output.used++] = flags | value
    return
  }
  let at = output.used
  bytes[at++] = flags | mask
  let rest = value - mask
  for (; rest > 127; rest >>>= 7) bytes[at++] = (rest & 127) | 128
  bytes[at++] = rest
  output.used = at
}

/** Up to this length one byte after the other is faster than a call into the runtime. */
const shortText = 40

/** A value has no blanks at its ends (RFC 9113 section 8.2.1): what was read has none, what configuration adds is checked there. */
function writeText(output: OutputBuffer, text: string): void {
  const { length } = text
  const { bytes, used } = output
  if (length > shortText) {
    writeInteger(output, 0x00, 0x7f, length)
    output.used += latin1Write(bytes, text, output.used)
    return
  }
  bytes[used] = length
  for (let at = 0; at < length; at++) bytes[used + 1 + at] = text.charCodeAt(at)
  output.used = used + 1 + length
}
