// How MeshConfig says what proxies tell about callers, and what each kind of listener makes of it.
import { z } from 'zod'

import type { ForwardedHeadersSpec } from './forwarded-headers.spec.ts'

/** `gateways`: where requests enter the mesh. `all`: sidecars too, each adding whoever connected to it. */
type Places = 'gateways' | 'all' | 'none'
const places: z.ZodType<Places> = z.enum(['gateways', 'all', 'none'])

export interface ForwardedHeadersSettings {
  readonly xForwardedFor: Places
  readonly forwarded: Places
  /** Absent: no proxy adds to Via. */
  readonly via?: string
  /** Proxies in front of the gateways that are believed (Istio's numTrustedProxies). */
  readonly numTrustedProxies: number
}

export const forwardedHeadersSchema: z.ZodType<ForwardedHeadersSettings> = z.strictObject({
  xForwardedFor: places.default('gateways'),
  forwarded: places.default('none'),
  via: z
    .string()
    .max(64)
    .regex(/^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/, 'a name of letters, digits, "-", "." and "_" (RFC 9110 pseudonym)')
    .exactOptional(),
  numTrustedProxies: z.int().min(0).max(100).default(0),
})

export function toForwardedHeadersSpec(
  settings: ForwardedHeadersSettings,
  place: 'gateway' | 'sidecar',
): ForwardedHeadersSpec {
  const applies = (where: Places): boolean => where === 'all' || (where === 'gateways' && place === 'gateway')
  return {
    appendForwardedFor: applies(settings.xForwardedFor),
    forwardedHeader: applies(settings.forwarded),
    via: settings.via,
    trustedHops: place === 'gateway' ? settings.numTrustedProxies : 0,
  }
}
