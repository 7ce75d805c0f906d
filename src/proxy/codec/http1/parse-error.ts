// A message that is not HTTP/1.1 as RFC 9112 wants it. Thrown inside the codec, a value outside.

export class HttpParseError extends Error {
  /** What a server answers. */
  readonly status: 400 | 413 | 414 | 417 | 431 | 501 | 505

  constructor(status: HttpParseError['status'], message: string) {
    super(message)
    this.status = status
  }
}

export function badMessage(message: string): never {
  throw new HttpParseError(400, message)
}
