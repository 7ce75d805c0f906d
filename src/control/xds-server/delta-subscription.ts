// Delta xDS for one type of one client: only what changed is sent, removals by name (xDS protocol, "Incremental xDS").
import type { TypeUrl } from '../../contracts/xds/names.ts'
import type { EncodedResource, ResourceView, XdsNode } from '../translate/resource-view.ts'
import type { DeltaRequest } from './discovery-request.ts'
import { interest, maxSubscribedNames, wildcard } from './subscription.ts'
import type { Payload, Subscription } from './subscription.ts'

/** In place of a version: the client knows that there is no such resource. */
const absent = ''

export class DeltaSubscription implements Subscription {
  readonly #typeUrl: TypeUrl
  readonly #names = new Set<string>()
  #wildcard = false
  /** Version of each resource the client has, or `absent`. */
  readonly #sent = new Map<string, string>()
  readonly #askedNames = new Set<string>()
  #askedWildcard = false
  #first = true
  /** The view in which nothing was left to change: spares comparing again after each acknowledgement. */
  #unchangedIn: ResourceView | undefined

  constructor(typeUrl: string) {
    this.#typeUrl = typeUrl as TypeUrl
  }

  /** Returns what is wrong with the request, if anything. */
  request(request: DeltaRequest): string | undefined {
    const first = this.#first
    this.#first = false
    // legacy wildcard: a first request that names nothing
    if (first && request.subscribe.length === 0 && request.unsubscribe.length === 0) this.#subscribe(wildcard)
    for (const name of request.subscribe) this.#subscribe(name)
    for (const name of request.unsubscribe) this.#unsubscribe(name)
    if (first) this.#resume(request.initialVersions)
    if (request.subscribe.length > 0 || request.unsubscribe.length > 0) this.#unchangedIn = undefined
    return this.#names.size > maxSubscribedNames ? `more than ${maxSubscribedNames} names` : undefined
  }

  get asked(): boolean {
    return this.#askedWildcard || this.#askedNames.size > 0
  }

  count(view: ResourceView, node: XdsNode): number {
    return this.#interest(view, node).size
  }

  offers(name: string, view: ResourceView, node: XdsNode): boolean {
    return exists(this.#interest(view, node), name, view, this.#typeUrl, node)
  }

  hasChanges(view: ResourceView, node: XdsNode): boolean {
    if (this.#unchangedIn === view) return false
    for (const name of this.#interest(view, node)) {
      const resource = view.get(this.#typeUrl, name, node)
      if (resource !== undefined && this.#sent.get(name) !== resource.version) return true
    }
    this.#unchangedIn = view
    return false
  }

  hasRemovals(view: ResourceView, node: XdsNode): boolean {
    return this.#gone(view, node).length > 0
  }

  take(what: 'answer' | 'changes' | 'removals', view: ResourceView, node: XdsNode): Payload {
    const resources: EncodedResource[] = []
    const removed: string[] = []
    if (what === 'removals') {
      removed.push(...this.#gone(view, node))
    } else {
      const mine = this.#interest(view, node)
      for (const name of this.#askedNames) if (!exists(mine, name, view, this.#typeUrl, node)) removed.push(name)
      const candidates = what === 'changes' || this.#askedWildcard ? mine : this.#askedNames
      for (const name of candidates) {
        if (!mine.has(name)) continue
        const resource = view.get(this.#typeUrl, name, node)
        if (resource === undefined) continue
        // a client that asks again may have dropped what it had: it is sent again, whatever was sent before
        if (!this.#askedNames.has(name) && this.#sent.get(name) === resource.version) continue
        resources.push(resource)
      }
      this.#askedNames.clear()
      this.#askedWildcard = false
    }
    for (const resource of resources) this.#sent.set(resource.name, resource.version)
    for (const name of removed) {
      if (this.#names.has(name)) this.#sent.set(name, absent)
      else this.#sent.delete(name)
    }
    return { resources, removed }
  }

  /** What the client brings from an earlier stream is not sent again. */
  #resume(versions: Readonly<Record<string, string>>): void {
    for (const [name, version] of Object.entries(versions)) {
      if (!this.#wildcard && !this.#names.has(name)) continue
      this.#sent.set(name, version)
      this.#askedNames.delete(name)
    }
  }

  #subscribe(name: string): void {
    if (name === wildcard) {
      this.#wildcard = true
      this.#askedWildcard = true
      return
    }
    this.#names.add(name)
    this.#askedNames.add(name)
  }

  #unsubscribe(name: string): void {
    if (name === wildcard) {
      this.#wildcard = false
      this.#askedWildcard = false
      for (const sent of this.#sent.keys()) if (!this.#names.has(sent)) this.#sent.delete(sent)
      return
    }
    if (!this.#names.delete(name)) return
    if (this.#wildcard) {
      // the client cannot know whether the wildcard still covers it: it is told
      this.#askedNames.add(name)
    } else {
      this.#askedNames.delete(name)
      this.#sent.delete(name)
    }
  }

  #interest(view: ResourceView, node: XdsNode): ReadonlySet<string> {
    return interest(this.#typeUrl, this.#names, this.#wildcard, view, node)
  }

  #gone(view: ResourceView, node: XdsNode): string[] {
    const mine = this.#interest(view, node)
    const gone: string[] = []
    for (const [name, version] of this.#sent) {
      if (version !== absent && !exists(mine, name, view, this.#typeUrl, node)) gone.push(name)
    }
    return gone
  }
}

function exists(mine: ReadonlySet<string>, name: string, view: ResourceView, typeUrl: TypeUrl, node: XdsNode): boolean {
  return mine.has(name) && view.get(typeUrl, name, node) !== undefined
}
