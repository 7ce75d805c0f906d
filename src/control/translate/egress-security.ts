// What the proxy of one caller has in front of ExternalServices with authorization policies: filters of requests and of connections.
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'

import { formatSpiffeId } from '../../contracts/identity/spiffe-id.ts'
import type { FilterSchema } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { RBACSchema as HttpRbacSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts'
import type { HttpFilterSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { AppliedPolicy, RbacFilterSpec } from '../../policies/authorization/authorization.spec.ts'
import { encodeNetworkFilter } from '../../policies/authorization/authorization.xds.ts'
import {
  allowsEverything,
  egressFilterNames,
  egressFilters,
  encodeEgressConnections,
} from '../../policies/authorization/egress.xds.ts'
import { typedConfig } from '../../policies/typed-config.xds.ts'
import type { MeshGateway, MeshRoute, MeshService, MeshSnapshot, MeshStream } from '../snapshot/mesh-snapshot.ts'
import type { HttpSettings } from './http-settings.ts'

/** A place that traffic may be sent to; without `host` an invalid reference. */
export interface Destination {
  readonly host?: string
  readonly port: number
}

/** Every question is about what this one caller may do. */
export interface CallerEgress {
  /** SPIFFE ID; empty: nobody that policies could name. */
  readonly caller: string
  /** About requests to that destination. Empty: nothing is asked. */
  filters(destination: Destination): readonly RbacFilterSpec[]
  /** In front of bytes that may go to any of these: each of them has a say. */
  network(destinations: readonly Destination[]): readonly MessageInitShape<typeof FilterSchema>[]
  /** About bytes inside CONNECT. */
  tunnel(destination: Destination): Record<string, Any>
  /** Nobody answers for a copy: it is sent where everything may be sent. */
  mayMirror(destination: Destination): boolean
}

/** Where nothing stands in front of anything. */
export const openEgress: CallerEgress = {
  caller: '',
  filters: () => [],
  network: () => [],
  tunnel: () => ({}),
  mayMirror: () => true,
}

export class EgressSecurity {
  readonly #services: ReadonlyMap<string, MeshService>
  readonly #settings: MeshSnapshot['settings']

  constructor({ services, settings }: Pick<MeshSnapshot, 'services' | 'settings'>) {
    this.#services = services
    this.#settings = settings
  }

  /** What answers about these destinations are made of, compared by identity. Empty: nothing stands in front of any of them. */
  inputs(destinations: readonly Destination[]): readonly unknown[] {
    const policies = new Set(destinations.map(({ host }) => this.#of(host)))
    policies.delete(undefined)
    const { trustDomain, trustDomainAliases } = this.#settings
    return policies.size === 0 ? [] : [trustDomain, trustDomainAliases, ...policies]
  }

  of(namespace: string, serviceAccount: string): CallerEgress {
    const { trustDomain, trustDomainAliases } = this.#settings
    const place = {
      caller: formatSpiffeId({ trustDomain, namespace, serviceAccount }),
      trustDomains: [trustDomain, ...trustDomainAliases],
    }
    const filters = ({ host, port }: Destination, protocol: 'http' | 'tcp'): readonly RbacFilterSpec[] => {
      const policies = this.#of(host)
      return policies === undefined ? [] : egressFilters(policies, { ...place, port, protocol })
    }
    return {
      caller: place.caller,
      filters: (destination) => filters(destination, 'http'),
      network: (destinations) => destinations.flatMap((one) => filters(one, 'tcp').map(encodeNetworkFilter)),
      tunnel: (destination) => encodeEgressConnections(filters(destination, 'tcp')),
      mayMirror: (destination) => allowsEverything(filters(destination, 'http')),
    }
  }

  #of(host: string | undefined): readonly AppliedPolicy[] | undefined {
    return host === undefined ? undefined : this.#services.get(host)?.authorization
  }
}

export function routeDestinations(routes: readonly MeshRoute[]): Destination[] {
  return routes.flatMap(({ action }) => (action.kind === 'forward' ? [...action.backends, ...action.mirrors] : []))
}

export function streamDestinations(streams: readonly MeshStream[]): Destination[] {
  return streams.flatMap(({ backends }) => backends)
}

export function gatewayDestinations({ listeners }: Pick<MeshGateway, 'listeners'>): Destination[] {
  return listeners.flatMap(({ virtualHosts, streams }) => [
    ...virtualHosts.flatMap(({ routes }) => routeDestinations(routes)),
    ...streamDestinations(streams),
  ])
}

/** Envoy asks the configuration of routes only about filters that the listener has: these say nothing of their own. */
const egressAnchors: readonly MessageInitShape<typeof HttpFilterSchema>[] = egressFilterNames.map((name) => ({
  name,
  configType: { case: 'typedConfig', value: typedConfig(HttpRbacSchema, {}) },
}))

export function withAnchors(http: HttpSettings): HttpSettings {
  return { ...http, filters: { ...http.filters, egress: egressAnchors }, key: `${http.key} egress` }
}
