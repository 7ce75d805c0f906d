// Reads what a TLS client asks for from its ClientHello (RFC 8446 section 4.1.2), before anything is decrypted; may come in any pieces.

export interface ClientHello {
  /** Server name (RFC 6066 section 3), lower case. */
  readonly serverName: string | undefined
  /** Protocols offered by ALPN (RFC 7301), most wanted first. */
  readonly alpn: readonly string[]
  /** Newest first as offered: 0x0304 is TLS 1.3. */
  readonly versions: readonly number[]
}

/** Of all records of the hello together. Ordinary ones take 300 to 2,000 bytes. */
export const clientHelloBytes = 16_384

const recordHeaderBytes = 5
const recordTypeHandshake = 0x16
const handshakeHeaderBytes = 4
const handshakeTypeClientHello = 1
const extensionServerName = 0
const extensionAlpn = 16
const extensionSupportedVersions = 43

/** Takes the records apart; the message in them is parsed once, when it is whole. */
export class ClientHelloReader {
  /** The handshake message without its record headers. */
  #message = Buffer.allocUnsafe(1_024)
  #messageBytes = 0
  readonly #header = Buffer.alloc(recordHeaderBytes)
  #headerBytes = 0
  #recordLeft = 0
  #taken = 0

  /** Undefined: more is needed. 'invalid': no ClientHello, or none within the bound. */
  push(bytes: Uint8Array): ClientHello | 'invalid' | undefined {
    let at = 0
    while (at < bytes.length) {
      if (this.#recordLeft === 0) {
        const byte = bytes[at++] as number
        if (!this.#headerByte(byte)) return 'invalid'
      } else {
        const count = Math.min(this.#recordLeft, bytes.length - at)
        this.#append(bytes.subarray(at, at + count))
        at += count
        this.#recordLeft -= count
        const found = this.#parse()
        if (found !== undefined) return found
      }
    }
    return undefined
  }

  #headerByte(byte: number): boolean {
    this.#header[this.#headerBytes++] = byte
    if (this.#header[0] !== recordTypeHandshake) return false
    if (this.#headerBytes > 1 && this.#header[1] !== 3) return false
    if (this.#headerBytes < recordHeaderBytes) return true
    this.#headerBytes = 0
    this.#recordLeft = this.#header.readUInt16BE(3)
    this.#taken += recordHeaderBytes + this.#recordLeft
    // Empty fragments of handshake messages are forbidden (RFC 8446 section 5.1).
    return this.#recordLeft > 0 && this.#taken <= clientHelloBytes
  }

  #append(bytes: Uint8Array): void {
    const size = this.#messageBytes + bytes.length
    if (size > this.#message.length) {
      const grown = Buffer.allocUnsafe(Math.max(size, this.#message.length * 2))
      grown.set(this.#message.subarray(0, this.#messageBytes))
      this.#message = grown
    }
    this.#message.set(bytes, this.#messageBytes)
    this.#messageBytes = size
  }

  #parse(): ClientHello | 'invalid' | undefined {
    if (this.#messageBytes > 0 && this.#message[0] !== handshakeTypeClientHello) return 'invalid'
    if (this.#messageBytes < handshakeHeaderBytes) return undefined
    const end = handshakeHeaderBytes + this.#message.readUIntBE(1, 3)
    if (end > clientHelloBytes) return 'invalid'
    if (this.#messageBytes < end) return undefined
    // Nothing may follow before the server has answered.
    if (this.#messageBytes > end || this.#recordLeft > 0) return 'invalid'
    return parseClientHello(this.#message.subarray(handshakeHeaderBytes, end)) ?? 'invalid'
  }
}

/** `body` is the message without its handshake header. Undefined when any length in it is wrong. */
export function parseClientHello(body: Uint8Array): ClientHello | undefined {
  const input = new Fields(body)
  const legacyVersion = input.number(2)
  input.skip(32)
  input.vector(1, 0, 32)
  const suites = input.vector(2, 2, 65_534)
  input.vector(1, 1, 255)
  if (input.failed || suites.length % 2 !== 0) return undefined
  let serverName: string | undefined
  let alpn: readonly string[] = []
  let versions: readonly number[] = [legacyVersion]
  // Before TLS 1.3 a hello could end here.
  const extensions = new Fields(input.left === 0 ? new Uint8Array(0) : input.vector(2, 0, 65_535))
  if (input.failed || input.left > 0) return undefined
  const seen = new Set<number>()
  while (extensions.left > 0) {
    const type = extensions.number(2)
    const content = new Fields(extensions.vector(2, 0, 65_535))
    if (extensions.failed || seen.has(type)) return undefined
    seen.add(type)
    if (type === extensionServerName) {
      const name = readServerName(content)
      if (name === undefined) return undefined
      serverName = name
    } else if (type === extensionAlpn) {
      const names = readAlpn(content)
      if (names === undefined) return undefined
      alpn = names
    } else if (type === extensionSupportedVersions) {
      const offered = readVersions(content)
      if (offered === undefined) return undefined
      versions = offered
    }
  }
  return { serverName, alpn, versions }
}

function readServerName(content: Fields): string | undefined {
  const list = new Fields(content.vector(2, 1, 65_535))
  if (content.failed || content.left > 0) return undefined
  const type = list.number(1)
  const name = list.vector(2, 1, 255)
  // Only host names exist, and one of them.
  if (list.failed || list.left > 0 || type !== 0) return undefined
  const text = Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1').toLowerCase()
  return /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(text) ? text : undefined
}

function readAlpn(content: Fields): readonly string[] | undefined {
  const list = new Fields(content.vector(2, 2, 65_535))
  if (content.failed || content.left > 0) return undefined
  const names: string[] = []
  while (list.left > 0) {
    const name = list.vector(1, 1, 255)
    if (list.failed) return undefined
    names.push(Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1'))
  }
  return names
}

function readVersions(content: Fields): readonly number[] | undefined {
  const list = new Fields(content.vector(1, 2, 254))
  if (content.failed || content.left > 0 || list.left % 2 !== 0) return undefined
  const versions: number[] = []
  while (list.left > 0) versions.push(list.number(2))
  return versions
}

const nothing = new Uint8Array(0)

/** Numbers and length-prefixed vectors in order; once something does not fit, `failed`. */
class Fields {
  failed = false
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  number(size: number): number {
    if (!this.#has(size)) return 0
    let value = 0
    for (let end = this.#at + size; this.#at < end; this.#at++) value = value * 256 + (this.#bytes[this.#at] as number)
    return value
  }

  skip(count: number): void {
    if (this.#has(count)) this.#at += count
  }

  vector(lengthBytes: number, least: number, most: number): Uint8Array {
    const length = this.number(lengthBytes)
    if (this.failed || length < least || length > most || !this.#has(length)) {
      this.failed = true
      return nothing
    }
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  #has(count: number): boolean {
    if (this.failed || this.left < count) this.failed = true
    return !this.failed
  }
}
