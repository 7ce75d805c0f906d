// RouteConfiguration → the routes that the proxy compiles.
import type { Any } from '@bufbuild/protobuf/wkt'

import type { SourceLocation } from '../../contracts/decision-record.ts'
import {
  FilterConfigSchema,
  RouteAction_ClusterNotFoundResponseCode as ClusterNotFound,
} from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type {
  Route as RouteMessage,
  RouteAction as RouteActionMessage,
  VirtualHost as VirtualHostMessage,
} from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { RouteConfigurationSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_pb.ts'
import type { RouteConfiguration as RouteConfigurationMessage } from '../../contracts/xds/gen/envoy/config/route/v3/route_pb.ts'
import { SourceInfoSchema } from '../../contracts/xds/gen/heddle/v1/source_info_pb.ts'
import type { SourceInfo } from '../../contracts/xds/gen/heddle/v1/source_info_pb.ts'
import { isRouteFilterKey, metadataKey } from '../../contracts/xds/names.ts'
import { createAuthorizer } from '../../policies/authorization/authorization.runtime.ts'
import { connectionFilterNames, decodeEgressConnections } from '../../policies/authorization/egress.xds.ts'
import { corsFilter, decodeCors } from '../../policies/cors/cors.xds.ts'
import { decodeDirectResponse } from '../../policies/direct-response/direct-response.xds.ts'
import { decodeFaults, faultFilterNames } from '../../policies/faults/faults.xds.ts'
import { decodeHeaderModifier } from '../../policies/header-modifier/header-modifier.xds.ts'
import { decodeHashPolicy } from '../../policies/load-balancing/hash-policy.xds.ts'
import { decodeSubsetKeys, headerToMetadataFilter } from '../../policies/load-balancing/subsets.xds.ts'
import { decodeMirror } from '../../policies/mirror/mirror.xds.ts'
import { decodeRedirect } from '../../policies/redirect/redirect.xds.ts'
import { decodeRetryPolicy } from '../../policies/retries/retries.xds.ts'
import { decodeRewrite } from '../../policies/rewrite/rewrite.xds.ts'
import type { PathMatchSpec } from '../../policies/route-match/route-match.spec.ts'
import { decodeRouteMatch } from '../../policies/route-match/route-match.xds.ts'
import {
  decodeSessionPersistence,
  sessionTimeoutsFilter,
  statefulSessionFilter,
} from '../../policies/session-persistence/session-persistence.xds.ts'
import { decodeTimeouts } from '../../policies/timeouts/timeouts.xds.ts'
import { decodeStickySplit } from '../../policies/traffic-split/sticky-split.xds.ts'
import { decodeTrafficSplit } from '../../policies/traffic-split/traffic-split.xds.ts'
import { isTypedConfig, readTypedConfig } from '../../policies/typed-config.xds.ts'
import { compileRouteConfiguration } from '../route/compiled-route-configuration.ts'
import { decodeRouteFilters } from './decode-filters.ts'
import { parseResource, refuseFields, within } from './parse-resource.ts'
import type { ForwardAction, Route, RouteAction, RouteConfiguration, VirtualHost } from './runtime-config.ts'

/** Throws an Error that names the virtual host, the route and what of it cannot be served. */
export function decodeRouteConfigurationResource(body: Uint8Array): RouteConfiguration {
  return decodeRouteConfiguration(parseResource(RouteConfigurationSchema, body))
}

/** Throws an Error that names the virtual host, the route and what of it cannot be served. */
export function decodeRouteConfiguration(message: RouteConfigurationMessage): RouteConfiguration {
  refuseFields(message, ['vhds', ...headerChanges])
  refuseFilterConfigs(message, [])
  const decoded = {
    name: message.name,
    virtualHosts: message.virtualHosts.map((host) =>
      within(`virtual host "${host.name}"`, () => decodeVirtualHost(host)),
    ),
  }
  compileRouteConfiguration(decoded) // what cannot be compiled is refused now, not when a request comes
  return decoded
}

const headerChanges = [
  'requestHeadersToAdd',
  'requestHeadersToRemove',
  'responseHeadersToAdd',
  'responseHeadersToRemove',
] as const

function decodeVirtualHost(message: VirtualHostMessage): VirtualHost {
  refuseFields(message, ['matcher', 'requireTls', 'retryPolicy', 'cors', 'requestMirrorPolicies', ...headerChanges])
  refuseFilterConfigs(message, connectionFilterNames)
  const { name, domains, routes } = message
  const tunnelAuthorization = decodeEgressConnections(message.typedPerFilterConfig)
  // what cannot be compiled is refused now, not when a connection comes
  if (tunnelAuthorization !== undefined) createAuthorizer(tunnelAuthorization)
  return {
    name,
    domains: [...new Set(domains.map(withoutPort))],
    routes: routes.map((route, index) =>
      within(`route "${route.name === '' ? index : route.name}"`, () => decodeRoute(route)),
    ),
    ...(tunnelAuthorization === undefined ? {} : { tunnelAuthorization }),
  }
}

function withoutPort(domain: string): string {
  return domain.toLowerCase().replace(/:(\d+|\*)$/, '')
}

const knownFilters: readonly string[] = [
  corsFilter,
  ...faultFilterNames,
  headerToMetadataFilter,
  statefulSessionFilter,
  sessionTimeoutsFilter,
]

function decodeRoute(message: RouteMessage): Route {
  refuseFilterConfigs(message, knownFilters)
  const match = decodeRouteMatch(message.match)
  const source = decodeSource(message.metadata?.typedFilterMetadata[metadataKey])
  const requestHeaders = decodeHeaderModifier(message.requestHeadersToAdd, message.requestHeadersToRemove)
  const responseHeaders = decodeHeaderModifier(message.responseHeadersToAdd, message.responseHeadersToRemove)
  const cors = decodeCors(message.typedPerFilterConfig)
  const filters = decodeRouteFilters(message.typedPerFilterConfig)
  return {
    name: message.name,
    ...(source === undefined ? {} : { source }),
    match,
    action: decodeAction(message, match.path),
    ...(requestHeaders === undefined ? {} : { requestHeaders }),
    ...(responseHeaders === undefined ? {} : { responseHeaders }),
    ...(cors === undefined ? {} : { cors }),
    ...(filters.length === 0 ? {} : { filters }),
  }
}

function decodeAction({ action, typedPerFilterConfig, metadata }: RouteMessage, match: PathMatchSpec): RouteAction {
  if (action.case === 'route') {
    const sessionPersistence = decodeSessionPersistence(typedPerFilterConfig)
    const stickySplit = decodeStickySplit(metadata)
    return {
      ...decodeForward(action.value, match, typedPerFilterConfig),
      ...(sessionPersistence === undefined ? {} : { sessionPersistence }),
      ...(stickySplit.length === 0 ? {} : { stickySplit }),
    }
  }
  if (action.case === 'redirect') return { kind: 'redirect', redirect: decodeRedirect(action.value, match) }
  if (action.case === 'directResponse') return { kind: 'direct-response', ...decodeDirectResponse(action.value) }
  throw new Error(`expected route, redirect or direct_response, got ${action.case ?? 'none'}`)
}

/** Configuration of a filter that the proxy does not have, unless the control plane says that it may be ignored. */
function refuseFilterConfigs(
  { typedPerFilterConfig }: Pick<RouteMessage, 'typedPerFilterConfig'>,
  known: readonly string[],
): void {
  for (const [name, any] of Object.entries(typedPerFilterConfig)) {
    const optional = isTypedConfig(any, FilterConfigSchema) && readTypedConfig(any, FilterConfigSchema, name).isOptional
    if (!known.includes(name) && !isRouteFilterKey(name) && !optional)
      throw new Error(`typed_per_filter_config "${name}" is not supported`)
  }
}

function decodeForward(
  action: RouteActionMessage,
  match: PathMatchSpec,
  typedPerFilterConfig: RouteMessage['typedPerFilterConfig'],
): ForwardAction {
  const rewrite = decodeRewrite(action, match)
  const retry = decodeRetryPolicy(action.retryPolicy)
  // what a backend says for itself holds
  const faults = decodeFaults(typedPerFilterConfig)
  const subsetKeys = decodeSubsetKeys(typedPerFilterConfig)
  const forAll = { ...(faults === undefined ? {} : { faults }), ...(subsetKeys === undefined ? {} : { subsetKeys }) }
  const backends = decodeTrafficSplit(action).map((one) => ({ ...forAll, ...one }))
  const invalid = backends.some(({ cluster }) => cluster === '')
  const { clusterNotFoundResponseCode: notFound } = action
  return {
    kind: 'forward',
    backends,
    ...(rewrite === undefined ? {} : { rewrite }),
    mirrors: action.requestMirrorPolicies.map(decodeMirror),
    timeouts: decodeTimeouts(action),
    ...(retry === undefined ? {} : { retry }),
    ...(action.hashPolicy.length === 0 ? {} : { hashPolicies: action.hashPolicy.map(decodeHashPolicy) }),
    ...(invalid && notFound === ClusterNotFound.SERVICE_UNAVAILABLE ? { invalidBackendStatus: 503 } : {}),
  }
}

export function decodeSource(any: Any | undefined): SourceLocation | undefined {
  return any === undefined ? undefined : sourceLocation(readTypedConfig(any, SourceInfoSchema, 'metadata'))
}

export function sourceLocation({ document, rule, file, line, column }: SourceInfo): SourceLocation {
  return {
    document,
    ...(rule === '' ? {} : { rule }),
    ...(file === '' ? {} : { file, line, column }),
  }
}
