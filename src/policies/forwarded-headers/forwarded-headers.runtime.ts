// Changes a received head by what this proxy believes and says about the caller.
import type { RequestHead } from '../../contracts/http-message.ts'
import type { HeaderList } from '../../core/header-list.ts'
import type { ForwardedHeadersSpec } from './forwarded-headers.spec.ts'

type Direction = 'inbound' | 'outbound' | 'gateway'

/** Where a listener's configuration says nothing. On loopback the caller's address tells nobody anything. */
export const defaultForwarding: Readonly<Record<Direction, ForwardedHeadersSpec>> = {
  gateway: { appendForwardedFor: true, forwardedHeader: false, via: undefined, trustedHops: 0 },
  outbound: { appendForwardedFor: false, forwardedHeader: false, via: undefined, trustedHops: 0 },
  inbound: { appendForwardedFor: false, forwardedHeader: false, via: undefined, trustedHops: 0 },
}

export interface Caller {
  readonly address: string
  /** What the caller spoke: "HTTP/1.1". */
  readonly protocol: string
  /** Whether the caller's connection was secured. */
  readonly secure: boolean
}

export function markForwarded(
  request: RequestHead,
  caller: Caller,
  spec: ForwardedHeadersSpec,
  direction: Direction,
): void {
  const { headers } = request
  // Callers of a gateway are outside the mesh and say whatever they like.
  if (direction === 'gateway') distrust(headers, spec.trustedHops)
  const address = withoutMapping(caller.address)
  const proto = caller.secure ? 'https' : 'http'
  if (spec.forwardedHeader) {
    append(headers, 'forwarded', `for=${node(address)};host="${request.authority}";proto=${proto}`)
  }
  if (spec.appendForwardedFor) append(headers, 'x-forwarded-for', address)
  // A sidecar's own connection from another sidecar is not how the caller came.
  if (direction !== 'inbound' && !headers.has('x-forwarded-proto')) headers.add('x-forwarded-proto', proto)
  // The version that the request came by, not the one that it goes on with.
  if (spec.via !== undefined) append(headers, 'via', `${caller.protocol.slice('HTTP/'.length)} ${spec.via}`)
}

/** Takes out what nobody outside may say. */
export function stripMeshHeaders(headers: HeaderList): void {
  headers.deletePrefixed('x-heddle-')
  headers.delete('x-forwarded-client-cert')
  // servers of the CGI kind read one as the other
  headers.delete('x_forwarded_client_cert')
}

/** Of a caller's claims only what the trusted proxies in front have written remains. */
function distrust(headers: HeaderList, trustedHops: number): void {
  keepLast(headers, 'x-forwarded-for', trustedHops)
  keepLast(headers, 'forwarded', trustedHops)
  if (trustedHops > 0) return
  for (const name of claims) headers.delete(name)
  // how long to wait, and how often it was tried
  headers.deletePrefixed('x-envoy-')
}

const claims = ['x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port', 'x-real-ip'] as const

function keepLast(headers: HeaderList, name: string, count: number): void {
  const value = headers.get(name)
  if (value === undefined) return
  const kept = count === 0 ? [] : value.split(',').slice(-count)
  if (kept.length === 0) headers.delete(name)
  else headers.set(name, kept.join(',').trim())
}

function append(headers: HeaderList, name: string, value: string): void {
  const before = headers.get(name)
  if (before === undefined) headers.add(name, value)
  else headers.set(name, before === '' ? value : `${before}, ${value}`)
}

/** Listeners for both families see IPv4 callers as "::ffff:192.0.2.1". */
function withoutMapping(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address
}

/** RFC 7239 section 6: an IPv6 address stands in brackets and quotes. */
function node(address: string): string {
  return address.includes(':') ? `"[${address}]"` : address
}
