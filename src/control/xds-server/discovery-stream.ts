// One ADS stream: keeps the subscriptions of one client, decides what is sent when. Knows nothing of gRPC.
//
// Order (xDS protocol, "Eventual consistency considerations"): what is used is sent before its users, and users leave before what they
// used; each step waits until the one before it is acknowledged. While a client rejects something, and so may still use what came before, nothing is taken
// from it. What it has asked for anew is answered at once. At most one response of a type is unacknowledged, and it is always made from the newest
// view: a slow client costs nothing but its own delay.
import { typeUrls } from '../../contracts/xds/names.ts'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logger.ts'
import type { EncodedResource, ResourceView, XdsNode } from '../translate/resource-view.ts'
import { DeltaSubscription } from './delta-subscription.ts'
import type { DeltaRequest, StateRequest, XdsProtocol } from './discovery-request.ts'
import { encodeDeltaResponse, encodeStateResponse } from './discovery-response.ts'
import type { NackStatus, TypeStatus } from './node-status.ts'
import { StateSubscription } from './state-subscription.ts'

const { secret, cluster, clusterLoadAssignment, listener, routeConfiguration } = typeUrls
const makeOrder = [secret, cluster, clusterLoadAssignment, listener, routeConfiguration]
const breakOrder = [listener, routeConfiguration, cluster, clusterLoadAssignment, secret]

/** Far more than xDS has types that anybody asks for; bounds what one stream may make the server remember. */
const maxTypes = 32

interface Sent {
  readonly nonce: string
  readonly revision: string
  readonly names: readonly string[]
}

interface Channel {
  readonly typeUrl: string
  readonly subscription: DeltaSubscription | StateSubscription
  /** Sent and not yet acknowledged or rejected. */
  awaiting: Sent | undefined
  lastNonce: string
  ackedRevision: string | undefined
  /** Resources of which the client keeps an older version, or none. */
  readonly rejected: Set<string>
  lastNack: NackStatus | undefined
}

export interface DiscoveryStreamOptions {
  readonly protocol: XdsProtocol
  readonly node: XdsNode
  /** The newest view. */
  readonly view: () => ResourceView
  readonly send: (bytes: Uint8Array) => void
  readonly clock: Clock
  readonly logger: Logger
}

export class DiscoveryStream {
  readonly #options: DiscoveryStreamOptions
  readonly #channels = new Map<string, Channel>()
  #nonce = 0
  #inStep: { readonly revision: string; readonly atMs: number } | undefined

  constructor(options: DiscoveryStreamOptions) {
    this.#options = options
  }

  /** Returns why the stream must end, when the request breaks the protocol. */
  request(request: DeltaRequest | StateRequest): string | undefined {
    if (request.typeUrl === '') return 'type_url is empty'
    let channel = this.#channels.get(request.typeUrl)
    if (channel === undefined) {
      if (this.#channels.size === maxTypes) return `more than ${maxTypes} resource types`
      channel = this.#open(request.typeUrl)
    } else if (!this.#settle(channel, request)) {
      return undefined
    }
    const { subscription } = channel
    const refused =
      subscription instanceof DeltaSubscription
        ? subscription.request(request as DeltaRequest)
        : subscription.request(request as StateRequest)
    if (refused === undefined) this.advance()
    return refused
  }

  /** Sends whatever may be sent now. Call when the view has changed. */
  advance(): void {
    const { node } = this.#options
    const view = this.#options.view()
    let blocked = false
    for (const channel of this.#ordered(makeOrder)) {
      const { subscription } = channel
      if (channel.awaiting === undefined) {
        if (!blocked && (subscription.asked || subscription.hasChanges(view, node)))
          this.#send(channel, 'changes', view)
        else if (subscription.asked) this.#send(channel, 'answer', view)
      }
      blocked ||= channel.awaiting !== undefined
    }
    if (blocked) return
    const accepted = [...this.#channels.values()].filter((channel) => !this.#rejects(channel, view))
    const all = accepted.length === this.#channels.size
    if (all && this.#remove(view)) return
    for (const channel of accepted) channel.ackedRevision = view.revision
    if (all && this.#inStep?.revision !== view.revision) {
      this.#inStep = { revision: view.revision, atMs: this.#options.clock.nowMs() }
    }
  }

  /** The next removal that is due; false when there is none. */
  #remove(view: ResourceView): boolean {
    const next = this.#ordered(breakOrder).find(({ subscription }) =>
      subscription.hasRemovals(view, this.#options.node),
    )
    if (next !== undefined) this.#send(next, 'removals', view)
    return next !== undefined
  }

  /** Forgets rejections of what is no longer offered. */
  #rejects(channel: Channel, view: ResourceView): boolean {
    for (const name of channel.rejected) {
      if (!channel.subscription.offers(name, view, this.#options.node)) channel.rejected.delete(name)
    }
    return channel.rejected.size > 0
  }

  /** The newest revision of which everything subscribed to has been acknowledged, and when. */
  get inStep(): { readonly revision: string; readonly atMs: number } | undefined {
    return this.#inStep
  }

  status(): TypeStatus[] {
    const view = this.#options.view()
    const { node } = this.#options
    return [...this.#channels.values()].map((channel) => ({
      typeUrl: channel.typeUrl,
      subscribed: channel.subscription.count(view, node),
      ackedRevision: channel.ackedRevision,
      state: this.#rejects(channel, view) ? 'rejected' : channel.ackedRevision === view.revision ? 'synced' : 'pending',
      lastNack: channel.lastNack,
    }))
  }

  #open(typeUrl: string): Channel {
    const channel: Channel = {
      typeUrl,
      subscription:
        this.#options.protocol === 'delta' ? new DeltaSubscription(typeUrl) : new StateSubscription(typeUrl),
      awaiting: undefined,
      lastNonce: '',
      ackedRevision: undefined,
      rejected: new Set(),
      lastNack: undefined,
    }
    this.#channels.set(typeUrl, channel)
    return channel
  }

