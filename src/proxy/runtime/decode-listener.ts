// Listener → ListenerConfig.
import type { DescMessage } from '@bufbuild/protobuf'

import { TrafficDirection } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import type { FilterChain } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { ListenerSchema } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_pb.ts'
import type { Listener } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_pb.ts'
import type { RateLimit } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { CorsSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts'
import { ExtAuthzSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.ts'
import { HTTPFaultSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import { ConfigSchema as HeaderToMetadataSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/header_to_metadata/v3/header_to_metadata_pb.ts'
import { JwtAuthenticationSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts'
import { LocalRateLimitSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.ts'
import { RateLimitSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.ts'
import { RBACSchema as HttpRbacSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts'
import { RouterSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/router/v3/router_pb.ts'
import { StatefulSessionSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb.ts'
import { HttpInspectorSchema } from '../../contracts/xds/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts'
import { TlsInspectorSchema } from '../../contracts/xds/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts'
import { HttpConnectionManagerSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { HttpConnectionManager } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { RBACSchema as NetworkRbacSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts'
import { TcpProxySchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import { ForwardProxySchema } from '../../contracts/xds/gen/heddle/v1/forward_proxy_pb.ts'
import { decodeAccessLog } from '../../policies/access-log/access-log.xds.ts'
import { checkCompilable } from '../../policies/authorization/authorization.runtime.ts'
import type { RbacFilterSpec, RbacRules } from '../../policies/authorization/authorization.spec.ts'
import {
  decodeAuthorization,
  decodeNetworkAuthorization,
  shadowPrefixOf,
} from '../../policies/authorization/authorization.xds.ts'
import { decodeReauthorize } from '../../policies/authorization/reauthorize.xds.ts'
import {
  decodeExternalAuthorization,
  questionPrefixOf,
} from '../../policies/external-authorization/external-authorization.xds.ts'
import { decodeForwardedHeaders } from '../../policies/forwarded-headers/forwarded-headers.xds.ts'
import { decodeMetricsExport } from '../../policies/metrics-export/metrics-export.xds.ts'
import { decodePathNormalization } from '../../policies/path-normalization/path-normalization.xds.ts'
import { decodeGlobalRateLimit } from '../../policies/rate-limit/global-rate-limit.xds.ts'
import { decodeLocalRateLimits } from '../../policies/rate-limit/local-rate-limit.xds.ts'
import { decodeRedaction } from '../../policies/redaction/redaction.xds.ts'
import { decodeRequestAuthentication } from '../../policies/request-authentication/request-authentication.xds.ts'
import { decodeDuration } from '../../policies/scalars.xds.ts'
import { decodeMuted } from '../../policies/telemetry/telemetry.xds.ts'
import { decodeStreamIdleTimeout } from '../../policies/timeouts/timeouts.xds.ts'
import { compileSamplingRules } from '../../policies/tracing/sampling-rules.runtime.ts'
import { decodeTracing } from '../../policies/tracing/tracing.xds.ts'
import { isTypedConfig, readTypedConfig } from '../../policies/typed-config.xds.ts'
import { decodeSocketAddress } from './decode-endpoints.ts'
import { decodeDocumentFilter, withJoinedCompressions } from './decode-filters.ts'
import { decodeRouteConfiguration, sourceLocation } from './decode-route.ts'
import { decodeTcpProxy } from './decode-tcp-proxy.ts'
import { decodeChainTransport } from './decode-transport.ts'
import { parseResource, refuseFields, within } from './parse-resource.ts'
import type {
  FilterChainConfig,
  HttpConnectionManagerConfig,
  HttpFilterConfig,
  ListenerConfig,
  RouteSource,
  TcpProxyConfig,
} from './runtime-config.ts'

/** Throws an Error that says what cannot be served. */
export function decodeListenerResource(body: Uint8Array): ListenerConfig {
  const message = parseResource(ListenerSchema, body)
  refuseFields(message, ['filterChainMatcher', 'defaultFilterChain', 'additionalAddresses', 'apiListener'])
  if (message.filterChains.length === 0) throw new Error('a listener needs a filter chain')
  const { host, port } = decodeSocketAddress(message.address, 'address')
  const metricsExport = decodeMetricsExport(message.metadata)
  return {
    name: message.name,
    direction: decodeDirection(message.trafficDirection),
    host,
    port,
    inspect: {
      tls: hasInspector(message, TlsInspectorSchema) || choosesByTls(message),
      http: hasInspector(message, HttpInspectorSchema),
    },
    detectTimeoutMs: decodeDetectTimeout(message),
    filterChains: message.filterChains.map((chain) =>
      within(`filter chain "${chain.name}"`, () => decodeFilterChain(chain)),
    ),
    ...(metricsExport === undefined ? {} : { metricsExport }),
  }
}

function hasInspector({ listenerFilters }: Listener, schema: DescMessage): boolean {
  return listenerFilters.some(
    ({ configType }) => configType.case === 'typedConfig' && isTypedConfig(configType.value, schema),
  )
}

/** Envoy inspects by itself what its chains are chosen by. */
function choosesByTls({ filterChains }: Listener): boolean {
  return filterChains.some(
    ({ filterChainMatch: match }) =>
      match !== undefined && (match.transportProtocol === 'tls' || match.serverNames.length > 0),
  )
}

/** Envoy's, for a listener that says nothing. */
const defaultDetectTimeoutMs = 15_000

/**
 * 0: never. Envoy closes the connection then, unless it is told to continue; here it is served by the chain for unknown protocols and
 * closed where there is none, which is the same for a listener without such a chain.
 */
function decodeDetectTimeout({ listenerFiltersTimeout: timeout }: Listener): number {
  if (timeout === undefined) return defaultDetectTimeoutMs
  return decodeDuration(timeout, 'listener_filters_timeout') || Infinity
}

function decodeDirection(direction: TrafficDirection): ListenerConfig['direction'] {
  if (direction === TrafficDirection.INBOUND) return 'inbound'
  return direction === TrafficDirection.OUTBOUND ? 'outbound' : 'gateway'
}

/** A chain that matches on these would serve connections that are not meant for it. */
const unsupportedMatches = [
  'destinationPort',
  'prefixRanges',
  'directSourcePrefixRanges',
  'sourcePrefixRanges',
  'sourcePorts',
] as const

function decodeFilterChain(chain: FilterChain): FilterChainConfig {
  const filter = chain.filters.at(-1)
  const authorization = chain.filters.slice(0, -1).map(decodeNetworkFilter)
  if (chain.filterChainMatch !== undefined) refuseFields(chain.filterChainMatch, unsupportedMatches)
  const config = filter?.configType
  const any = config?.case === 'typedConfig' ? config.value : undefined
  const isTcp = isTypedConfig(any, TcpProxySchema)
  const { serverNames = [], applicationProtocols = [] } = chain.filterChainMatch ?? {}
  const { transport, tls } = decodeChainTransport(chain, isTcp)
  if (serverNames.length > 0 && transport !== 'tls') throw new Error('server_names need transport_protocol "tls"')
  const muted = decodeMuted(chain.metadata)
  const said = {
    ...(muted !== undefined && { muted }),
    ...(decodeReauthorize(chain.metadata) && { reauthorize: true as const }),
  }
  return {
    name: chain.name,
    match: { transport, serverNames: serverNames.map((name) => name.toLowerCase()), applicationProtocols },
    ...(tls === undefined ? {} : { tls }),
    filter: isTcp
      ? {
          ...decodeTcpProxy(readTypedConfig(any, TcpProxySchema, 'network filter'), chain),
          ...authorizedBy(authorization),
          ...said,
        }
      : {
          ...decodeConnectionManager(
            readTypedConfig(any, HttpConnectionManagerSchema, 'network filter'),
            authorization,
          ),
          ...said,
        },
  }
}

function decodeNetworkFilter(filter: FilterChain['filters'][number]): RbacFilterSpec {
  const { name, configType } = filter
  const config = configType.case === 'typedConfig' ? configType.value : undefined
  if (!isTypedConfig(config, NetworkRbacSchema))
    throw new Error(`network filter "${name}" (${config?.typeUrl ?? 'no typed_config'}) is not supported`)
  return within(`network filter "${name}"`, () => compilable(decodeNetworkAuthorization(filter)))
}

/** What cannot be compiled is refused now, not when it is in force. */
function compilable(spec: RbacFilterSpec): RbacFilterSpec {
  checkCompilable(spec)
  return spec
}

function authorizedBy(authorization: readonly RbacFilterSpec[]): Pick<TcpProxyConfig, 'authorization'> {
  return authorization.length === 0 ? {} : { authorization }
}

/** What authorizes connections authorizes each of their requests here: the facts are the same. */
function decodeConnectionManager(
  manager: HttpConnectionManager,
  authorization: readonly RbacFilterSpec[],
): HttpConnectionManagerConfig {
  const { routes, filters } = decodeHttpFilters(manager)
  const tracing = decodeTracing(manager.tracing)
  // what cannot be compiled is refused now, not when it is in force
  if (tracing?.samplingRules !== undefined) compileSamplingRules(tracing.samplingRules)
  const redaction = decodeRedaction(manager.httpFilters)
  const all = [...authorization.map((spec): HttpFilterConfig => ({ kind: 'authorization', spec })), ...filters]
  return {
    kind: 'http',
    routes,
    ...(all.length === 0 ? {} : { filters: all }),
    paths: decodePathNormalization(manager),
    forwarding: decodeForwardedHeaders(manager),
    streamIdleTimeoutMs: decodeStreamIdleTimeout(manager),
    accessLog: decodeAccessLog(manager.accessLog, manager.httpFilters),
    ...(tracing === undefined ? {} : { tracing }),
    ...(redaction === undefined ? {} : { redaction }),
  }
}

/** What these do is said by the routes. */
const harmless = [RouterSchema, CorsSchema, StatefulSessionSchema]

function decodeHttpFilters(manager: HttpConnectionManager): {
  readonly routes: RouteSource
  readonly filters: readonly HttpFilterConfig[]
} {
  let forwardProxy: RouteSource | undefined
  const filters: HttpFilterConfig[] = []
  /** What an RBAC filter in front has said of the requests that a server is asked about. */
  const questions = new Map<string, RbacRules>()
  for (const filter of manager.httpFilters) {
    const { name, configType, isOptional } = filter
    const config = configType.case === 'typedConfig' ? configType.value : undefined
    const ofDocument = within(`HTTP filter "${name}"`, () => decodeDocumentFilter(config, name))
    if (ofDocument !== undefined) filters.push(ofDocument)
    else if (isTypedConfig(config, ForwardProxySchema)) {
      const { searchDomains, allowAny, source } = readTypedConfig(config, ForwardProxySchema, name)
      const written = source === undefined ? {} : { source: sourceLocation(source) }
      forwardProxy = { kind: 'forward-proxy', searchDomains, allowAny, ...written }
    } else if (isTypedConfig(config, JwtAuthenticationSchema)) {
      const message = readTypedConfig(config, JwtAuthenticationSchema, name)
      const spec = within(`HTTP filter "${name}"`, () => decodeRequestAuthentication(message))
      filters.push({ kind: 'request-authentication', spec })
    } else if (isTypedConfig(config, HttpRbacSchema)) {
      const spec = within(`HTTP filter "${name}"`, () => compilable(decodeAuthorization(filter)))
      const prefix = shadowPrefixOf(filter)
      // it only marks where the rules of routes would be asked
      if (spec.enforced === undefined && spec.shadow === undefined) continue
      if (prefix === '' || spec.shadow === undefined) filters.push({ kind: 'authorization', spec })
      else {
        questions.set(prefix, spec.shadow)
        if (spec.enforced !== undefined) filters.push({ kind: 'authorization', spec: { enforced: spec.enforced } })
      }
    } else if (isTypedConfig(config, ExtAuthzSchema)) {
      const message = readTypedConfig(config, ExtAuthzSchema, name)
      const { spec, prefix } = within(`HTTP filter "${name}"`, () => ({
        spec: decodeExternalAuthorization(message),
        prefix: questionPrefixOf(message),
      }))
      // rules that nobody has stated match nothing in Envoy, which would let everything pass unasked
      const asked = prefix === undefined ? undefined : questions.get(prefix)
      if (prefix !== undefined) questions.delete(prefix)
      filters.push({ kind: 'external-authorization', spec, ...(asked === undefined ? {} : { asked }) })
    } else if (isTypedConfig(config, LocalRateLimitSchema)) {
      const message = readTypedConfig(config, LocalRateLimitSchema, name)
      if (message.descriptors.length > 0) refuseNamedRoutes(manager, name)
      const limits = within(`HTTP filter "${name}"`, () => decodeLocalRateLimits(message, actionsOf(manager)))
      filters.push(...limits.map((spec): HttpFilterConfig => ({ kind: 'local-rate-limit', spec })))
    } else if (isTypedConfig(config, RateLimitSchema)) {
      const message = readTypedConfig(config, RateLimitSchema, name)
      refuseNamedRoutes(manager, name)
      const spec = within(`HTTP filter "${name}"`, () => decodeGlobalRateLimit(message, actionsOf(manager)))
      if (spec !== undefined) filters.push({ kind: 'global-rate-limit', spec })
    } else if (isTypedConfig(config, HTTPFaultSchema)) {
      const { delay, abort, responseRateLimit } = readTypedConfig(config, HTTPFaultSchema, name)
      if (delay !== undefined || abort !== undefined || responseRateLimit !== undefined)
        throw new Error(`HTTP filter "${name}": faults are served where a route says them`)
    } else if (isTypedConfig(config, HeaderToMetadataSchema)) {
      const { requestRules, responseRules } = readTypedConfig(config, HeaderToMetadataSchema, name)
      if (requestRules.length + responseRules.length > 0)
        throw new Error(`HTTP filter "${name}": rules are served where a route says them`)
    } else if (!harmless.some((schema) => isTypedConfig(config, schema)) && !isOptional) {
      // ignoring one that authorises requests would let everything in
      throw new Error(`HTTP filter "${name}" (${config?.typeUrl ?? 'no typed_config'}) is not supported`)
    }
  }
  // a name of its own, and nobody who is asked by it: a dry run
  for (const shadow of questions.values()) filters.push({ kind: 'authorization', spec: { shadow } })
  return { routes: forwardProxy ?? decodeRoutes(manager), filters: withJoinedCompressions(filters) }
}

function refuseNamedRoutes({ routeSpecifier }: HttpConnectionManager, filter: string): void {
  if (routeSpecifier.case !== 'routeConfig')
    throw new Error(`HTTP filter "${filter}": descriptors are supported where the listener holds its routes itself`)
}

/** What makes descriptors of requests. Limits come before routes here: it has to be the same for all of them. */
function actionsOf({ routeSpecifier }: HttpConnectionManager): readonly RateLimit[] {
  if (routeSpecifier.case !== 'routeConfig') return []
  const { virtualHosts } = routeSpecifier.value
  const ofRoutes = virtualHosts.some(({ routes }) =>
    routes.some(({ action }) => action.case === 'route' && action.value.rateLimits.length > 0),
  )
  const [first, ...others] = virtualHosts.map(({ rateLimits }) => rateLimits)
  if (ofRoutes || others.some((rateLimits) => rateLimits.length > 0))
    throw new Error('rate_limits are supported where the one virtual host says them for all routes')
  return first ?? []
}

function decodeRoutes({ routeSpecifier }: HttpConnectionManager): RouteSource {
  if (routeSpecifier.case === 'rds') return { kind: 'rds', name: routeSpecifier.value.routeConfigName }
  if (routeSpecifier.case === 'routeConfig') {
    return { kind: 'inline', routeConfiguration: decodeRouteConfiguration(routeSpecifier.value) }
  }
  throw new Error(`expected rds or route_config, got ${routeSpecifier.case ?? 'none'}`)
}
