// Blocks of IP addresses. IPv4 inside IPv6 (::ffff:192.0.2.1) counts as IPv4, as sockets for both families show their peers.
import type { IpBlock } from './authorization.spec.ts'

const mappedPrefix = 96

/** Reads one address at a time; the last one stays read, as the rules of one request ask for the same again and again. */
export class AddressReader {
  #text: string | undefined
  /** Four times 32 bits; IPv4 is mapped. */
  readonly words: Uint32Array = new Uint32Array(4)
  isV4 = false

  /** Throws an Error when the text is no address: neither a block nor its negation may match then. */
  read(text: string): void {
    if (text === this.#text) return
    this.#text = undefined
    const zone = text.indexOf('%')
    if (!parse(zone === -1 ? text : text.slice(0, zone), this.words)) throw new Error(`"${text}" is not an IP address`)
    this.isV4 = isMapped(this.words)
    this.#text = text
  }
}

/** Throws an Error that names a block that is none. */
export function compileIpBlock({ address, prefixLength }: IpBlock): (reader: AddressReader) => boolean {
  const words = new Uint32Array(4)
  const length = address.includes(':') ? prefixLength : mappedPrefix + prefixLength
  if (!parse(address, words) || length > 128)
    throw new Error(`"${address}/${prefixLength}" is not a block of IP addresses`)
  const isV4 = isMapped(words) && length >= mappedPrefix
  const masks = Uint32Array.from({ length: 4 }, (_, word) => mask(length - word * 32))
  return (reader) => {
    if (reader.isV4 !== isV4) return false
    for (let i = 0; i < 4; i++) {
      if ((((reader.words[i] as number) ^ (words[i] as number)) & (masks[i] as number)) !== 0) return false
    }
    return true
  }
}

function mask(bits: number): number {
  return bits <= 0 ? 0 : bits >= 32 ? 0xffffffff : ~(0xffffffff >>> bits)
}

function isMapped(words: Uint32Array): boolean {
  return words[0] === 0 && words[1] === 0 && words[2] === 0xffff
}

function parse(text: string, words: Uint32Array): boolean {
  words.fill(0)
  if (text.includes(':')) return parseV6(text, words)
  words[2] = 0xffff
  return parseV4(text, 0, words)
}

/** Four decimal numbers from `start` to the end, into the last word. */
function parseV4(text: string, start: number, words: Uint32Array): boolean {
  let value = 0
  let count = 0
  let octet = -1
  for (let at = start; at <= text.length; at++) {
    const code = at === text.length ? dot : text.charCodeAt(at)
    if (code === dot) {
      if (octet === -1) return false
      value = value * 256 + octet
      octet = -1
      count++
      continue
    }
    if (code < 48 || code > 57 || octet === 0) return false
    octet = (octet === -1 ? 0 : octet * 10) + code - 48
    if (octet > 255) return false
  }
  words[3] = value
  return count === 4
}

const dot = 46

function parseV6(text: string, words: Uint32Array): boolean {
  const gap = text.indexOf('::')
  if (gap !== text.lastIndexOf('::')) return false
  const head = gap === -1 ? text : text.slice(0, gap)
  const tail = gap === -1 ? '' : text.slice(gap + 2)
  const last = tail === '' ? head : tail
  let embedded: number[] = []
  let cut = last
  if (last.includes('.')) {
    const start = last.lastIndexOf(':') + 1
    if (!parseV4(last, start, words)) return false
    const value = words[3] as number
    words[3] = 0
    embedded = [value >>> 16, value & 0xffff]
    cut = last.slice(0, Math.max(0, start - 1))
  }
  const front = groups(tail === '' ? cut : head)
  const back = tail === '' ? [] : groups(cut)
  if (front === undefined || back === undefined) return false
  if (tail === '') front.push(...embedded)
  else back.push(...embedded)
  const missing = 8 - front.length - back.length
  if (gap === -1 ? missing !== 0 : missing < 1) return false
  const all = [...front, ...Array.from({ length: missing }, () => 0), ...back]
  for (let i = 0; i < 4; i++) words[i] = (all[i * 2] as number) * 0x10000 + (all[i * 2 + 1] as number)
  return true
}

function groups(text: string): number[] | undefined {
  if (text === '') return []
  const parts = text.split(':')
  return parts.every((part) => /^[0-9a-fA-F]{1,4}$/.test(part))
    ? parts.map((part) => Number.parseInt(part, 16))
    : undefined
}
