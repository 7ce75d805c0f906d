// Who is at the other end of an ADS stream: what its first request says, checked against the certificate where there is one.
import { parseSpiffeId } from '../../contracts/identity/spiffe-id.ts'
import { nodeId, nodeMetadata } from '../../contracts/xds/names.ts'
import type { XdsNode } from '../translate/resource-view.ts'
import type { NodeInfo } from './discovery-request.ts'

export interface XdsPeer {
  readonly address: string
  /** Headers of the stream by lower-case name. */
  readonly headers: ReadonlyMap<string, string>
  /** The peer's verified SPIFFE ID; undefined when it showed no certificate, or one without, or the port has no TLS. */
  readonly spiffeId: string | undefined
  /** When the certificate's validity began, milliseconds since the Unix epoch; absent without one. */
  readonly notBeforeMs?: number
  /** When its certificate ends, milliseconds since the Unix epoch. */
  readonly notAfterMs?: number
}

/** An Error refuses the stream with PERMISSION_DENIED and its message. */
export type Identify = (peer: XdsPeer, node: NodeInfo) => XdsNode | Error

/** Believes what the node says: for the plaintext port, which hands out nothing secret. */
export function identifyByNodeId(_peer: XdsPeer, node: NodeInfo): XdsNode | Error {
  if (node.id === '') return new Error('node.id is empty: give the node an id in its bootstrap')
  const { [nodeMetadata.kind]: kind, [nodeMetadata.namespace]: namespace, [nodeMetadata.name]: name } = node.metadata
  if (kind !== 'sidecar' && kind !== 'gateway') {
    // a foreign data plane may say whose consumer routes it wants
    return { id: node.id, kind: 'other', namespace: typeof namespace === 'string' ? namespace : '', name: node.id }
  }
  if (typeof namespace !== 'string' || typeof name !== 'string' || node.id !== nodeId(kind, namespace, name)) {
    return new Error(`node "${node.id}" does not agree with its metadata: expected "<kind>~<namespace>~<name>"`)
  }
  return { id: node.id, kind, namespace, name }
}

/**
 * For the TLS port: a Heddle proxy must show the SVID of the service account it runs as, which `serviceAccountOf` tells
 * (undefined: no such workload), and one that was not revoked.
 */
export function identifyBySvid(
  trustDomain: string,
  serviceAccountOf: (node: XdsNode) => string | undefined,
  isRevoked: (spiffeId: string, notBeforeMs: number) => boolean,
): Identify {
  return (peer, info) => {
    const node = identifyByNodeId(peer, info)
    if (node instanceof Error) return node
    const shown = peer.spiffeId === undefined ? undefined : parseSpiffeId(peer.spiffeId)
    if (shown === undefined || shown.trustDomain !== trustDomain) {
      return new Error(`node "${node.id}" must show an X.509-SVID of trust domain "${trustDomain}"`)
    }
    const { spiffeId, notBeforeMs } = peer
    if (spiffeId !== undefined && notBeforeMs !== undefined && isRevoked(spiffeId, notBeforeMs)) {
      return new Error(`the X.509-SVID of ${spiffeId} was revoked: join again with a new token`)
    }
    if (node.kind === 'other') return { ...node, namespace: shown.namespace, spiffeId: peer.spiffeId as string }
    const serviceAccount = serviceAccountOf(node)
    if (serviceAccount === undefined) return new Error(`there is no ${node.kind} "${node.namespace}/${node.name}"`)
    if (shown.namespace !== node.namespace || shown.serviceAccount !== serviceAccount) {
      return new Error(`${peer.spiffeId} may not be ${node.kind} "${node.namespace}/${node.name}"`)
    }
    return { ...node, verified: true }
  }
}
