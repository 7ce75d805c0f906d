// What a proxy adds to requests that enter the mesh through it, and takes from those that reach a workload.
import { isIP } from 'node:net'

import type { RequestHead } from '../../contracts/http-message.ts'
import { type Random, randomHexadecimal } from '../../core/random.ts'
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

/**
 * Whose request it is, as far as that may be believed: a gateway's trusted proxies in front said so, or another proxy of the mesh did.
 * Call it after `prepareRequest`.
 */
export function remoteAddressOf(
  { headers }: RequestHead,
  { address }: Caller,
  direction: ListenerConfig['direction'],
  { trustedHops }: ForwardedHeadersSpec = defaultForwarding[direction],
  inMesh: boolean,
): string {
  const believed = direction === 'gateway' ? trustedHops > 0 : direction === 'inbound' && inMesh
  const entries = believed ? headers.get('x-forwarded-for')?.split(',') : undefined
  const entry = (direction === 'gateway' ? entries?.[0] : entries?.at(-1))?.trim() ?? ''
  return isIP(entry) === 0 ? address : entry
}

/** Shaped as a UUID of version 4; unique enough to find one's way in logs, no secret. */
function requestId(random: Random): string {
  const digits = randomHexadecimal(random, 4)
  const variant = '89ab'[Number.parseInt(digits.charAt(16), 16) & 3]
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(13, 16)}-${variant}${digits.slice(17, 20)}-${digits.slice(20)}`
}
