// A gRPC caller's own bound on its call: read where the call comes in, passed on as what is left of it.
import type { RequestHead } from '../../contracts/http-message.ts'
import { formatGrpcTimeout, parseGrpcTimeout } from '../../policies/timeouts/timeouts.runtime.ts'

const header = 'grpc-timeout'

/** Milliseconds; Infinity when it names none. */
export function callerTimeoutMs({ headers }: RequestHead): number {
  const value = headers.get(header)
  return (value === undefined ? undefined : parseGrpcTimeout(value)) ?? Infinity
}

/** The next one on the way gives up no later than this one. */
export function markTimeout({ headers }: RequestHead, leftMs: number): void {
  headers.set(header, formatGrpcTimeout(leftMs))
}
