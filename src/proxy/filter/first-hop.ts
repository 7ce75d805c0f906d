// What a proxy adds to requests that enter the mesh through it, and takes from those that reach a workload.
import type { RequestHead } from '../../contracts/http-message.ts'
import type { Random } from '../../core/random.ts'
import {
  type Caller,
  defaultForwarding,
  markForwarded,
  stripMeshHeaders,
} from '../../policies/forwarded-headers/forwarded-headers.runtime.ts'
import type { ForwardedHeadersSpec } from '../../policies/forwarded-headers/forwarded-headers.spec.ts'
import type { ListenerConfig } from '../runtime/runtime-config.ts'

export function prepareRequest(
  request: RequestHead,
  caller: Caller,
  direction: ListenerConfig['direction'],
  forwarding: ForwardedHeadersSpec = defaultForwarding[direction],
  random: Random,
): void {
  const { headers } = request
  // Only a proxy may say whose certificate it saw or speak to another proxy, and none does in requests yet.
  stripMeshHeaders(headers)
  markForwarded(request, caller, forwarding, direction)
  if (direction !== 'inbound' && !headers.has('x-request-id')) headers.add('x-request-id', requestId(random))
}

/** Shaped as a UUID of version 4; unique enough to find one's way in logs, no secret. */
function requestId(random: Random): string {
  const word = (): string => random.int(0x1_0000_0000).toString(16).padStart(8, '0')
  const [a, b, c, d] = [word(), word(), word(), word()]
  const variant = '89ab'[Number.parseInt(c.charAt(0), 16) & 3]
  return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-${variant}${c.slice(1, 4)}-${c.slice(4)}${d}`
}
