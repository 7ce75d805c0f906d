// What has arrived from the control plane, decoded: the newest good version of each resource, whether it is in force yet or not.
import { isDeepStrictEqual } from 'node:util'

import { typeUrls } from '../../contracts/xds/names.ts'
import { errorMessage } from '../../core/errors.ts'
import type { TypescriptFilterSpec } from '../../policies/typescript-filter/typescript-filter.spec.ts'
import type { RejectedResource, ResourceUpdate } from '../xds-client/resource-update.ts'
import { decodeClusterResource } from './decode-cluster.ts'
import type { DecodedCluster } from './decode-cluster.ts'
import { decodeLoadAssignmentResource } from './decode-endpoints.ts'
import { decodeListenerResource } from './decode-listener.ts'
import { decodeRouteConfigurationResource } from './decode-route.ts'
import { decodeSecretResource } from './decode-secret.ts'
import { filtersOfListener, filtersOfRoutes, loadFault } from './filter-module.ts'
import type { EndpointConfig, ListenerConfig, RouteConfiguration, SecretConfig } from './runtime-config.ts'

/** A name that was asked for and does not exist. A name that is not in the map: the answer is still to come. */
export const absent = 'absent'
export type Known<T> = T | typeof absent

export interface ReceivedResources {
  /** All that exist: listeners are subscribed by wildcard. */
  readonly listeners: ReadonlyMap<string, Known<ListenerConfig>>
  readonly routeConfigurations: ReadonlyMap<string, Known<RouteConfiguration>>
  readonly clusters: ReadonlyMap<string, Known<DecodedCluster>>
  readonly endpoints: ReadonlyMap<string, Known<readonly EndpointConfig[]>>
  readonly secrets: ReadonlyMap<string, Known<SecretConfig>>
}

/** What a proxy subscribes to, besides all its listeners. */
export interface WantedNames {
  readonly routeConfigurations: ReadonlySet<string>
  readonly clusters: ReadonlySet<string>
  readonly endpoints: ReadonlySet<string>
  readonly secrets: ReadonlySet<string>
}

interface Slot<T> {
  readonly byName: Map<string, Known<T>>
  readonly decode: (body: Uint8Array) => T
  /** Whose code is loaded before it comes into force. */
  readonly filtersOf: (decoded: T) => readonly TypescriptFilterSpec[]
  /** What an unusable first version counts as: it exists, but there is nothing good of it to keep. */
  readonly unusable: (name: string) => Known<T>
}

function createSlot<T>(
  decode: Slot<T>['decode'],
  unusable: Slot<T>['unusable'],
  filtersOf: Slot<T>['filtersOf'] = () => [],
): Slot<T> {
  return { byName: new Map(), decode, unusable, filtersOf }
}

export class ResourceInbox implements ReceivedResources {
  readonly #listeners = createSlot(decodeListenerResource, () => absent, filtersOfListener)
  /** Not absent when unusable: a host of the mesh must not pass for one that the mesh does not know. */
  readonly #routeConfigurations = createSlot(
    decodeRouteConfigurationResource,
    (name) => ({ name, virtualHosts: [] }),
    filtersOfRoutes,
  )
  readonly #clusters = createSlot(decodeClusterResource, () => absent)
  readonly #endpoints = createSlot(decodeLoadAssignmentResource, () => absent)
  readonly #secrets = createSlot(decodeSecretResource, () => absent)

  get listeners(): ReceivedResources['listeners'] {
    return this.#listeners.byName
  }
  get routeConfigurations(): ReceivedResources['routeConfigurations'] {
    return this.#routeConfigurations.byName
  }
  get clusters(): ReceivedResources['clusters'] {
    return this.#clusters.byName
  }
  get endpoints(): ReceivedResources['endpoints'] {
    return this.#endpoints.byName
  }
  get secrets(): ReceivedResources['secrets'] {
    return this.#secrets.byName
  }

  /** Returns what it could not decode: of those the last good version stays. */
  apply(update: ResourceUpdate): readonly RejectedResource[] {
    if (update.typeUrl === typeUrls.listener) return applyTo(this.#listeners, update)
    if (update.typeUrl === typeUrls.routeConfiguration) return applyTo(this.#routeConfigurations, update)
    if (update.typeUrl === typeUrls.cluster) return applyTo(this.#clusters, update)
    if (update.typeUrl === typeUrls.secret) return applyTo(this.#secrets, update)
    return applyTo(this.#endpoints, update)
  }

  /** Forgets what is no longer subscribed: no news of it would come. Returns whether there was any. */
  keepOnly(wanted: WantedNames): boolean {
    for (const [name, listener] of this.#listeners.byName) if (listener === absent) this.#listeners.byName.delete(name)
    const forgotten = [
      forgetOthers(this.#routeConfigurations, wanted.routeConfigurations),
      forgetOthers(this.#clusters, wanted.clusters),
      forgetOthers(this.#endpoints, wanted.endpoints),
      forgetOthers(this.#secrets, wanted.secrets),
    ]
    return forgotten.includes(true)
  }
}

function applyTo<T>(slot: Slot<T>, update: ResourceUpdate): RejectedResource[] {
  const rejected: RejectedResource[] = []
  for (const { name, body } of update.changed) {
    try {
      const decoded = slot.decode(body)
      const unloadable = slot.filtersOf(decoded).flatMap(loadFault)
      if (unloadable.length > 0) {
        rejected.push({ name, reason: unloadable.join('; ') })
        // nothing good to keep: the rest of it serves, and such a filter fails as its onError says
        if (!isKnown(slot, name)) slot.byName.set(name, decoded)
        continue
      }
      // the same again, after a reconnection for example: the object stays, and with it what was built from it
      if (!isDeepStrictEqual(decoded, slot.byName.get(name))) slot.byName.set(name, decoded)
    } catch (error) {
      rejected.push({ name, reason: errorMessage(error) })
      if (!slot.byName.has(name)) slot.byName.set(name, slot.unusable(name))
    }
  }
  for (const name of update.removed) slot.byName.set(name, absent)
  return rejected
}

function isKnown<T>({ byName }: Slot<T>, name: string): boolean {
  return (byName.get(name) ?? absent) !== absent
}

function forgetOthers<T>({ byName }: Slot<T>, wanted: ReadonlySet<string>): boolean {
  const before = byName.size
  for (const name of byName.keys()) if (!wanted.has(name)) byName.delete(name)
  return byName.size !== before
}
