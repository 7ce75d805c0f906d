// Answers that the proxy gives itself.
import type { ResponseFlag } from '../../contracts/decision-record.ts'
import type { FilterRefusal } from '../../contracts/http-filter.ts'
import type { ResponseHead } from '../../contracts/http-message.ts'
import { HeaderList } from '../../core/header-list.ts'
import type { ServerStream } from '../codec/http-stream.ts'
import type { Exchange } from '../telemetry/exchange.ts'
import type { AttemptFailure } from './attempt.ts'
import { grpcReply, isGrpc } from './grpc.ts'

/** On a 503 between two proxies of the mesh: the application behind the answering one did not see the request. What REFUSED_STREAM says in HTTP/2. */
export const unprocessedHeader = 'x-heddle-unprocessed'

/** What it says: the application could not be reached, or has more to do than it can. */
export type Unprocessed = 'unreachable' | 'overloaded'

export function isTurnedAway({ headers }: ResponseHead): boolean {
  return headers.get(unprocessedHeader) === ('overloaded' satisfies Unprocessed)
}

export function textResponse(status: number, detail: string): { head: ResponseHead; body: Buffer } {
  const headers = HeaderList.of(['content-type', 'text/plain; charset=utf-8'], ['server', 'heddle'])
  return { head: { status, headers }, body: Buffer.from(`${detail}\n`) }
}

export function refusalResponse({ status, detail, body, headers = [] }: FilterRefusal): {
  head: ResponseHead
  body: Uint8Array
} {
  const { head, body: text } = textResponse(status, detail)
  // of a body that is somebody else's
  if (body !== undefined || headers.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'content-type'))
    head.headers.delete('content-type')
  for (let i = 0; i < headers.length; i += 2) head.headers.add(headers[i] as string, headers[i + 1] as string)
  return { head, body: body ?? text }
}

/**
 * Answers, in the way of gRPC where that was asked, and writes down what was answered. `detail` says why to a person. `grpcStatus` where it
 * does not follow from the status.
 */
export function sendReply(
  stream: ServerStream,
  exchange: Exchange,
  head: ResponseHead,
  body: Uint8Array,
  detail: string,
  grpcStatus?: number,
): void {
  if (head.status >= 400 && isGrpc(stream.request)) {
    exchange.grpcStatus = grpcReply(head, detail, grpcStatus)
    exchange.status = head.status
    stream.sendHead(head, 0)
  } else {
    exchange.status = head.status
    exchange.responseBytes = body.length
    stream.sendHead(head, body.length)
    if (stream.request.method !== 'HEAD') stream.sendData(body)
  }
  stream.sendEnd()
}

interface FailureAnswer {
  readonly status: number
  readonly flag: ResponseFlag
  readonly what: string
}

/** A failure of the upstream side as the caller sees it. */
export const failureAnswers: Readonly<Record<AttemptFailure['kind'], FailureAnswer>> = {
  'connect-failure': { status: 503, flag: 'UF', what: 'could not connect to' },
  reset: { status: 503, flag: 'UC', what: 'lost the connection to' },
  refused: { status: 503, flag: 'UC', what: 'was refused by' },
  'protocol-error': { status: 502, flag: 'UPE', what: 'got an unreadable response from' },
  timeout: { status: 504, flag: 'UT', what: 'waited too long for' },
  overflow: { status: 503, flag: 'UO', what: 'has too many requests waiting for' },
}

/** The peer's proxy says that its application did not see the request. Nobody behind this proxy hears of it, nor believes an application that says so. */
export function takeUnprocessed({ headers }: ResponseHead, peerSpiffeId: string | undefined): boolean {
  if (!headers.has(unprocessedHeader)) return false
  headers.delete(unprocessedHeader)
  return peerSpiffeId !== undefined
}
