// Messages of Protocol Buffers, written field by field: for those that are made so often that objects for them, and reflection, would cost several
// times what the bytes do. https://protobuf.dev/programming-guides/encoding/

interface Utf8Buffer {
  utf8Write(text: string, offset: number, length: number): number
}

const wireTypes = { varint: 0, fixed64: 1, lengthDelimited: 2, fixed32: 5 } as const
/** A tag and a length, or a number. */
const mostPrefixBytes = 20

/** Each field is written where it is called, whether or not it has the value that readers take it to have when it is absent. */
export class ProtobufWriter {
  /** Most messages are no longer. */
  #bytes = Buffer.allocUnsafe(2_048)
  #used = 0

  /** A whole number from 0 to 2^53 - 1; also a truth value, or an enumeration's. */
  varint(field: number, value: number): void {
    this.#tag(field, wireTypes.varint)
    this.#varint(value)
  }

  /** An int64. */
  int64(field: number, value: bigint): void {
    this.#tag(field, wireTypes.varint)
    let rest = BigInt.asUintN(64, value)
    for (; rest > 0x7fn; rest >>= 7n) this.#bytes[this.#used++] = Number(rest & 0x7fn) | 0x80
    this.#bytes[this.#used++] = Number(rest)
  }

  fixed32(field: number, value: number): void {
    this.#tag(field, wireTypes.fixed32)
    this.#used = this.#bytes.writeUInt32LE(value, this.#used)
  }

  fixed64(field: number, value: bigint): void {
    this.#tag(field, wireTypes.fixed64)
    this.#used = this.#bytes.writeBigUInt64LE(value, this.#used)
  }

  double(field: number, value: number): void {
    this.#tag(field, wireTypes.fixed64)
    this.#used = this.#bytes.writeDoubleLE(value, this.#used)
  }

  text(field: number, text: string): void {
    const bytes = Buffer.byteLength(text)
    this.#tag(field, wireTypes.lengthDelimited, bytes)
    this.#varint(bytes)
    this.#used += (this.#bytes as unknown as Utf8Buffer).utf8Write(text, this.#used, bytes)
  }

  /** `digits`: of bytes, in hexadecimal. */
  hexadecimal(field: number, digits: string): void {
    const bytes = digits.length / 2
    this.#tag(field, wireTypes.lengthDelimited, bytes)
    this.#varint(bytes)
    this.#used += this.#bytes.write(digits, this.#used, 'hex')
  }

  /** Also a message that is written already. */
  bytes(field: number, bytes: Uint8Array): void {
    this.#tag(field, wireTypes.lengthDelimited, bytes.length)
    this.#varint(bytes.length)
    this.#bytes.set(bytes, this.#used)
    this.#used += bytes.length
  }

  /** The fields of another message, until `end` is called with what this returns. */
  begin(field: number): number {
    this.#tag(field, wireTypes.lengthDelimited)
    return ++this.#used
  }

  end(begin: number): void {
    const length = this.#used - begin
    let more = 0
    for (let rest = length; rest > 0x7f; rest >>>= 7) more++
    if (more > 0) {
      this.#reserve(more)
      this.#bytes.copyWithin(begin + more, begin, this.#used)
    }
    this.#used = begin - 1
    this.#varint(length)
    this.#used += length
  }

  /** What has been written: bytes of its own, no longer than they are. */
  finish(): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(0, this.#used))
  }

  /** With room for what follows: its `bytes` besides a length or a number. */
  #tag(field: number, wireType: number, bytes = 0): void {
    this.#reserve(mostPrefixBytes + bytes)
    this.#varint(field * 8 + wireType)
  }

  #varint(value: number): void {
    let rest = value
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) this.#bytes[this.#used++] = (rest % 128) | 0x80
    this.#bytes[this.#used++] = rest
  }

  #reserve(bytes: number): void {
    if (this.#used + bytes <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#used + bytes))
    this.#bytes.copy(grown, 0, 0, this.#used)
    this.#bytes = grown
  }
}
