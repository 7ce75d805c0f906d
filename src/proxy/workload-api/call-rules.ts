// What holds for every call of the Workload API.
import { status } from '@grpc/grpc-js'
import type { Metadata } from '@grpc/grpc-js'

export interface Call {
  readonly metadata: Metadata
  on(event: string, listener: () => void): unknown
  emit(event: 'error', error: object): unknown
}

/** Workload Endpoint standard, section 3: keeps out whoever makes a program send requests that it does not mean to. */
export function refuseWithoutHeader(call: Call): boolean {
  if (call.metadata.get('workload.spiffe.io').join() === 'true') return false
  const details = 'send the metadata "workload.spiffe.io: true" with each call to the Workload API'
  call.emit('error', { code: status.INVALID_ARGUMENT, details })
  return true
}

/** Of a stream, however it ends. `end` may be called more than once. */
export function onEnd(call: Call, end: () => void): void {
  for (const event of ['cancelled', 'close', 'error']) call.on(event, end)
}
