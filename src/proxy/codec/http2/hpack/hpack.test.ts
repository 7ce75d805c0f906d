import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { HeaderList } from '../../../../core/header-list.ts'
import { OutputBuffer } from '../../../io/output-buffer.ts'
import { fieldKinds } from '../header-rules.ts'
import { HpackDecoder } from './decoder.ts'
import { HpackEncoder } from './encoder.ts'
import { HpackError } from './hpack-error.ts'
import { codeLengths, decodeHuffman } from './huffman.ts'

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex')
}

function decodeAll(decoder: HpackDecoder, block: Buffer): string[] {
  const fields: string[] = []
  decoder.decode(block, 0, block.length, { field: (_kind, name, value) => fields.push(`${name}: ${value}`) })
  return fields
}

const get = [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com']
const getNoCache = [...get, 'cache-control: no-cache']
const getCustom = [
  ':method: GET',
  ':scheme: https',
  ':path: /index.html',
  ':authority: www.example.com',
  'custom-key: custom-value',
]
const seeOther = [
  ':status: 302',
  'cache-control: private',
  'date: Mon, 21 Oct 2013 20:13:21 GMT',
  'location: https://www.example.com',
]
const temporary = [':status: 307', ...seeOther.slice(1)]
const withCookie = [
  ':status: 200',
  'cache-control: private',
  'date: Mon, 21 Oct 2013 20:13:22 GMT',
  'location: https://www.example.com',
  'content-encoding: gzip',
  'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
]

/** RFC 7541 appendix C: blocks of one connection in turn. */
const vectors: readonly (readonly [section: string, tableBytes: number, blocks: (readonly [string, string[]])[]])[] = [
  [
    'C.2.1',
    4096,
    [['400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572', ['custom-key: custom-header']]],
  ],
  ['C.2.2', 4096, [['040c 2f73 616d 706c 652f 7061 7468', [':path: /sample/path']]]],
  ['C.2.3', 4096, [['1008 7061 7373 776f 7264 0673 6563 7265 74', ['password: secret']]]],
  ['C.2.4', 4096, [['82', [':method: GET']]]],
  [
    'C.3',
    4096,
    [
      ['8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d', get],
      ['8286 84be 5808 6e6f 2d63 6163 6865', getNoCache],
      ['8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65', getCustom],
    ],
  ],
  [
    'C.4',
    4096,
    [
      ['8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff', get],
      ['8286 84be 5886 a8eb 1064 9cbf', getNoCache],
      ['8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf', getCustom],
    ],
  ],
  [
    'C.5',
    256,
    [
      [
        '4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120' +
          '474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        seeOther,
      ],
      ['4803 3330 37c1 c0bf', temporary],
      [
        '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738' +
          '666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33' +
          '3630 303b 2076 6572 7369 6f6e 3d31',
        withCookie,
      ],
    ],
  ],
  [
    'C.6',
    256,
    [
      [
        '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718' +
          '63c7 8f0b 97c8 e9ae 82ae 43d3',
        seeOther,
      ],
      ['4883 640e ffc1 c0bf', temporary],
      [
        '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7' +
          'b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
        withCookie,
      ],
    ],
  ],
]

describe('decoder', () => {
  test.each(vectors)('reads the blocks of RFC 7541 %s', (_section, tableBytes, blocks) => {
    const decoder = new HpackDecoder(tableBytes)
    for (const [hex, fields] of blocks) expect(decodeAll(decoder, bytesOf(hex))).toEqual(fields)
  })

  test.each([
    ['index 0', '80'],
    ['an index beyond the static table while the dynamic one is empty', 'be'],
    ['a name with an index beyond the table', '7e 01 61'],
    ['a string longer than the block', '40 0a 61'],
    ['a block that ends within a header', '40 01 61'],
    ['an integer without an end', 'ff ff ff ff ff ff ff ff'],
    ['an integer that ends early', 'ff 80'],
    ['a table larger than was allowed', '3f e2 ff 01'],
    ['a table size after a header', '82 20'],
    ['a Huffman code padded with zeros', '00 81 00 01 61'],
    ['a Huffman code padded by a whole byte', '00 82 1f ff 01 61'],
    ['the end of string in a Huffman code', '00 84 ff ff ff ff 01 61'],
  ])('refuses %s', (_what, hex) => {
    expect(() => decodeAll(new HpackDecoder(4096), bytesOf(hex))).toThrow(HpackError)
  })

  test.each([
    ['upper case in a name', 'A', 'b'],
    ['an empty name', '', 'b'],
    ['a space in a name', 'a b', 'c'],
    ['a line end in a value', 'a', 'b\r\nc: d'],
    ['NUL in a value', 'a', 'b\0'],
    ['space before a value', 'a', ' b'],
    ['space after a value', 'a', 'b\t'],
    ['a colon within a name', 'a:b', 'c'],
  ])('marks %s as invalid, also when it comes from the table', (_what, name, value) => {
    const literal = Buffer.concat([
      Buffer.from([0x40, name.length]),
      Buffer.from(name, 'latin1'),
      Buffer.from([value.length]),
      Buffer.from(value, 'latin1'),
      Buffer.from([0xbe]),
    ])
    const kinds: number[] = []
    new HpackDecoder(4096).decode(literal, 0, literal.length, { field: (kind) => kinds.push(kind) })
    expect(kinds).toEqual([fieldKinds.invalid, fieldKinds.invalid])
  })

  test('an invalid value does not spoil the name that another header takes from it', () => {
    const block = bytesOf('40 01 61 02 0a 0a 7e 01 62')
    const kinds: number[] = []
    new HpackDecoder(4096).decode(block, 0, block.length, { field: (kind) => kinds.push(kind) })
    expect(kinds).toEqual([fieldKinds.invalid, fieldKinds.regular])
  })

  test('empties its table for an entry larger than the table', () => {
    const decoder = new HpackDecoder(64)
    decodeAll(decoder, bytesOf('40 01 61 01 62'))
    expect(decodeAll(decoder, bytesOf('be'))).toEqual(['a: b'])
    decodeAll(decoder, Buffer.concat([bytesOf('40 01 61 40'), Buffer.alloc(64, 'x')]))
    expect(() => decodeAll(decoder, bytesOf('be'))).toThrow(HpackError)
  })
})

describe('Huffman', () => {
  test('every text comes back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (text) => {
        const code = huffman(text)
        const into = new Uint8Array(code.length * 2)
        expect([...into.subarray(0, decodeHuffman(code, 0, code.length, into))]).toEqual([...text])
      }),
    )
  })
})

