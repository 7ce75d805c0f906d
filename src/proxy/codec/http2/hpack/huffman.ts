// Huffman code of HPACK (RFC 7541 appendix B), read four bits at a time.
import { HpackError } from './hpack-error.ts'

/** Code lengths in bits by symbol; 256 is the end of string. The code is canonical: lengths say everything. */
export const codeLengths: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
]

const emits = 0x10000
const accepts = 0x20000
const fails = 0x40000

/** Next state in bits 0..7, symbol in 8..15, and the flags above: by state and four bits of input. */
const transitions: Uint32Array = buildTransitions()

/** Writes the decoded bytes to `into`, which has room for 8/5 of the input, and returns their number. Throws HpackError. */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number, into: Uint8Array): number {
  let state = 0
  let written = 0
  let last = accepts
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number
    const high = transitions[(state << 4) | (byte >>> 4)] as number
    if ((high & emits) !== 0) into[written++] = (high >>> 8) & 255
    const low = transitions[((high & 255) << 4) | (byte & 15)] as number
    if ((low & emits) !== 0) into[written++] = (low >>> 8) & 255
    if (((high | low) & fails) !== 0) throw new HpackError('a Huffman code holds the end of string')
    state = low & 255
    last = low
  }
  // Padding is the start of the end of string, less than a byte of it (RFC 7541 section 5.2).
  if ((last & accepts) === 0) throw new HpackError('the padding of a Huffman code is wrong')
  return written
}

interface Node {
  readonly state: number
  /** Padding may end here: fewer than eight bits, all ones. */
  readonly accepting: boolean
  readonly next: [Node | number | undefined, Node | number | undefined]
}

function buildTransitions(): Uint32Array {
  const nodes = buildTree()
  const table = new Uint32Array(nodes.length << 4)
  for (const node of nodes) {
    for (let nibble = 0; nibble < 16; nibble++) table[(node.state << 4) | nibble] = step(node, nibble, nodes[0] as Node)
  }
  return table
}

function step(from: Node, nibble: number, root: Node): number {
  let at = from
  let result = 0
  for (let bit = 3; bit >= 0; bit--) {
    const next = at.next[((nibble >>> bit) & 1) as 0 | 1]
    if (next === undefined || next === 256) return fails
    if (typeof next === 'number') {
      result = emits | (next << 8)
      at = root
    } else {
      at = next
    }
  }
  return result | at.state | (at.accepting ? accepts : 0)
}

function buildTree(): Node[] {
  const nodes: Node[] = [{ state: 0, accepting: true, next: [undefined, undefined] }]
  const symbols = codeLengths.map((length, symbol) => ({ length, symbol })).toSorted((a, b) => a.length - b.length)
  let code = 0
  let length = 0
  for (const one of symbols) {
    code *= 2 ** (one.length - length)
    length = one.length
    let at = nodes[0] as Node
    for (let bit = length - 1; bit > 0; bit--) {
      const side = Math.floor(code / 2 ** bit) % 2 === 0 ? 0 : 1
      let next = at.next[side]
      if (typeof next !== 'object') {
        const depth = length - bit
        const ones = Math.floor(code / 2 ** bit) === 2 ** depth - 1
        next = { state: nodes.length, accepting: ones && depth < 8, next: [undefined, undefined] }
        nodes.push(next)
        at.next[side] = next
      }
      at = next
    }
    at.next[code % 2 === 0 ? 0 : 1] = one.symbol
    code++
  }
  return nodes
}
