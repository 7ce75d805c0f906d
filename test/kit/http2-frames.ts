// HTTP/2 frames by hand, and a peer in memory that sends them in whatever pieces: for what no well-behaved client would send.
import { HpackDecoder } from '../../src/proxy/codec/http2/hpack/decoder.ts'
import type { Connection, ConnectionHandler } from '../../src/proxy/io/connection.ts'
import type { OutputBuffer } from '../../src/proxy/io/output-buffer.ts'

export const preface: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

export function frame(type: number, flags: number, streamId: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(streamId, 5)
  return Buffer.concat([head, payload])
}

export function uint32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  values.forEach((value, at) => bytes.writeUInt32BE(value >>> 0, at * 4))
  return bytes
}

export function settings(...pairs: (readonly [id: number, value: number])[]): Buffer {
  return frame(4, 0, 0, settingsPayload(...pairs))
}

export function settingsPayload(...pairs: (readonly [id: number, value: number])[]): Buffer {
  const bytes = Buffer.alloc(pairs.length * 6)
  pairs.forEach(([id, value], at) => {
    bytes.writeUInt16BE(id, at * 6)
    bytes.writeUInt32BE(value, at * 6 + 2)
  })
  return bytes
}

/** A header block of literals that goes into no table. */
export function block(...fields: (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [
      Buffer.from([0]),
      literal(Buffer.from(name, 'latin1')),
      literal(Buffer.from(value, 'latin1')),
    ]),
  )
}

function literal(text: Buffer): Buffer {
  if (text.length < 127) return Buffer.concat([Buffer.from([text.length]), text])
  const length = [127]
  let rest = text.length - 127
  for (; rest > 127; rest >>>= 7) length.push((rest & 127) | 128)
  return Buffer.concat([Buffer.from([...length, rest]), text])
}

const requestFields = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a'],
] as const

/** A whole request. */
export function get(streamId: number, ...more: (readonly [name: string, value: string])[]): Buffer {
  return frame(1, 0x5, streamId, block(...requestFields, ...more))
}

/** The head of a request with a body. */
export function post(streamId: number, ...more: (readonly [name: string, value: string])[]): Buffer {
  return frame(1, 0x4, streamId, block([':method', 'POST'], ...requestFields.slice(1), ...more))
}

export interface ReceivedFrame {
  readonly type: number
  readonly flags: number
  readonly streamId: number
  readonly payload: Buffer
}

/** The codec's connection and, at once, the peer beyond it. */
export class FrameConnection implements Connection {
  handler: ConnectionHandler = { onData() {}, onEnd() {}, onClose() {}, onDrain() {} }
  readonly remoteAddress = '127.0.0.1'
  readonly remotePort = 1
  readonly localAddress = '127.0.0.1'
  readonly localPort = 2
  tls: Connection['tls'] = undefined
  closed = false
  ended = false
  error: Error | undefined
  /** The peer reads nothing: writes are taken and asked to wait. */
  full = false
  writes = 0
  readonly frames: ReceivedFrame[] = []
  readonly #decoder = new HpackDecoder(16_384)
  #rest: Buffer = Buffer.alloc(0)
  /** The client's preface comes first. */
  #prefaceLeft: number

  constructor(peer: 'client' | 'server') {
    this.#prefaceLeft = peer === 'server' ? preface.length : 0
  }

  write(bytes: Uint8Array): boolean {
    this.writes++
    this.#rest = Buffer.concat([this.#rest, bytes])
    this.#rest = this.#rest.subarray(this.#takePreface())
    while (this.#rest.length >= 9) {
      const length = this.#rest.readUIntBE(0, 3)
      if (this.#rest.length < 9 + length) break
      this.frames.push({
        type: this.#rest[3] as number,
        flags: this.#rest[4] as number,
        streamId: this.#rest.readUInt32BE(5),
        payload: Buffer.from(this.#rest.subarray(9, 9 + length)),
      })
      this.#rest = this.#rest.subarray(9 + length)
    }
    return !this.full
  }

  #takePreface(): number {
    const taken = Math.min(this.#prefaceLeft, this.#rest.length)
    this.#prefaceLeft -= taken
    return taken
  }

  writeLent(bytes: Uint8Array): boolean {
    return this.write(Buffer.from(bytes))
  }

  writeFrom(output: OutputBuffer): boolean {
    const bytes = Buffer.from(output.bytes.subarray(0, output.used))
    output.clear()
    return this.write(bytes)
  }

  end(): void {
    this.ended = true
  }

  destroy(error?: Error): void {
    if (this.closed) return
    this.closed = true
    this.error = error
    queueMicrotask(() => this.handler.onClose(error))
  }

  pause(): void {}
  resume(): void {}

  /** Bytes from the peer, `cuts` of them at a time in turn; all at once when there are none. */
  push(bytes: Uint8Array, ...cuts: number[]): void {
    let at = 0
    let next = 0
    while (at < bytes.length && !this.closed) {
      const size = cuts.length === 0 ? bytes.length : (cuts[next++ % cuts.length] as number)
      // A copy that is overwritten afterwards, as a back end's buffer is.
      const piece = Buffer.from(bytes.subarray(at, at + size))
      this.handler.onData(piece)
      piece.fill(0xaa)
      at += size
    }
  }

  /** The kernel takes again. */
  drain(): void {
    this.full = false
    this.handler.onDrain()
  }

  of(type: number, streamId?: number): ReceivedFrame[] {
    return this.frames.filter((one) => one.type === type && (streamId === undefined || one.streamId === streamId))
  }

  /** Code of the last GOAWAY; undefined when there was none. */
  get goawayCode(): number | undefined {
    return this.of(7).at(-1)?.payload.readUInt32BE(4)
  }

  resetCode(streamId: number): number | undefined {
    return this.of(3, streamId)[0]?.payload.readUInt32BE(0)
  }

  /** Bytes of DATA on a stream. */
  body(streamId: number): Buffer {
    return Buffer.concat(this.of(0, streamId).map((one) => one.payload))
  }

  /** Fields of every HEADERS frame that has not been read yet, in order; to be read once. */
  readHeaders(streamId: number): string[][] {
    return this.of(1).flatMap((one) => {
      const fields: string[] = []
      this.#decoder.decode(one.payload, 0, one.payload.length, {
        field: (_kind, name, value) => fields.push(`${name}: ${value}`),
      })
      return one.streamId === streamId ? [fields] : []
    })
  }
}

/** All that was put off to the end of the turn has been written. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}
