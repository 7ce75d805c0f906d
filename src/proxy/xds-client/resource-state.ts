// What the proxy wants of one resource type and what it has: the delta protocol without its transport.
import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'

import { DeltaDiscoveryRequestSchema } from '../../contracts/xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
} from '../../contracts/xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import type { TypeUrl } from '../../contracts/xds/names.ts'
import type { RejectedResource, ResourceUpdate } from './resource-update.ts'

/** google.rpc.Code INVALID_ARGUMENT. */
const invalidArgument = 3

export class ResourceState {
  readonly typeUrl: TypeUrl
  readonly #wildcard: boolean
  #wanted: ReadonlySet<string> = new Set()
  /** Version of each resource in force. */
  readonly #versions = new Map<string, string>()

  constructor(typeUrl: TypeUrl, wildcard: boolean) {
    this.typeUrl = typeUrl
    this.#wildcard = wildcard
  }

  /** Sets the wanted names; returns the request that tells the server, if something changes. */
  want(names: Iterable<string>): DeltaDiscoveryRequest | undefined {
    const before = this.#wanted
    const now = new Set(names)
    this.#wanted = now
    const added = [...now].filter((name) => !before.has(name))
    const dropped = [...before].filter((name) => !now.has(name))
    if (added.length === 0 && dropped.length === 0) return undefined
    if (!this.#wildcard) for (const name of dropped) this.#versions.delete(name)
    return this.#request({ resourceNamesSubscribe: added, resourceNamesUnsubscribe: dropped })
  }

  /** The first request on a new stream: what is wanted, and what need not be sent again. Undefined: nothing is wanted. */
  resume(): DeltaDiscoveryRequest | undefined {
    if (!this.#wildcard && this.#wanted.size === 0) return undefined
    // a first request that names nothing is the wildcard that every server knows
    const names = this.#wildcard && this.#wanted.size > 0 ? ['*', ...this.#wanted] : [...this.#wanted]
    return this.#request({
      resourceNamesSubscribe: names,
      initialResourceVersions: Object.fromEntries(this.#versions),
    })
  }

  /** Applies a response through `apply` and returns the acknowledgement, or the rejection that says what stays as it was. */
  respond(
    response: DeltaDiscoveryResponse,
    apply: (update: ResourceUpdate) => readonly RejectedResource[],
  ): { readonly request: DeltaDiscoveryRequest; readonly rejected: readonly RejectedResource[] } {
    const malformed: RejectedResource[] = []
    const changed: ResourceUpdate['changed'][number][] = []
    for (const { name, version, resource } of response.resources) {
      if (!this.#wants(name)) continue // unsubscribed while it was on its way
      if (resource === undefined || resource.typeUrl !== this.typeUrl) {
        malformed.push({
          name,
          reason: `expected a resource of type ${this.typeUrl}, got ${resource?.typeUrl ?? 'none'}`,
        })
      } else changed.push({ name, version, body: resource.value })
    }
    const removed = response.removedResources.filter((name) => this.#wants(name))
    const update = { typeUrl: this.typeUrl, changed, removed, revision: response.systemVersionInfo }
    const refused = changed.length > 0 || removed.length > 0 ? apply(update) : []
    const rejected = [...malformed, ...refused]

    // asked again here: applying may have changed what is wanted
    const kept = new Set(rejected.map(({ name }) => name))
    for (const { name, version } of changed) if (!kept.has(name) && this.#wants(name)) this.#versions.set(name, version)
    for (const name of removed) if (!kept.has(name)) this.#versions.delete(name)
    const message = rejected.map(({ name, reason }) => `${name}: ${reason}`).join('; ')
    return {
      request: this.#request({
        responseNonce: response.nonce,
        ...(rejected.length === 0 ? {} : { errorDetail: { code: invalidArgument, message } }),
      }),
      rejected,
    }
  }

  #wants(name: string): boolean {
    return this.#wildcard || this.#wanted.has(name)
  }

  #request(fields: MessageInitShape<typeof DeltaDiscoveryRequestSchema>): DeltaDiscoveryRequest {
    return create(DeltaDiscoveryRequestSchema, { ...fields, typeUrl: this.typeUrl })
  }
}
