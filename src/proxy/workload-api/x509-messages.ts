// Certificates as the Workload API sends them: DER, one after the other.
import { createPrivateKey } from 'node:crypto'

import { create } from '@bufbuild/protobuf'

import { certificatesFromPem } from '../../contracts/identity/pem.ts'
import { splitSpiffeId } from '../../contracts/identity/spiffe-id.ts'
import { X509BundlesResponseSchema, X509SVIDResponseSchema } from '../../contracts/xds/gen/spiffe/workload_pb.ts'
import type { X509BundlesResponse, X509SVIDResponse } from '../../contracts/xds/gen/spiffe/workload_pb.ts'
import type { TlsCredentials } from '../io/connection.ts'

export function x509SvidResponse(spiffeId: string, credentials: TlsCredentials): X509SVIDResponse {
  const svid = {
    spiffeId,
    x509Svid: concatenated(credentials.certificateChainPem),
    x509SvidKey: createPrivateKey(credentials.privateKeyPem).export({ type: 'pkcs8', format: 'der' }),
    bundle: concatenated(credentials.rootsPem),
  }
  return create(X509SVIDResponseSchema, { svids: [svid], federatedBundles: federatedBundles(credentials) })
}

/** Of all trust domains. */
export function x509BundlesResponse(spiffeId: string, credentials: TlsCredentials): X509BundlesResponse {
  const own = { [trustDomainId(spiffeId)]: concatenated(credentials.rootsPem) }
  return create(X509BundlesResponseSchema, { bundles: { ...federatedBundles(credentials), ...own } })
}

function federatedBundles({ federatedBundles: bundles = [] }: TlsCredentials): Record<string, Buffer> {
  return Object.fromEntries(
    bundles.map(({ trustDomain, rootsPem }) => [`spiffe://${trustDomain}`, concatenated(rootsPem)]),
  )
}

/** "spiffe://mesh.local": what bundles are named by. */
export function trustDomainId(spiffeId: string): string {
  return `spiffe://${splitSpiffeId(spiffeId).trustDomain}`
}

function concatenated(pem: string): Buffer {
  return Buffer.concat(certificatesFromPem(pem))
}
