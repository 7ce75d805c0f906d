// What gRPC adds to HTTP/2 as far as a proxy is concerned: which requests are gRPC, where their status stands, and how to refuse one.
// Source: "gRPC over HTTP2", "HTTP to gRPC Status Code Mapping" of the gRPC project.
import type { RequestHead, ResponseHead } from '../../contracts/http-message.ts'
import { HeaderList } from '../../core/header-list.ts'
import type { BodyLength } from '../codec/http-stream.ts'

const grpcContentType = 'application/grpc'

/** gRPC-Web is another protocol. */
export function isGrpc({ method, headers }: RequestHead): boolean {
  if (method !== 'POST') return false
  const contentType = headers.get('content-type')
  if (contentType === undefined || !contentType.startsWith(grpcContentType)) return false
  const next = contentType.charAt(grpcContentType.length)
  return next === '' || next === '+' || next === ';'
}

/** Of trailers, or of a head without a body that stands for them. Undefined when there is none. */
export function grpcStatusOf(headers: HeaderList | undefined): number | undefined {
  const text = headers?.get('grpc-status')
  return text !== undefined && /^\d{1,3}$/.test(text) ? Number(text) : undefined
}

/** Of a response that is only trailers: a head without a body. */
export function statusWithoutBody(head: ResponseHead, length: BodyLength): number | undefined {
  return length === 0 ? grpcStatusOf(head.headers) : undefined
}

const byHttpStatus: ReadonlyMap<number, number> = new Map([
  [400, 13], // INTERNAL
  [401, 16], // UNAUTHENTICATED
  [403, 7], // PERMISSION_DENIED
  [404, 12], // UNIMPLEMENTED
  [429, 14], // UNAVAILABLE
  [502, 14],
  [503, 14],
  [504, 4], // DEADLINE_EXCEEDED: a proxy says 504 only when it was waiting
])

/**
 * Makes of `head` a whole response to a gRPC request that says what its status says to others, unless `grpcStatus` is given. Returns the gRPC
 * status.
 */
export function grpcReply(head: ResponseHead, detail: string, grpcStatus: number = grpcStatusFor(head.status)): number {
  head.status = 200
  head.headers.set('content-type', grpcContentType)
  head.headers.set('grpc-status', String(grpcStatus))
  head.headers.set('grpc-message', percentEncode(detail))
  return grpcStatus
}

/** The end of a response that has begun, where others see a broken connection for which `status` would stand. */
export function grpcTrailers(
  status: number,
  detail: string,
): { readonly trailers: HeaderList; readonly grpcStatus: number } {
  const grpcStatus = grpcStatusFor(status)
  const trailers = HeaderList.of(['grpc-status', String(grpcStatus)], ['grpc-message', percentEncode(detail)])
  return { trailers, grpcStatus }
}

function grpcStatusFor(status: number): number {
  return byHttpStatus.get(status) ?? 2 // UNKNOWN
}

/** As grpc-message wants it: printable ASCII but for "%". */
function percentEncode(text: string): string {
  return text.replace(/[^\x20-\x24\x26-\x7e]+/g, (part) => {
    return [...Buffer.from(part)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')
  })
}
