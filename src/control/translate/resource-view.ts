// All xDS resources of one revision: translate builds it, the xDS server hands it out. Lazy, cached, each resource encoded once.
import type { TypeUrl } from '../../contracts/xds/names.ts'

export interface XdsNode {
  readonly id: string
  /** `other`: a data plane that is not Heddle's; it gets what it names. */
  readonly kind: 'sidecar' | 'gateway' | 'other'
  readonly namespace: string
  readonly name: string
  /** Present when its certificate has shown that it is who it says: only then it may have private keys. */
  readonly verified?: true
  /** Of a data plane that is not Heddle's, when it has shown a certificate: it gets one of its own by SDS. */
  readonly spiffeId?: string
}

export interface EncodedResource {
  readonly name: string
  /** Hash of `body`: an unchanged resource keeps its version over revisions. */
  readonly version: string
  /** The serialised message, without the Any around it. The same bytes go to every subscriber. */
  readonly body: Uint8Array
}

export interface ResourceView {
  readonly revision: string
  /** What a wildcard subscription of that node means. */
  wildcardNames(typeUrl: TypeUrl, node: XdsNode): readonly string[]
  /** Undefined: no such resource for that node. */
  get(typeUrl: TypeUrl, name: string, node: XdsNode): EncodedResource | undefined
}
