// What one client wants of one resource type and what it has been sent: the two protocols implement it, the stream drives it.
import type { TypeUrl } from '../../contracts/xds/names.ts'
import type { EncodedResource, ResourceView, XdsNode } from '../translate/resource-view.ts'

export interface Payload {
  readonly resources: readonly EncodedResource[]
  readonly removed: readonly string[]
}

export interface Subscription {
  /** Names subscribed to; with the wildcard, those that it stands for in the newest view. */
  count(view: ResourceView, node: XdsNode): number
  /** The client has asked for something that has not been answered. */
  readonly asked: boolean
  /** The client wants that resource and it exists. */
  offers(name: string, view: ResourceView, node: XdsNode): boolean
  /** Something that the client has, or should have, is new or different in this view. */
  hasChanges(view: ResourceView, node: XdsNode): boolean
  /** Something that the client has is not in this view. */
  hasRemovals(view: ResourceView, node: XdsNode): boolean
  /**
   * What to send now; remembers it as sent. `answer`: what was asked for, leaving other changes for their turn as far as the protocol can;
   * `changes`: everything new or different, and the answer; `removals`: what must go.
   */
  take(what: 'answer' | 'changes' | 'removals', view: ResourceView, node: XdsNode): Payload
}

/** More names of one type than any client has reason to ask for; bounds what one stream may make the server remember. */
export const maxSubscribedNames = 100_000

export const wildcard = '*'

/** The names of a subscription in this view, without repetition. */
export function interest(
  typeUrl: string,
  names: ReadonlySet<string>,
  wildcardOn: boolean,
  view: ResourceView,
  node: XdsNode,
): ReadonlySet<string> {
  if (!wildcardOn) return names
  const all = new Set(view.wildcardNames(typeUrl as TypeUrl, node))
  for (const name of names) all.add(name)
  return all
}
