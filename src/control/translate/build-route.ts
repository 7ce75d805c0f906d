// MeshRoute → Envoy route, and the route configurations that hold them.
import { isDeepStrictEqual } from 'node:util'

import type { MessageInitShape } from '@bufbuild/protobuf'

import type { SourceLocation } from '../../contracts/decision-record.ts'
import { RouteAction_ClusterNotFoundResponseCode as ClusterNotFound } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type {
  RouteActionSchema,
  RouteSchema,
  VirtualHostSchema,
} from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type { RouteConfigurationSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_pb.ts'
import { SourceInfoSchema } from '../../contracts/xds/gen/heddle/v1/source_info_pb.ts'
import { hostPort, metadataKey } from '../../contracts/xds/names.ts'
import type { RbacFilterSpec } from '../../policies/authorization/authorization.spec.ts'
import { encodeCors } from '../../policies/cors/cors.xds.ts'
import {
  defaultBodyBytes,
  encodeDirectHeaders,
  encodeDirectResponse,
} from '../../policies/direct-response/direct-response.xds.ts'
import type { FaultsSpec } from '../../policies/faults/faults.spec.ts'
import { encodeFaults } from '../../policies/faults/faults.xds.ts'
import { encodeHeaderModifier } from '../../policies/header-modifier/header-modifier.xds.ts'
import { encodeHashPolicy } from '../../policies/load-balancing/hash-policy.xds.ts'
import type { HashPolicySpec, SubsetKeySpec } from '../../policies/load-balancing/load-balancing.spec.ts'
import { encodeSubsetKeys } from '../../policies/load-balancing/subsets.xds.ts'
import { encodeMirror } from '../../policies/mirror/mirror.xds.ts'
import { encodeRedirect } from '../../policies/redirect/redirect.xds.ts'
import { encodeRetryPolicy } from '../../policies/retries/retries.xds.ts'
import { encodeRewrite } from '../../policies/rewrite/rewrite.xds.ts'
import type { RouteDefaults } from '../../policies/route-defaults.xds.ts'
import { encodeRouteMatch } from '../../policies/route-match/route-match.xds.ts'
import type { SessionPersistenceSpec } from '../../policies/session-persistence/session-persistence.spec.ts'
import { encodeSessionPersistence } from '../../policies/session-persistence/session-persistence.xds.ts'
import { encodeTimeouts } from '../../policies/timeouts/timeouts.xds.ts'
import { encodeStickySplit } from '../../policies/traffic-split/sticky-split.xds.ts'
import { encodeTrafficSplit } from '../../policies/traffic-split/traffic-split.xds.ts'
import type { WeightedClusterSpec } from '../../policies/traffic-split/traffic-split.xds.ts'
import { typedConfig } from '../../policies/typed-config.xds.ts'
import type { MeshBackend, MeshRoute, MeshRouteAction } from '../snapshot/mesh-snapshot.ts'
import { routeFilters } from './build-filters.ts'
import type { CallerEgress } from './egress-security.ts'
import type { RequestKeys } from './request-keys.ts'

export type RouteConfigurationInit = MessageInitShape<typeof RouteConfigurationSchema>
export type VirtualHostInit = MessageInitShape<typeof VirtualHostSchema>
type RouteInit = MessageInitShape<typeof RouteSchema>
type ForwardAction = Extract<MeshRouteAction, { kind: 'forward' }>
/** What the caller whose routes these are suffers on its way to each "<host>:<port>". */
export type FaultsTo = ReadonlyMap<string, FaultsSpec>

/** What the policies of destinations add to the routes that lead there. */
export interface DestinationPolicies {
  readonly egress: CallerEgress
  readonly faultsTo: FaultsTo
  readonly keys: RequestKeys
}

interface DefaultRoutePolicies {
  readonly authorization?: readonly RbacFilterSpec[]
  readonly faults?: FaultsSpec | undefined
  readonly hashPolicies?: readonly HashPolicySpec[]
  readonly subsetKeys?: readonly SubsetKeySpec[] | undefined
  readonly session?: SessionPersistenceSpec | undefined
}

/** Route of a host that no route document speaks of: everything goes to `cluster`. */
const defaultRouteName = 'default'

/** A route configuration for any Host: which one applies was decided before, by name or by listener. `forAll`: what is said for all routes. */
export function anyHostRouteConfiguration(
  name: string,
  routes: RouteInit[],
  forAll: Pick<VirtualHostInit, 'rateLimits' | 'typedPerFilterConfig'> = {},
): RouteConfigurationInit {
  return { name, ...bodyLimit(routes), virtualHosts: [{ name, domains: ['*'], routes, ...forAll }] }
}

export function gatewayRouteConfiguration(
  name: string,
  virtualHosts: readonly { readonly hostname: string; readonly routes: readonly MeshRoute[] }[],
  destinations: DestinationPolicies,
  others: readonly VirtualHostInit[] = [],
): RouteConfigurationInit {
  const built = virtualHosts.map(({ hostname, routes }): VirtualHostInit => ({
    name: hostname,
    domains: [hostname],
    routes: routes.map((route) => buildRoute(route, destinations)),
  }))
  const limit = bodyLimit(built.flatMap(({ routes = [] }) => routes as readonly RouteInit[]))
  return { name, ...limit, ignorePortInHostMatching: true, virtualHosts: [...built, ...others] }
}

/** Envoy refuses longer bodies where it is not told of them. */
function bodyLimit(routes: readonly RouteInit[]): Pick<RouteConfigurationInit, 'maxDirectResponseBodySizeBytes'> {
  const bytes = routes.map(({ action }) => {
    const specifier = action?.case === 'directResponse' ? action.value.body?.specifier : undefined
    return specifier?.case === 'inlineString' ? Buffer.byteLength(specifier.value) : 0
  })
  const longest = Math.max(0, ...bytes)
  return longest > defaultBodyBytes ? { maxDirectResponseBodySizeBytes: longest } : {}
}

export function defaultRoute(
  cluster: string,
  source: SourceLocation,
  { authorization = [], faults, hashPolicies = [], subsetKeys, session }: DefaultRoutePolicies = {},
): RouteInit {
  const backends = [{ cluster, weight: 1, ...(authorization.length === 0 ? {} : { authorization }) }]
  return {
    name: defaultRouteName,
    match: { pathSpecifier: { case: 'prefix', value: '/' } },
    metadata: encodeSource(source),
    typedPerFilterConfig: {
      ...encodeFaults(faults),
      ...encodeSubsetKeys(subsetKeys),
      ...encodeSessionPersistence(session),
    },
    action: {
      case: 'route',
      value: {
        clusterSpecifier: encodeTrafficSplit(backends),
        hashPolicy: hashPolicies.map(encodeHashPolicy),
        ...encodeTimeouts({}),
      },
    },
  }
}

export function buildRoute(route: MeshRoute, destinations: DestinationPolicies): RouteInit {
  const request = encodeHeaderModifier(route.requestHeaders)
  const response = encodeHeaderModifier(route.responseHeaders)
  const direct = route.action.kind === 'respond' ? encodeDirectHeaders(route.action.response) : []
  return {
    name: route.name,
    match: encodeRouteMatch(route.match),
    metadata: encodeRouteMetadata(route, destinations),
    action: buildAction(route, destinations),
    requestHeadersToAdd: request.add,
    requestHeadersToRemove: request.remove,
    responseHeadersToAdd: [...direct, ...response.add],
    responseHeadersToRemove: response.remove,
    typedPerFilterConfig: {
      ...encodeCors(route.cors),
      ...routeFilters(route.filters),
      ...encodeFaults(faultsOf(loneBackend(route.action), destinations)),
      ...encodeSubsetKeys(subsetKeysOf(loneBackend(route.action), destinations)),
      ...encodeSessionPersistence(sessionOf(route.action, destinations)),
    },
  }
}

export function encodeSource(source: SourceLocation): NonNullable<RouteInit['metadata']> {
  return { typedFilterMetadata: { [metadataKey]: typedConfig(SourceInfoSchema, sourceInfo(source)) } }
}

export function sourceInfo(source: SourceLocation): MessageInitShape<typeof SourceInfoSchema> {
  const { document, rule, file, line, column } = source
  const place = file === undefined ? {} : { file, line: line ?? 0, column: column ?? 0 }
  return { document, rule: rule ?? '', ...place }
}

/** What its destination says is said for the route; of several, for each. */
function loneBackend(action: MeshRouteAction): MeshBackend | undefined {
  return action.kind === 'forward' && action.backends.length === 1 ? action.backends[0] : undefined
}

function faultsOf(backend: MeshBackend | undefined, { faultsTo }: DestinationPolicies): FaultsSpec | undefined {
  return backend?.host === undefined ? undefined : faultsTo.get(hostPort(backend.host, backend.port))
}

/** Of a route to several, a session that all of them want: it stays with its backend too. */
function sessionOf(action: MeshRouteAction, { keys }: DestinationPolicies): SessionPersistenceSpec | undefined {
  if (action.kind !== 'forward') return undefined
  if (action.sessionPersistence !== undefined) return action.sessionPersistence
  const wanted = action.backends
    .filter(({ weight }) => weight > 0)
    .map(({ host, port }) => (host === undefined ? undefined : keys.session(hostPort(host, port))))
  return wanted.includes(undefined) ? undefined : wanted[0]
}

function subsetKeysOf(
  backend: MeshBackend | undefined,
  { keys }: DestinationPolicies,
): readonly SubsetKeySpec[] | undefined {
  return backend?.host === undefined ? undefined : keys.toSubset(hostPort(backend.host, backend.port))
}

function buildAction(
  { action, match }: MeshRoute,
  destinations: DestinationPolicies,
): NonNullable<RouteInit['action']> {
  if (action.kind === 'redirect') return { case: 'redirect', value: encodeRedirect(action.redirect, match.path) }
  if (action.kind === 'respond') return { case: 'directResponse', value: encodeDirectResponse(action.response) }
  if (action.kind === 'invalid') return { case: 'directResponse', value: { status: action.status } }
  // no weight above 0: Gateway API answers 500, and Envoy would refuse the split
  if (!action.backends.some(({ weight }) => weight > 0)) return { case: 'directResponse', value: { status: 500 } }
  return { case: 'route', value: buildForward(action, match, destinations) }
}

function buildForward(
  action: ForwardAction,
  match: MeshRoute['match'],
  destinations: DestinationPolicies,
): MessageInitShape<typeof RouteActionSchema> {
  const defaults = defaultsOf(action, destinations)
  const { perTryTimeout, ...bounds } = encodeTimeouts({ ...defaults?.timeouts, ...action.timeouts })
  const retryPolicy = encodeRetryPolicy(action.retry ?? defaults?.retry, perTryTimeout)
  return {
    clusterSpecifier: encodeTrafficSplit(
      action.backends.map((backend) => {
        const own = action.backends.length === 1 ? undefined : backend
        const faults = faultsOf(own, destinations)
        const subsetKeys = subsetKeysOf(own, destinations)
        return {
          ...toWeightedCluster(backend, destinations),
          ...(faults === undefined ? {} : { faults }),
          ...(subsetKeys === undefined ? {} : { subsetKeys }),
        }
      }),
    ),
    clusterNotFoundResponseCode:
      action.invalidBackendStatus === undefined
        ? ClusterNotFound.INTERNAL_SERVER_ERROR
        : ClusterNotFound.SERVICE_UNAVAILABLE,
    ...encodeRewrite(action.rewrite, match.path),
    requestMirrorPolicies: action.mirrors
      .filter((mirror) => destinations.egress.mayMirror(mirror))
      .map(({ host, port, numerator, denominator }) =>
        encodeMirror({ cluster: hostPort(host, port), numerator, denominator }),
      ),
    hashPolicy: hashedPartsOf(action, (cluster) => destinations.keys.within(cluster)).map(encodeHashPolicy),
    ...bounds,
    ...(retryPolicy === undefined ? {} : { retryPolicy }),
  }
}

/** A route has one of each for all its backends: said where they all say the same. Our proxies know those of the cluster that is chosen. */
function defaultsOf({ backends }: ForwardAction, { keys }: DestinationPolicies): Partial<RouteDefaults> | undefined {
  const [first, ...others] = backends
    .filter(({ weight }) => weight > 0)
    .map(({ host, port }) => (host === undefined ? undefined : keys.defaults(hostPort(host, port))))
  return others.every((other) => isDeepStrictEqual(other, first)) ? first : undefined
}

/** A route has one list for all its backends. */
function hashedPartsOf({ backends }: ForwardAction, partsOf: RequestKeys['within']): readonly HashPolicySpec[] {
  const all = backends.flatMap(({ host, port }) => (host === undefined ? [] : partsOf(hostPort(host, port))))
  return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()]
}

/** What there is one of is not chosen. */
function encodeRouteMetadata(
  { source, action }: MeshRoute,
  { keys }: DestinationPolicies,
): NonNullable<RouteInit['metadata']> {
  const { typedFilterMetadata } = encodeSource(source)
  const split = action.kind === 'forward' && action.backends.filter(({ weight }) => weight > 0).length > 1
  const parts = split ? hashedPartsOf(action, (cluster) => keys.among(cluster)) : []
  return { typedFilterMetadata: { ...typedFilterMetadata, ...encodeStickySplit(parts) } }
}

function toWeightedCluster(backend: MeshBackend, { egress }: DestinationPolicies): WeightedClusterSpec {
  const { host, port, weight, requestHeaders, responseHeaders } = backend
  const authorization = egress.filters(backend)
  return {
    cluster: host === undefined ? '' : hostPort(host, port),
    weight,
    ...(requestHeaders === undefined ? {} : { requestHeaders }),
    ...(responseHeaders === undefined ? {} : { responseHeaders }),
    ...(authorization.length === 0 ? {} : { authorization }),
  }
}
