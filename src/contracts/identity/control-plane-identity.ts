// Who the control plane is to the proxies of its trust domain.
import { rootNamespace } from '../root-namespace.ts'
import { formatSpiffeId } from './spiffe-id.ts'

export function controlPlaneSpiffeId(trustDomain: string): string {
  return formatSpiffeId({ trustDomain, namespace: rootNamespace, serviceAccount: 'control-plane' })
}

/** Server name that proxies send on the TLS port: an address is not allowed there (RFC 6066, section 3). It proves nothing, the SPIFFE ID does. */
export const controlPlaneServerName = 'control-plane.heddle-system.svc'