/** RFC 7541 section 5.2, bit by bit. */
function huffman(text: Uint8Array): Buffer {
  const codes: bigint[] = []
  let code = 0n
  let length = 0
  for (const symbol of codeLengths.map((_, at) => at).toSorted((a, b) => codeLengths[a]! - codeLengths[b]!)) {
    code <<= BigInt(codeLengths[symbol]! - length)
    length = codeLengths[symbol]!
    codes[symbol] = code++
  }
  let bits = ''
  for (const byte of text) bits += codes[byte]!.toString(2).padStart(codeLengths[byte]!, '0')
  bits = bits.padEnd(Math.ceil(bits.length / 8) * 8, '1')
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)))
}

function encodeList(encoder: HpackEncoder, headers: HeaderList): Buffer {
  const output = new OutputBuffer()
  encoder.begin(output)
  encoder.fields(output, headers, 'as-listed')
  return Buffer.from(output.bytes.subarray(0, output.used))
}

describe('encoder', () => {
  const names = fc.constantFrom(
    'Accept',
    'x-a',
    'X-Request-Id',
    'Cookie',
    'Authorization',
    'User-Agent',
    'date',
    'Set-Cookie',
    'x-b',
  )
  const values = fc.oneof(
    fc.constantFrom(
      '',
      'a',
      'gzip, deflate',
      'x'.repeat(39),
      'x'.repeat(40),
      'x'.repeat(41),
      'y'.repeat(127),
      'é'.repeat(50),
      'é',
    ),
    fc.stringMatching(/^[\x21-\x7e][\x20-\x7e\t]{0,300}[\x21-\x7e]$/),
  )
  const lists = fc.array(fc.array(fc.tuple(names, values), { maxLength: 12 }), { maxLength: 40 })

  test('what it writes is what the decoder reads, whatever the table', () => {
    fc.assert(
      fc.property(lists, fc.array(fc.nat(20_000), { maxLength: 40 }), (blocks, tables) => {
        const encoder = new HpackEncoder()
        const decoder = new HpackDecoder(16_384)
        blocks.forEach((pairs, at) => {
          const table = tables[at]
          if (table !== undefined) encoder.allowTable(table)
          const block = encodeList(encoder, HeaderList.of(...pairs))
          expect(decodeAll(decoder, block)).toEqual(pairs.map(([name, value]) => `${name.toLowerCase()}: ${value}`))
        })
      }),
    )
  })

  test('a header that comes again takes one byte', () => {
    const encoder = new HpackEncoder()
    const headers = HeaderList.of(['User-Agent', 'curl'], ['X-Team', 'shop'])
    encodeList(encoder, headers)
    expect(encodeList(encoder, headers)).toHaveLength(2)
  })

  test('values that never come again do not push others out of the table', () => {
    const encoder = new HpackEncoder()
    encodeList(encoder, HeaderList.of(['User-Agent', 'curl']))
    for (let i = 0; i < 5000; i++) encodeList(encoder, HeaderList.of(['X-Unique', `${i}`], ['X-Request-Id', `${i}`]))
    expect(encodeList(encoder, HeaderList.of(['User-Agent', 'curl']))).toHaveLength(1)
  })

  test.each([
    ['Authorization', 'Bearer abc', true],
    ['Proxy-Authorization', 'Basic abc', true],
    ['Set-Cookie', 'a=b', true],
    ['Cookie', 'short=1', true],
    ['Cookie', 'session=0123456789abcdef0123456789', false],
  ])('%s: %s is never indexed: %s', (name, value, never) => {
    const first = encodeList(new HpackEncoder(), HeaderList.of([name, value]))[0] as number
    expect((first & 0xf0) === 0x10).toBe(never)
  })

  test('tells the peer of a smaller table before it uses it, and of the smallest in between', () => {
    const encoder = new HpackEncoder()
    const decoder = new HpackDecoder(16_384)
    decodeAll(decoder, encodeList(encoder, HeaderList.of(['a', 'b'])))
    encoder.allowTable(0)
    encoder.allowTable(100)
    const block = encodeList(encoder, HeaderList.of(['a', 'b']))
    expect([...block.subarray(0, 3)]).toEqual([0x20, 0x3f, 100 - 31])
    expect(decodeAll(decoder, block)).toEqual(['a: b'])
  })

  test('what belongs to one connection is not sent, and te only with trailers', () => {
    const headers = HeaderList.of(
      ['Connection', 'close'],
      ['Keep-Alive', 'timeout=5'],
      ['Proxy-Connection', 'close'],
      ['Transfer-Encoding', 'chunked'],
      ['Upgrade', 'h2c'],
      ['HTTP2-Settings', 'AAA'],
      ['Host', 'a'],
      ['TE', 'gzip'],
      ['TE', 'gzip, Trailers;q=1'],
    )
    expect(decodeAll(new HpackDecoder(4096), encodeList(new HpackEncoder(), headers))).toEqual(['te: trailers'])
  })

  test('text that would forge a line is made harmless', () => {
    const headers = HeaderList.of(['X-A', 'a\r\nb: c'], ['X-B', ' spaced '], ['X-C', `${'z'.repeat(50)}\u2603`])
    expect(decodeAll(new HpackDecoder(4096), encodeList(new HpackEncoder(), headers))).toEqual([
      'x-a: a??b: c',
      'x-b: spaced',
      `x-c: ${'z'.repeat(50)}?`,
    ])
  })
})
