// What the HTTP/1.1 parser makes of some bytes, as comparable text: for properties over every way to cut them.
import { parseRequestHead, parseResponseHead } from '../../src/proxy/codec/http1/message-head.ts'
import { type Framing, MessageParser } from '../../src/proxy/codec/http1/message-parser.ts'

export interface ParsedMessage {
  /** Start line and header lines as the parser understood them. */
  readonly head: string
  readonly framing: Framing
  body: string
  trailers: string[] | undefined
  complete: boolean
}

export interface ParseResult {
  readonly messages: ParsedMessage[]
  /** Status and text of the refusal. */
  readonly error: string | undefined
  readonly cutShort: boolean
}

/** Feeds `pieces` one after the other; a complete message is at once followed by the next. `method`: of the request, for responses. */
export function parsePieces(pieces: readonly Uint8Array[], method?: string): ParseResult {
  const messages: ParsedMessage[] = []
  let error: string | undefined
  const readHead = method === undefined ? readRequest : readResponse(method)
  let read: ReadHead | undefined
  const parser: MessageParser = new MessageParser({
    parseHead(bytes, start, end) {
      read = readHead(bytes, start, end)
      return read?.end ?? -1
    },
    onHead() {
      const { text, framing } = read as ReadHead
      if (framing !== 'another-head') {
        messages.push({ head: text, framing, body: '', trailers: undefined, complete: false })
      }
      return framing
    },
    onBody(piece) {
      const message = messages.at(-1) as ParsedMessage
      message.body += Buffer.from(piece).toString('latin1')
    },
    onMessageEnd(trailers) {
      const message = messages.at(-1) as ParsedMessage
      message.complete = true
      message.trailers = trailers === undefined ? undefined : [...trailers].map(([name, value]) => `${name}: ${value}`)
      parser.next()
    },
    onParseError(refusal) {
      error = `${refusal.status} ${refusal.message}`
    },
  })
  for (const piece of pieces) {
    // The parser must not rely on the bytes after the call.
    const lent = Uint8Array.from(piece)
    parser.push(lent)
    lent.fill(0x58)
  }
  return { messages, error, cutShort: error === undefined && parser.finish() }
}

interface ReadHead {
  readonly end: number
  readonly text: string
  readonly framing: Framing
}

function readRequest(bytes: Buffer, start: number, end: number): ReadHead | undefined {
  const parsed = parseRequestHead(bytes, start, end)
  if (parsed === undefined) return undefined
  const { head, end: headEnd, ...rest } = parsed
  const { headers, ...line } = head
  const text = JSON.stringify([line, [...headers], rest])
  return { end: headEnd, text, framing: rest.length === 'unknown' ? 'chunked' : rest.length }
}

function readResponse(method: string) {
  return (bytes: Buffer, start: number, end: number): ReadHead | undefined => {
    const parsed = parseResponseHead(bytes, start, end, method)
    if (parsed === undefined) return undefined
    const { head, end: headEnd, ...rest } = parsed
    const text = JSON.stringify([head.status, [...head.headers], rest])
    if (head.status < 200) return { end: headEnd, text, framing: 'another-head' }
    if (rest.length !== 'unknown') return { end: headEnd, text, framing: rest.length }
    return { end: headEnd, text, framing: rest.chunked ? 'chunked' : 'until-close' }
  }
}

/** `bytes` in pieces that end at `cuts`. */
export function cutAt(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].toSorted((a, b) => a - b)
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end))
}
