// Heads and bodies as HTTP/1.1 text. Framing lines are written from the framing itself, never from the header list.
import type { RequestHead, ResponseHead } from '../../../contracts/http-message.ts'
import type { HeaderList } from '../../../core/header-list.ts'
import type { BodyLength } from '../http-stream.ts'

export interface RequestFraming {
  readonly length: BodyLength
  readonly upgrade: string | undefined
}

/** The head with its empty line, as Latin-1 text. Host first, the other lines in the list's order. */
export function serializeRequestHead(head: RequestHead, framing: RequestFraming): string {
  const target = head.method === 'CONNECT' ? head.authority : head.path
  let text = `${head.method} ${target} HTTP/1.1\r\nHost: ${head.authority}\r\n`
  // A method that gives a body no meaning needs no "Content-Length: 0" (RFC 9110 section 8.6).
  const length = framing.length === 0 && !head.headers.has('content-length') ? undefined : framing.length
  text += fieldLines(head.headers, length)
  if (framing.upgrade !== undefined) text += `Connection: Upgrade\r\nUpgrade: ${framing.upgrade}\r\n`
  return `${text}\r\n`
}

export interface ResponseFraming {
  /** `declared`: no body, but the Content-Length line that a GET would have had (HEAD, 304). `none`: neither. */
  readonly length: BodyLength | 'until-close' | 'declared' | 'none'
  readonly connection: string | undefined
  readonly upgrade: string | undefined
}

export function serializeResponseHead(head: ResponseHead, framing: ResponseFraming): string {
  let text = statusLines.get(head.status) ?? `HTTP/1.1 ${head.status} \r\n`
  const { length } = framing
  if (length === 'declared') text += fieldLines(head.headers, declaredLength(head.headers))
  else text += fieldLines(head.headers, length === 'until-close' || length === 'none' ? undefined : length)
  if (framing.connection !== undefined) text += `Connection: ${framing.connection}\r\n`
  if (framing.upgrade !== undefined) text += `Upgrade: ${framing.upgrade}\r\n`
  return `${text}\r\n`
}

function declaredLength(headers: HeaderList): number | undefined {
  const value = headers.get('content-length')
  return value === undefined || !/^\d{1,15}$/.test(value) ? undefined : Number(value)
}

/** `length` undefined: neither Content-Length nor Transfer-Encoding is written. */
function fieldLines(headers: HeaderList, length: BodyLength | undefined): string {
  const declared = headers.get('content-length')
  // Received lines have been freed of what is this hop's own business; only their Content-Length may have come to be wrong.
  const verbatim = declared === undefined || (typeof length === 'number' && declared === String(length))
  let text = verbatim ? headers.receivedText() : ''
  let lengthWritten = verbatim && headers.hasReceived('content-length')
  const count = headers.size
  for (let line = verbatim ? headers.receivedSize : 0; line < count; line++) {
    const name = headers.nameAt(line)
    const kind = ownLines.get(name.length)
    if (kind !== undefined && kind.includes(name.toLowerCase())) {
      // Content-Length keeps its place and spelling; the other lines of this hop are the codec's.
      if (name.length === 14 && typeof length === 'number' && !lengthWritten) {
        text += `${name}: ${length}\r\n`
        lengthWritten = true
      }
      continue
    }
    text += `${name}: ${headers.valueAt(line)}\r\n`
  }
  if (length === 'unknown') return `${text}Transfer-Encoding: chunked\r\n`
  return length === undefined || lengthWritten ? text : `${text}Content-Length: ${length}\r\n`
}

/** Lines that the codec writes itself, by the length of their names. */
const ownLines: ReadonlyMap<number, readonly string[]> = new Map([
  [2, ['te']],
  [4, ['host']],
  [7, ['upgrade']],
  [10, ['connection', 'keep-alive']],
  [14, ['content-length']],
  [16, ['proxy-connection']],
  [17, ['transfer-encoding']],
])

/** Size line of one chunk (RFC 9112 section 7.1); data and CR LF follow. */
export function chunkStart(bytes: number): string {
  return `${bytes.toString(16)}\r\n`
}

export function lastChunk(trailers: HeaderList | undefined): string {
  return trailers === undefined ? '0\r\n\r\n' : `0\r\n${fieldLines(trailers, undefined)}\r\n`
}

const reasonPhrases: ReadonlyMap<number, string> = new Map([
  [100, 'Continue'],
  [101, 'Switching Protocols'],
  [103, 'Early Hints'],
  [200, 'OK'],
  [201, 'Created'],
  [202, 'Accepted'],
  [204, 'No Content'],
  [206, 'Partial Content'],
  [301, 'Moved Permanently'],
  [302, 'Found'],
  [303, 'See Other'],
  [304, 'Not Modified'],
  [307, 'Temporary Redirect'],
  [308, 'Permanent Redirect'],
  [400, 'Bad Request'],
  [401, 'Unauthorized'],
  [403, 'Forbidden'],
  [404, 'Not Found'],
  [405, 'Method Not Allowed'],
  [406, 'Not Acceptable'],
  [408, 'Request Timeout'],
  [409, 'Conflict'],
  [410, 'Gone'],
  [412, 'Precondition Failed'],
  [413, 'Content Too Large'],
  [414, 'URI Too Long'],
  [415, 'Unsupported Media Type'],
  [416, 'Range Not Satisfiable'],
  [417, 'Expectation Failed'],
  [422, 'Unprocessable Content'],
  [429, 'Too Many Requests'],
  [431, 'Request Header Fields Too Large'],
  [500, 'Internal Server Error'],
  [501, 'Not Implemented'],
  [502, 'Bad Gateway'],
  [503, 'Service Unavailable'],
  [504, 'Gateway Timeout'],
  [505, 'HTTP Version Not Supported'],
  [508, 'Loop Detected'],
])

const statusLines: ReadonlyMap<number, string> = new Map(
  [...reasonPhrases].map(([status, phrase]) => [status, `HTTP/1.1 ${status} ${phrase}\r\n`]),
)
