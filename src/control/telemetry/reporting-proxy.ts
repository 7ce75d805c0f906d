// Who streams telemetry: a proxy of the mesh that shows its certificate, and may speak of itself alone.
import { X509Certificate } from 'node:crypto'

import type { ServerReadableStream } from '@grpc/grpc-js'

import { spiffeIdOf } from '../../contracts/identity/certificate-spiffe-id.ts'
import type { NodeKind } from '../../contracts/xds/names.ts'

export interface ReportingProxies {
  /** SPIFFE ID of each proxy that the mesh has, by node id. */
  readonly proxies: () => ReadonlyMap<string, string>
  readonly isRevoked: (spiffeId: string, notBeforeMs: number) => boolean
}

/** The proxy that reports, as its certificate and node id say. */
export interface Reporter {
  readonly kind: NodeKind
  /** "namespace/name". */
  readonly name: string
  readonly spiffeId: string
}

/** Whoever is at the other end of one stream. */
export class ReportingPeer {
  readonly #options: ReportingProxies
  readonly #spiffeId: string | undefined
  readonly #notBeforeMs: number

  constructor(call: Pick<ServerReadableStream<unknown, unknown>, 'getAuthContext'>, options: ReportingProxies) {
    const peer = call.getAuthContext().sslPeerCertificate
    this.#options = options
    this.#spiffeId = peer && spiffeIdOf(peer)
    this.#notBeforeMs =
      peer === undefined || this.#spiffeId === undefined ? 0 : new X509Certificate(peer.raw).validFromDate.getTime()
  }

  /** As whom it may speak; a text: why it may not. */
  introduce(node: string): Reporter | string {
    const spiffeId = this.#spiffeId
    if (spiffeId === undefined || this.#options.proxies().get(node) !== spiffeId)
      return `${spiffeId ?? 'who shows no X.509-SVID'} may not report for ${JSON.stringify(node)}`
    const [kind, ...name] = node.split('~')
    return { kind: kind === 'gateway' ? kind : 'sidecar', name: name.join('/'), spiffeId }
  }

  /** Why it may speak no longer; to be asked with every message. */
  refusal(): string | undefined {
    if (this.#spiffeId === undefined || !this.#options.isRevoked(this.#spiffeId, this.#notBeforeMs)) return undefined
    return `the X.509-SVID of ${this.#spiffeId} was revoked: join again with a new token`
  }
}
