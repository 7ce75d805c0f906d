// A caller's own bound on its request: read where it comes in, passed on as what is left of it. gRPC has a header of its own; others use Envoy's.
import type { RequestHead } from '../../contracts/http-message.ts'
import {
  formatExpectedTimeout,
  formatGrpcTimeout,
  parseExpectedTimeout,
  parseGrpcTimeout,
} from '../../policies/timeouts/timeouts.runtime.ts'

const grpcHeader = 'grpc-timeout'
const header = 'x-envoy-expected-rq-timeout-ms'

/** Milliseconds; Infinity when it names none. */
export function callerTimeoutMs({ headers }: RequestHead, grpc: boolean): number {
  const value = headers.get(grpc ? grpcHeader : header)
  if (value === undefined) return Infinity
  return (grpc ? parseGrpcTimeout(value) : parseExpectedTimeout(value)) ?? Infinity
}

/** The next one on the way gives up no later than this one. */
export function markTimeout({ headers }: RequestHead, leftMs: number, grpc: boolean): void {
  if (grpc) headers.set(grpcHeader, formatGrpcTimeout(leftMs))
  else headers.set(header, formatExpectedTimeout(leftMs))
}
