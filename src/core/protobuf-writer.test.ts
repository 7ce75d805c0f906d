// What another implementation reads of what is written.
import { BinaryReader } from '@bufbuild/protobuf/wire'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'

import { ProtobufWriter } from './protobuf-writer.ts'

type Field =
  | { readonly kind: 'varint' | 'fixed32' | 'double'; readonly value: number }
  | { readonly kind: 'int64' | 'fixed64'; readonly value: bigint }
  | { readonly kind: 'text' | 'hexadecimal'; readonly value: string }
  | { readonly kind: 'message'; readonly value: readonly Field[] }

const lengths = fc.oneof(fc.constantFrom(0, 1, 126, 127, 128, 129, 16_383, 16_384), fc.nat(300))
const { field } = fc.letrec<{ field: Field }>((tie) => ({
  field: fc.oneof(
    fc.record({ kind: fc.constant('varint' as const), value: fc.maxSafeNat() }),
    fc.record({ kind: fc.constant('fixed32' as const), value: fc.nat(2 ** 31 - 1) }),
    fc.record({ kind: fc.constant('double' as const), value: fc.double({ noNaN: true }) }),
    fc.record({ kind: fc.constant('int64' as const), value: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n) }),
    fc.record({ kind: fc.constant('fixed64' as const), value: fc.bigInt(0n, 2n ** 64n - 1n) }),
    fc.record({
      kind: fc.constant('text' as const),
      value: fc.oneof(
        fc.string({ unit: 'grapheme' }),
        lengths.map((length) => 'x'.repeat(length)),
      ),
    }),
    fc.record({
      kind: fc.constant('hexadecimal' as const),
      value: fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('hex')),
    }),
    fc.record({ kind: fc.constant('message' as const), value: fc.array(tie('field'), { maxLength: 6 }) }),
  ),
}))

function write(writer: ProtobufWriter, fields: readonly Field[]): void {
  for (const [at, one] of fields.entries()) {
    const number = at * 7 + 1
    if (one.kind === 'message') {
      const begin = writer.begin(number)
      write(writer, one.value)
      writer.end(begin)
    } else (writer[one.kind] as (field: number, value: Field['value']) => void).call(writer, number, one.value)
  }
}

function read(reader: BinaryReader, end: number, fields: readonly Field[]): Field[] {
  const found = fields.map((one, at): Field => {
    expect(reader.tag()[0]).toBe(at * 7 + 1)
    switch (one.kind) {
      case 'varint':
        return { kind: one.kind, value: Number(reader.uint64()) }
      case 'fixed32':
        return { kind: one.kind, value: reader.fixed32() }
      case 'double':
        return { kind: one.kind, value: reader.double() }
      case 'int64':
        return { kind: one.kind, value: BigInt(reader.int64()) }
      case 'fixed64':
        return { kind: one.kind, value: BigInt(reader.fixed64()) }
      case 'text':
        return { kind: one.kind, value: reader.string() }
      case 'hexadecimal':
        return { kind: one.kind, value: Buffer.from(reader.bytes()).toString('hex') }
      case 'message':
      default: {
        const length = reader.uint32()
        return { kind: 'message', value: read(reader, reader.pos + length, one.value) }
      }
    }
  })
  expect(reader.pos).toBe(end)
  return found
}

it('is what was written', () => {
  fc.assert(
    fc.property(fc.array(field, { maxLength: 12 }), (fields) => {
      const writer = new ProtobufWriter()
      write(writer, fields)
      const bytes = writer.finish()
      expect(read(new BinaryReader(bytes), bytes.length, fields)).toEqual(fields)
    }),
  )
})

it('has what cannot be in UTF-8 replaced', () => {
  const writer = new ProtobufWriter()
  writer.text(1, 'a\ud800b')
  const reader = new BinaryReader(writer.finish())
  reader.tag()
  expect(reader.string()).toBe('a\ufffdb')
})
