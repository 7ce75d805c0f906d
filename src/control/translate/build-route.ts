// MeshRoute → Envoy route, and the route configurations that hold them.
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
import { encodeCors } from '../../policies/cors/cors.xds.ts'
import type { FaultsSpec } from '../../policies/faults/faults.spec.ts'
import { encodeFaults } from '../../policies/faults/faults.xds.ts'
import { encodeHeaderModifier } from '../../policies/header-modifier/header-modifier.xds.ts'
import { encodeMirror } from '../../policies/mirror/mirror.xds.ts'
import { encodeRedirect } from '../../policies/redirect/redirect.xds.ts'
import { encodeRetryPolicy } from '../../policies/retries/retries.xds.ts'
import { encodeRewrite } from '../../policies/rewrite/rewrite.xds.ts'
import { encodeRouteMatch } from '../../policies/route-match/route-match.xds.ts'
import { encodeTimeouts } from '../../policies/timeouts/timeouts.xds.ts'
import { encodeTrafficSplit } from '../../policies/traffic-split/traffic-split.xds.ts'
import type { WeightedClusterSpec } from '../../policies/traffic-split/traffic-split.xds.ts'
import { typedConfig } from '../../policies/typed-config.xds.ts'
import type { MeshBackend, MeshRoute, MeshRouteAction } from '../snapshot/mesh-snapshot.ts'

export type RouteConfigurationInit = MessageInitShape<typeof RouteConfigurationSchema>
export type VirtualHostInit = MessageInitShape<typeof VirtualHostSchema>
type RouteInit = MessageInitShape<typeof RouteSchema>
type ForwardAction = Extract<MeshRouteAction, { kind: 'forward' }>
/** What the caller whose routes these are suffers on its way to each "<host>:<port>". */
export type FaultsTo = ReadonlyMap<string, FaultsSpec>

/** Route of a host that no route document speaks of: everything goes to `cluster`. */
const defaultRouteName = 'default'

/** A route configuration for any Host: which one applies was decided before, by name or by listener. */
export function anyHostRouteConfiguration(
  name: string,
  routes: RouteInit[],
  rateLimits: NonNullable<VirtualHostInit['rateLimits']> = [],
): RouteConfigurationInit {
  return { name, virtualHosts: [{ name, domains: ['*'], routes, rateLimits }] }
}

export function gatewayRouteConfiguration(
  name: string,
  virtualHosts: readonly { readonly hostname: string; readonly routes: readonly MeshRoute[] }[],
  faultsTo: FaultsTo,
  others: readonly VirtualHostInit[] = [],
): RouteConfigurationInit {
  const built = virtualHosts.map(({ hostname, routes }): VirtualHostInit => ({
    name: hostname,
    domains: [hostname],
    routes: routes.map((route) => buildRoute(route, faultsTo)),
  }))
  return { name, ignorePortInHostMatching: true, virtualHosts: [...built, ...others] }
}

export function defaultRoute(cluster: string, source: SourceLocation, faultsTo?: FaultsTo): RouteInit {
  const backends = [{ cluster, weight: 1 }]
  return {
    name: defaultRouteName,
    match: { pathSpecifier: { case: 'prefix', value: '/' } },
    metadata: encodeSource(source),
    typedPerFilterConfig: encodeFaults(faultsTo?.get(cluster)),
    action: { case: 'route', value: { clusterSpecifier: encodeTrafficSplit(backends), ...encodeTimeouts({}) } },
  }
}

export function buildRoute(route: MeshRoute, faultsTo: FaultsTo): RouteInit {
  const request = encodeHeaderModifier(route.requestHeaders)
  const response = encodeHeaderModifier(route.responseHeaders)
  return {
    name: route.name,
    match: encodeRouteMatch(route.match),
    metadata: encodeSource(route.source),
    action: buildAction(route, faultsTo),
    requestHeadersToAdd: request.add,
    requestHeadersToRemove: request.remove,
    responseHeadersToAdd: response.add,
    responseHeadersToRemove: response.remove,
    typedPerFilterConfig: { ...encodeCors(route.cors), ...encodeFaults(loneFaults(route.action, faultsTo)) },
  }
}

export function encodeSource({
  document,
  rule,
  file,
  line,
  column,
}: SourceLocation): NonNullable<RouteInit['metadata']> {
  const place = file === undefined ? {} : { file, line: line ?? 0, column: column ?? 0 }
  const info = typedConfig(SourceInfoSchema, { document, rule: rule ?? '', ...place })
  return { typedFilterMetadata: { [metadataKey]: info } }
}

/** Of a route to one backend; of several, each has its own. */
function loneFaults(action: MeshRouteAction, faultsTo: FaultsTo): FaultsSpec | undefined {
  if (action.kind !== 'forward' || action.backends.length !== 1) return undefined
  return faultsOf(action.backends[0], faultsTo)
}

function faultsOf(backend: MeshBackend | undefined, faultsTo: FaultsTo): FaultsSpec | undefined {
  return backend?.host === undefined ? undefined : faultsTo.get(hostPort(backend.host, backend.port))
}

function buildAction({ action, match }: MeshRoute, faultsTo: FaultsTo): NonNullable<RouteInit['action']> {
  if (action.kind === 'redirect') return { case: 'redirect', value: encodeRedirect(action.redirect, match.path) }
  if (action.kind === 'invalid') return { case: 'directResponse', value: { status: action.status } }
  // no weight above 0: Gateway API answers 500, and Envoy would refuse the split
  if (!action.backends.some(({ weight }) => weight > 0)) return { case: 'directResponse', value: { status: 500 } }
  return { case: 'route', value: buildForward(action, match, faultsTo) }
}

function buildForward(
  action: ForwardAction,
  match: MeshRoute['match'],
  faultsTo: FaultsTo,
): MessageInitShape<typeof RouteActionSchema> {
  const { timeout, perTryTimeout } = encodeTimeouts(action.timeouts)
  const retryPolicy = encodeRetryPolicy(action.retry, perTryTimeout)
  return {
    clusterSpecifier: encodeTrafficSplit(
      action.backends.map((backend) => {
        const faults = action.backends.length === 1 ? undefined : faultsOf(backend, faultsTo)
        return { ...toWeightedCluster(backend), ...(faults === undefined ? {} : { faults }) }
      }),
    ),
    clusterNotFoundResponseCode:
      action.invalidBackendStatus === undefined
        ? ClusterNotFound.INTERNAL_SERVER_ERROR
        : ClusterNotFound.SERVICE_UNAVAILABLE,
    ...encodeRewrite(action.rewrite, match.path),
    requestMirrorPolicies: action.mirrors.map(({ host, port, numerator, denominator }) =>
      encodeMirror({ cluster: hostPort(host, port), numerator, denominator }),
    ),
    timeout,
    ...(retryPolicy === undefined ? {} : { retryPolicy }),
  }
}

function toWeightedCluster({ host, port, weight, requestHeaders, responseHeaders }: MeshBackend): WeightedClusterSpec {
  return {
    cluster: host === undefined ? '' : hostPort(host, port),
    weight,
    ...(requestHeaders === undefined ? {} : { requestHeaders }),
    ...(responseHeaders === undefined ? {} : { responseHeaders }),
  }
}
