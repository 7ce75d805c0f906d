// The extensions of an X.509 certificate, read from its DER (X.690): Node tells neither key usage nor what is critical, and a library costs a
// proxy 18 MB.

export interface CertificateExtension {
  /** As hexadecimal bytes of the DER: "551d0f". */
  readonly oid: string
  readonly critical: boolean
  /** DER of its content. */
  readonly value: Uint8Array
}

export interface DerElement {
  readonly tag: number
  readonly content: Uint8Array
}

const tags = { boolean: 0x01, octetString: 0x04, oid: 0x06, sequence: 0x30, extensions: 0xa3 } as const

/** Throws when the bytes are no certificate. */
export function certificateExtensions(certificateDer: Uint8Array): CertificateExtension[] {
  const [tbs] = elementsOf(onlyElement(certificateDer, tags.sequence))
  const extensions = elementsOf(expect(tbs, tags.sequence)).find(({ tag }) => tag === tags.extensions)
  if (extensions === undefined) return []
  return elementsOf(onlyElement(extensions.content, tags.sequence)).map(readExtension)
}

/** What `bytes` holds, one after the other. Throws when the last is cut off, or a length is not in its shortest form. */
export function elementsOf(bytes: Uint8Array): DerElement[] {
  const elements: DerElement[] = []
  for (let at = 0; at < bytes.length;) {
    const tag = byteAt(bytes, at++)
    let length = byteAt(bytes, at++)
    if (length >= 0x80) {
      const count = length - 0x80
      if (count === 0 || count > 3) throw new Error('a length that DER does not have')
      length = 0
      for (let i = 0; i < count; i++) length = length * 256 + byteAt(bytes, at++)
      if (length < (count === 1 ? 0x80 : 256 ** (count - 1))) throw new Error('a length in more bytes than it needs')
    }
    if (length > bytes.length - at) throw new Error('cut off')
    elements.push({ tag, content: bytes.subarray(at, at + length) })
    at += length
  }
  return elements
}

/** Content of the one element that `bytes` holds. */
export function onlyElement(bytes: Uint8Array, tag: number): Uint8Array {
  const [element, ...others] = elementsOf(bytes)
  if (others.length > 0) throw new Error('more than one element')
  return expect(element, tag)
}

function readExtension({ tag, content }: DerElement): CertificateExtension {
  if (tag !== tags.sequence) throw new Error('an extension that is no sequence')
  const [oid, ...rest] = elementsOf(content)
  const [flag] = rest
  const critical = flag?.tag === tags.boolean
  const value = expect(rest[critical ? 1 : 0], tags.octetString)
  return { oid: hex(expect(oid, tags.oid)), critical: critical && flag.content[0] === 0xff, value }
}

function expect(element: DerElement | undefined, tag: number): Uint8Array {
  if (element?.tag !== tag) throw new Error('not the element that belongs there')
  return element.content
}

function byteAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at]
  if (byte === undefined) throw new Error('cut off')
  return byte
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
}
