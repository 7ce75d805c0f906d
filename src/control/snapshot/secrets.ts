// Certificates and roots that listeners and backends refer to → the snapshot, under the names by which proxies ask for them.
import { createHash } from 'node:crypto'

import { certificateName } from '../../contracts/xds/names.ts'
import {
  certificateFault,
  certificateKey,
  certificatesFault,
  privateKeyKey,
  rootsKey,
  secretText,
} from '../model/key-kinds.ts'
import type { DocumentIndex } from './document-index.ts'

export type SecretContent =
  | { readonly kind: 'certificate'; readonly certificateChainPem: string; readonly privateKeyPem: string }
  | { readonly kind: 'roots'; readonly rootsPem: string }

/** What it holds shows in no JSON, log or comparison; the fingerprint stands for it there. */
export class MeshSecret {
  readonly kind: SecretContent['kind']
  readonly fingerprint: string
  readonly #content: SecretContent

  constructor(content: SecretContent) {
    this.kind = content.kind
    this.fingerprint = createHash('sha256').update(JSON.stringify(content)).digest('base64url').slice(0, 16)
    this.#content = content
  }

  /** For the proxy that may have it, and nobody else. */
  reveal(): SecretContent {
    return this.#content
  }
}

export interface CertificateReference {
  readonly namespace: string
  readonly name: string
}

/** Loads what is referred to, once. */
export class SecretShelf {
  readonly #index: DocumentIndex
  readonly #secrets = new Map<string, MeshSecret>()

  constructor(index: DocumentIndex) {
    this.#index = index
  }

  /** By name, sorted. */
  toMap(): ReadonlyMap<string, MeshSecret> {
    return new Map([...this.#secrets].toSorted(([a], [b]) => (a < b ? -1 : 1)))
  }

  /** Name under which the certificate is served, or what is wrong. */
  certificate({ namespace, name }: CertificateReference): { readonly name: string } | { readonly fault: string } {
    const document = this.#index.get('Secret', namespace, name)
    if (document === undefined) return { fault: `there is no usable Secret "${name}" in namespace ${namespace}` }
    const chain = secretText(document.spec, certificateKey)
    const key = secretText(document.spec, privateKeyKey)
    if (chain === undefined || key === undefined)
      return { fault: `Secret ${namespace}/${name} has no ${certificateKey} and ${privateKeyKey}` }
    const fault = certificateFault(chain, key)
    if (fault !== undefined) return { fault: `Secret ${namespace}/${name}: "${fault.key}": ${fault.message}` }
    const served = certificateName(namespace, name)
    this.#put(served, { kind: 'certificate', certificateChainPem: chain, privateKeyPem: key })
    return { name: served }
  }

  /** The roots of one ConfigMap or Secret: its `ca.crt`. */
  roots(
    kind: 'ConfigMap' | 'Secret',
    namespace: string,
    name: string,
  ): { readonly pem: string } | { readonly fault: string } {
    const document = this.#index.get(kind, namespace, name)
    if (document === undefined) return { fault: `there is no ${kind} "${name}" in namespace ${namespace}` }
    const pem = document.kind === 'Secret' ? secretText(document.spec, rootsKey) : document.spec.data[rootsKey]
    if (pem === undefined) return { fault: `${kind} ${namespace}/${name} has no ${rootsKey}` }
    const fault = certificatesFault(pem)
    return fault === undefined ? { pem } : { fault: `${kind} ${namespace}/${name}: "${rootsKey}": ${fault}` }
  }

  /** Serves these roots under the name of what refers to them. */
  putRoots(name: string, rootsPem: string): void {
    this.#put(name, { kind: 'roots', rootsPem })
  }

  #put(name: string, content: SecretContent): void {
    if (!this.#secrets.has(name)) this.#secrets.set(name, new MeshSecret(content))
  }
}
