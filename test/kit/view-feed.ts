// Feeds a RuntimeStore from a ResourceView as the ADS server and the client would, without the wire between them.
import { typeUrls } from '../../src/contracts/xds/names.ts'
import type { TypeUrl } from '../../src/contracts/xds/names.ts'
import type { ResourceView, XdsNode } from '../../src/control/translate/resource-view.ts'
import type { RuntimeStore } from '../../src/proxy/runtime/runtime-store.ts'
import type { RejectedResource } from '../../src/proxy/xds-client/resource-update.ts'

const order = [
  typeUrls.secret,
  typeUrls.cluster,
  typeUrls.clusterLoadAssignment,
  typeUrls.listener,
  typeUrls.routeConfiguration,
]

export class ViewFeed {
  readonly #store: RuntimeStore
  readonly #node: XdsNode
  readonly rejected: RejectedResource[] = []
  /** Version of what the store has by type and name; '' for what it knows to be absent. */
  readonly #sent = new Map<string, string>()
  #view: ResourceView

  constructor(store: RuntimeStore, node: XdsNode, view: ResourceView) {
    this.#store = store
    this.#node = node
    this.#view = view
    store.wanted.subscribe(() => this.#forgetUnwanted())
  }

  /** Sends what the store lacks of `types` until nothing is left to send. */
  push(view: ResourceView = this.#view, types: readonly TypeUrl[] = order): void {
    this.#view = view
    for (let rounds = 0; types.filter((typeUrl) => this.#pushType(typeUrl)).length > 0; rounds++) {
      if (rounds > 100) throw new Error('the store never has enough')
    }
  }

  #pushType(typeUrl: TypeUrl): boolean {
    const names = this.#names(typeUrl)
    const changed: { name: string; version: string; body: Uint8Array }[] = []
    const removed: string[] = []
    for (const name of names) {
      const resource = this.#view.get(typeUrl, name, this.#node)
      if (this.#sent.get(`${typeUrl} ${name}`) === (resource?.version ?? '')) continue
      this.#sent.set(`${typeUrl} ${name}`, resource?.version ?? '')
      if (resource === undefined) removed.push(name)
      else changed.push(resource)
    }
    if (typeUrl === typeUrls.listener) {
      for (const name of this.#sentNames(typeUrl).filter((sent) => !names.includes(sent))) {
        this.#sent.delete(`${typeUrl} ${name}`)
        removed.push(name)
      }
    }
    if (changed.length === 0 && removed.length === 0) return false
    this.rejected.push(...this.#store.apply({ typeUrl, changed, removed, revision: this.#view.revision }))
    return true
  }

  /** What is unsubscribed, even for a moment, is sent again when it is subscribed again. */
  #forgetUnwanted(): void {
    for (const typeUrl of order.filter((type) => type !== typeUrls.listener)) {
      const wanted = this.#names(typeUrl)
      for (const name of this.#sentNames(typeUrl)) if (!wanted.includes(name)) this.#sent.delete(`${typeUrl} ${name}`)
    }
  }

  #sentNames(typeUrl: TypeUrl): string[] {
    const prefix = `${typeUrl} `
    return [...this.#sent.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length))
  }

  #names(typeUrl: TypeUrl): readonly string[] {
    const wanted = this.#store.wanted.value
    if (typeUrl === typeUrls.listener) return this.#view.wildcardNames(typeUrl, this.#node)
    if (typeUrl === typeUrls.cluster) return wanted.clusters
    if (typeUrl === typeUrls.clusterLoadAssignment) return wanted.endpoints
    if (typeUrl === typeUrls.secret) return wanted.secrets
    return wanted.routeConfigurations
  }
}
