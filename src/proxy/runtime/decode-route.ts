// RouteConfiguration → the routes that the proxy compiles.
import { fromBinary } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'

import type { SourceLocation } from '../../contracts/decision-record.ts'
import type {
  DirectResponseAction,
  Route as RouteMessage,
  RouteAction as RouteActionMessage,
  VirtualHost as VirtualHostMessage,
} from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { RouteConfigurationSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_pb.ts'
import type { RouteConfiguration as RouteConfigurationMessage } from '../../contracts/xds/gen/envoy/config/route/v3/route_pb.ts'
import { SourceInfoSchema } from '../../contracts/xds/gen/heddle/v1/source_info_pb.ts'
import { metadataKey } from '../../contracts/xds/names.ts'
import { errorMessage } from '../../core/errors.ts'
import { decodeCors } from '../../policies/cors/cors.xds.ts'
import { decodeHeaderModifier } from '../../policies/header-modifier/header-modifier.xds.ts'
import { decodeMirror } from '../../policies/mirror/mirror.xds.ts'
import { decodeRedirect } from '../../policies/redirect/redirect.xds.ts'
import { decodeRetryPolicy } from '../../policies/retries/retries.xds.ts'
import { decodeRewrite } from '../../policies/rewrite/rewrite.xds.ts'
import type { PathMatchSpec } from '../../policies/route-match/route-match.spec.ts'
import { decodeRouteMatch } from '../../policies/route-match/route-match.xds.ts'
import { decodeTimeouts } from '../../policies/timeouts/timeouts.xds.ts'
import { decodeTrafficSplit } from '../../policies/traffic-split/traffic-split.xds.ts'
import { readTypedConfig } from '../../policies/typed-config.xds.ts'
import type { ForwardAction, Route, RouteAction, RouteConfiguration, VirtualHost } from './runtime-config.ts'

/** Throws an Error that names the virtual host, the route and what of it cannot be served. */
export function decodeRouteConfigurationResource(body: Uint8Array): RouteConfiguration {
  return decodeRouteConfiguration(fromBinary(RouteConfigurationSchema, body))
}

/** Throws an Error that names the virtual host, the route and what of it cannot be served. */
export function decodeRouteConfiguration(message: RouteConfigurationMessage): RouteConfiguration {
  return {
    name: message.name,
    virtualHosts: message.virtualHosts.map((host) =>
      within(`virtual host "${host.name}"`, () => decodeVirtualHost(host)),
    ),
  }
}

function decodeVirtualHost({ name, domains, routes }: VirtualHostMessage): VirtualHost {
  return {
    name,
    domains: [...new Set(domains.map(withoutPort))],
    routes: routes.map((route, index) =>
      within(`route "${route.name === '' ? index : route.name}"`, () => decodeRoute(route)),
    ),
  }
}

function withoutPort(domain: string): string {
  return domain.toLowerCase().replace(/:(\d+|\*)$/, '')
}

function decodeRoute(message: RouteMessage): Route {
  const match = decodeRouteMatch(message.match)
  const source = decodeSource(message.metadata?.typedFilterMetadata[metadataKey])
  const requestHeaders = decodeHeaderModifier(message.requestHeadersToAdd, message.requestHeadersToRemove)
  const responseHeaders = decodeHeaderModifier(message.responseHeadersToAdd, message.responseHeadersToRemove)
  const cors = decodeCors(message.typedPerFilterConfig)
  return {
    name: message.name,
    ...(source === undefined ? {} : { source }),
    match,
    action: decodeAction(message, match.path),
    ...(requestHeaders === undefined ? {} : { requestHeaders }),
    ...(responseHeaders === undefined ? {} : { responseHeaders }),
    ...(cors === undefined ? {} : { cors }),
  }
}

function decodeAction({ action }: RouteMessage, match: PathMatchSpec): RouteAction {
  if (action.case === 'route') return decodeForward(action.value, match)
  if (action.case === 'redirect') return { kind: 'redirect', redirect: decodeRedirect(action.value, match) }
  if (action.case === 'directResponse') return decodeDirectResponse(action.value)
  throw new Error(`expected route, redirect or direct_response, got ${action.case ?? 'none'}`)
}

function decodeForward(action: RouteActionMessage, match: PathMatchSpec): ForwardAction {
  const rewrite = decodeRewrite(action, match)
  const retry = decodeRetryPolicy(action.retryPolicy)
  return {
    kind: 'forward',
    backends: decodeTrafficSplit(action),
    ...(rewrite === undefined ? {} : { rewrite }),
    mirrors: action.requestMirrorPolicies.map(decodeMirror),
    timeouts: decodeTimeouts(action),
    ...(retry === undefined ? {} : { retry }),
  }
}

function decodeDirectResponse({ status, body }: DirectResponseAction): RouteAction {
  if (status < 200 || status > 599) throw new Error(`direct_response: ${status} is not a status`)
  if (body === undefined) return { kind: 'direct-response', status }
  if (body.specifier.case !== 'inlineString') throw new Error('direct_response: only an inline_string is supported')
  return { kind: 'direct-response', status, body: body.specifier.value }
}

function decodeSource(any: Any | undefined): SourceLocation | undefined {
  if (any === undefined) return undefined
  const { document, rule, file, line, column } = readTypedConfig(any, SourceInfoSchema, 'metadata')
  return {
    document,
    ...(rule === '' ? {} : { rule }),
    ...(file === '' ? {} : { file, line, column }),
  }
}

/** Puts the place before the text of whatever is thrown in it. */
function within<T>(place: string, decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    throw new Error(`${place}: ${errorMessage(error)}`, { cause: error })
  }
}
