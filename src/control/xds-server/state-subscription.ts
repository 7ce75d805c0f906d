// State-of-the-world xDS for one type of one client: every response holds everything it wants of the type (xDS protocol, "SotW").
import { typeUrls } from '../../contracts/xds/names.ts'
import type { TypeUrl } from '../../contracts/xds/names.ts'
import type { EncodedResource, ResourceView, XdsNode } from '../translate/resource-view.ts'
import type { StateRequest } from './discovery-request.ts'
import { interest, maxSubscribedNames, wildcard } from './subscription.ts'
import type { Payload, Subscription } from './subscription.ts'

/** Types whose responses mean "and nothing else exists": leaving a resource out deletes it. */
const complete: ReadonlySet<string> = new Set([typeUrls.listener, typeUrls.cluster])

export class StateSubscription implements Subscription {
  readonly #typeUrl: TypeUrl
  #names: ReadonlySet<string> = new Set()
  #wildcard = false
  /** An empty list means the wildcard until the client has named something. */
  #legacyWildcard = true
  #sent: ReadonlyMap<string, EncodedResource> = new Map()
  #asked = false
  #first = true
  #unchangedIn: ResourceView | undefined

  constructor(typeUrl: string) {
    this.#typeUrl = typeUrl as TypeUrl
  }

  /** Returns what is wrong with the request, if anything. Stale requests must not come here. */
  request(request: StateRequest): string | undefined {
    if (request.names.length > maxSubscribedNames) return `more than ${maxSubscribedNames} names`
    if (request.names.length > 0) this.#legacyWildcard = false
    const wildcardNow = request.names.includes(wildcard) || this.#legacyWildcard
    const names = new Set(request.names)
    names.delete(wildcard)
    const added = (wildcardNow && !this.#wildcard) || [...names].some((name) => !this.#names.has(name))
    const dropped = (this.#wildcard && !wildcardNow) || [...this.#names].some((name) => !names.has(name))
    if (dropped && !wildcardNow) this.#sent = new Map([...this.#sent].filter(([name]) => names.has(name)))
    this.#names = names
    this.#wildcard = wildcardNow
    if (added || dropped) this.#unchangedIn = undefined
    if (added || this.#first) this.#asked = true
    this.#first = false
    return undefined
  }

  get asked(): boolean {
    return this.#asked
  }

  count(view: ResourceView, node: XdsNode): number {
    return this.#interest(view, node).size
  }

  offers(name: string, view: ResourceView, node: XdsNode): boolean {
    return this.#interest(view, node).has(name) && view.get(this.#typeUrl, name, node) !== undefined
  }

  hasChanges(view: ResourceView, node: XdsNode): boolean {
    if (this.#unchangedIn === view) return false
    for (const name of this.#interest(view, node)) {
      const resource = view.get(this.#typeUrl, name, node)
      if (resource !== undefined && this.#sent.get(name)?.version !== resource.version) return true
    }
    this.#unchangedIn = view
    return false
  }

  hasRemovals(view: ResourceView, node: XdsNode): boolean {
    return complete.has(this.#typeUrl) && this.#gone(view, node).length > 0
  }

  take(what: 'answer' | 'changes' | 'removals', view: ResourceView, node: XdsNode): Payload {
    const resources: EncodedResource[] = []
    for (const name of this.#interest(view, node)) {
      const resource = view.get(this.#typeUrl, name, node)
      if (resource !== undefined) resources.push(resource)
    }
    // what still may be in use stays until what used it has changed: make before break
    if (what !== 'removals' && complete.has(this.#typeUrl)) resources.push(...this.#gone(view, node))
    this.#sent = new Map(resources.map((resource) => [resource.name, resource]))
    this.#asked = false
    return { resources, removed: [] }
  }

  #interest(view: ResourceView, node: XdsNode): ReadonlySet<string> {
    return interest(this.#typeUrl, this.#names, this.#wildcard, view, node)
  }

  #gone(view: ResourceView, node: XdsNode): EncodedResource[] {
    const mine = this.#interest(view, node)
    return [...this.#sent.values()].filter(
      ({ name }) => !mine.has(name) || view.get(this.#typeUrl, name, node) === undefined,
    )
  }
}
