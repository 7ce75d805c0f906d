// ClientHellos made by hand, right and wrong.

export interface HelloParts {
  readonly serverName?: string
  readonly alpn?: readonly string[]
  /** Bytes of a padding extension. */
  readonly padding?: number
  /** Hex, instead of those that the other parts make; undefined: no extensions at all. */
  readonly extensions?: string | undefined
}

/** The body of the message. */
export function helloOf(parts: HelloParts): Buffer {
  const start = Buffer.concat([
    Buffer.from('0303', 'hex'),
    Buffer.alloc(32, 7),
    vector(1, Buffer.alloc(0)),
    vector(2, Buffer.from('1301', 'hex')),
    vector(1, Buffer.alloc(1)),
  ])
  if ('extensions' in parts) {
    return parts.extensions === undefined
      ? start
      : Buffer.concat([start, vector(2, Buffer.from(parts.extensions, 'hex'))])
  }
  const { serverName, alpn, padding } = parts
  const extensions: Buffer[] = []
  if (serverName !== undefined) {
    const name = Buffer.concat([Buffer.alloc(1), vector(2, Buffer.from(serverName, 'latin1'))])
    extensions.push(extension(0, vector(2, name)))
  }
  if (alpn !== undefined) {
    extensions.push(extension(16, vector(2, Buffer.concat(alpn.map((name) => vector(1, Buffer.from(name)))))))
  }
  if (padding !== undefined) extensions.push(extension(21, Buffer.alloc(padding)))
  return Buffer.concat([start, vector(2, Buffer.concat(extensions))])
}

/** The message with its handshake header. */
export function handshakeOf(body: Uint8Array, type = 1): Buffer {
  return Buffer.concat([Buffer.from([type]), vector(3, body)])
}

/** The message in records of at most `fragmentBytes`. */
export function recordsOf(message: Uint8Array, fragmentBytes = 16_000): Buffer {
  const records: Buffer[] = []
  for (let at = 0; at < message.length; at += fragmentBytes) {
    records.push(Buffer.from('160301', 'hex'), vector(2, message.subarray(at, at + fragmentBytes)))
  }
  return Buffer.concat(records)
}

function extension(type: number, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([type >> 8, type & 255]), vector(2, content)])
}

function vector(lengthBytes: number, content: Uint8Array): Buffer {
  const length = Buffer.alloc(lengthBytes)
  length.writeUIntBE(content.length, 0, lengthBytes)
  return Buffer.concat([length, content])
}
