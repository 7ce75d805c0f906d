// Tells from the first bytes of a connection what its client speaks.

export type Protocol = 'tls' | 'http1' | 'http2' | 'other'

/** No more than this is looked at. */
export const detectionBytes = 64

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

/** Undefined: more bytes are needed. */
export function detectProtocol(bytes: Uint8Array): Protocol | undefined {
  if (bytes.length === 0) return undefined
  // A TLS record of type handshake, version 3.x (RFC 8446 section 5.1).
  if (bytes[0] === 0x16) {
    if (bytes.length === 1) return undefined
    return bytes[1] === 3 ? 'tls' : 'other'
  }
  const compared = Math.min(bytes.length, preface.length)
  if (preface.compare(bytes, 0, compared, 0, compared) === 0) return compared === preface.length ? 'http2' : undefined
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, detectionBytes)).toString('latin1')
  // A method and a space; an empty line may come first (RFC 9112 section 2.2).
  if (/^(?:\r\n)*[!#$%&'*+.^_`|~\w-]{1,32} /.test(text)) return 'http1'
  if (/^\r?$|^(?:\r\n)+\r?$|^(?:\r\n)*[!#$%&'*+.^_`|~\w-]{1,32}$/.test(text)) return undefined
  return 'other'
}