  /** Takes an acknowledgement or rejection; false when the request is stale as a whole. */
  #settle(channel: Channel, request: DeltaRequest | StateRequest): boolean {
    // grpc-js sends its list anew, without a nonce, before it has seen a response: the newer list counts
    if (request.nonce === '') return true
    // a delta request says what changes, so its subscriptions count even when its nonce is stale
    if (request.nonce !== channel.lastNonce) return true
    const sent = channel.awaiting
    if (sent === undefined) return true
    channel.awaiting = undefined
    if (request.protocol === 'delta') for (const name of sent.names) channel.rejected.delete(name)
    else channel.rejected.clear()
    if (request.error === undefined) channel.ackedRevision = sent.revision
    else this.#rejected(channel, sent, request.error)
    return true
  }

  #rejected(channel: Channel, sent: Sent, error: string): void {
    const message = error.slice(0, 4096)
    const named = sent.names.filter((name) => mentions(error, name))
    const resources = named.length > 0 ? named : sent.names
    for (const name of resources) channel.rejected.add(name)
    channel.lastNack = { atMs: this.#options.clock.nowMs(), revision: sent.revision, message, resources }
    this.#options.logger.warn('configuration rejected by a data plane', {
      node: this.#options.node.id,
      typeUrl: channel.typeUrl,
      revision: sent.revision,
      message,
    })
  }

  #send(channel: Channel, what: 'answer' | 'changes' | 'removals', view: ResourceView): void {
    const { typeUrl } = channel
    const { resources, removed } = channel.subscription.take(what, view, this.#options.node)
    const nonce = String(++this.#nonce)
    const content = { typeUrl, revision: view.revision, nonce, resources, removed }
    channel.lastNonce = nonce
    channel.awaiting = { nonce, revision: view.revision, names: [...resources.map(nameOf), ...removed] }
    this.#options.send(this.#options.protocol === 'delta' ? encodeDeltaResponse(content) : encodeStateResponse(content))
  }

  /** The channels in that order of types; types that are not in it come last. */
  #ordered(order: readonly string[]): Channel[] {
    const rank = (channel: Channel): number => {
      const index = order.indexOf(channel.typeUrl)
      return index === -1 ? order.length : index
    }
    return [...this.#channels.values()].toSorted((a, b) => rank(a) - rank(b))
  }
}

function nameOf(resource: EncodedResource): string {
  return resource.name
}

/** Whether that name stands in the text by itself, not as a part of another. */
function mentions(text: string, name: string): boolean {
  const partOfName = /[\w.|/-]/
  for (let at = text.indexOf(name); at !== -1; at = text.indexOf(name, at + 1)) {
    if (!partOfName.test(text.charAt(at - 1)) && !partOfName.test(text.charAt(at + name.length))) return true
  }
  return false
}
