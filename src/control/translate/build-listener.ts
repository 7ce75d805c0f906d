// Envoy listeners of sidecars, of gateways, and of clients that are their own data plane.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { SourceLocation } from '../../contracts/decision-record.ts'
import { TrafficDirection } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import type {
  FilterSchema,
  ListenerFilterSchema,
} from '../../contracts/xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import type { ListenerSchema } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { CorsSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts'
import { HTTPFaultSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import { ConfigSchema as HeaderToMetadataSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/header_to_metadata/v3/header_to_metadata_pb.ts'
import { RouterSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/router/v3/router_pb.ts'
import { StatefulSessionSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb.ts'
import { HttpInspectorSchema } from '../../contracts/xds/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts'
import { TlsInspectorSchema } from '../../contracts/xds/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts'
import { HttpConnectionManagerSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { HttpFilterSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { ForwardProxySchema } from '../../contracts/xds/gen/heddle/v1/forward_proxy_pb.ts'
import { forwardProxyListener, opaqueAlpn } from '../../contracts/xds/names.ts'
import { corsFilter } from '../../policies/cors/cors.xds.ts'
import { faultFilter } from '../../policies/faults/faults.xds.ts'
import { inFilterOrder } from '../../policies/filter-order.xds.ts'
import { headerToMetadataFilter } from '../../policies/load-balancing/subsets.xds.ts'
import { adsConfigSource, meshAlpn } from '../../policies/peer-authentication/own-secrets.xds.ts'
import type { PeerAuthenticationMode } from '../../policies/peer-authentication/peer-authentication.spec.ts'
import { encodePeerAuthentication } from '../../policies/peer-authentication/peer-authentication.xds.ts'
import { encodeDuration } from '../../policies/scalars.xds.ts'
import { statefulSessionFilter } from '../../policies/session-persistence/session-persistence.xds.ts'
import { typedConfig } from '../../policies/typed-config.xds.ts'
import type { MeshStream, PortProtocol } from '../snapshot/mesh-snapshot.ts'
import { socketAddress } from './addresses.ts'
import type { SocketAddress } from './addresses.ts'
import { sourceInfo } from './build-route.ts'
import type { RouteConfigurationInit } from './build-route.ts'
import { behind, inboundStream, streamChain } from './build-stream.ts'
import type { FilterChainInit } from './build-stream.ts'
import type { CallerEgress } from './egress-security.ts'
import type { HttpSettings } from './http-settings.ts'
import { withSecurity } from './listener-security.ts'
import type { ListenerSecurity } from './listener-security.ts'

export type ListenerInit = MessageInitShape<typeof ListenerSchema>
type HttpFilterInit = MessageInitShape<typeof HttpFilterSchema>
type ConnectionManagerInit = MessageInitShape<typeof HttpConnectionManagerSchema>

const router: HttpFilterInit = {
  name: 'envoy.filters.http.router',
  configType: { case: 'typedConfig', value: typedConfig(RouterSchema, {}) },
}
const cors: HttpFilterInit = {
  name: corsFilter,
  configType: { case: 'typedConfig', value: typedConfig(CorsSchema, {}) },
}
/** Does nothing where a route does not ask for it. */
const statefulSession: HttpFilterInit = {
  name: statefulSessionFilter,
  configType: { case: 'typedConfig', value: typedConfig(StatefulSessionSchema, {}) },
}
/** Routes say what it does. */
const fault: HttpFilterInit = {
  name: faultFilter,
  configType: { case: 'typedConfig', value: typedConfig(HTTPFaultSchema, {}) },
}
/** Does nothing where a route does not ask for it. */
const headerToMetadata: HttpFilterInit = {
  name: headerToMetadataFilter,
  configType: { case: 'typedConfig', value: typedConfig(HeaderToMetadataSchema, {}) },
}
const routed = {
  headerToMetadata: [headerToMetadata],
  fault: [fault],
  cors: [cors],
  statefulSession: [statefulSession],
  router: [router],
}
export const tlsInspector: MessageInitShape<typeof ListenerFilterSchema> = {
  name: 'envoy.filters.listener.tls_inspector',
  configType: { case: 'typedConfig', value: typedConfig(TlsInspectorSchema, {}) },
}

const httpInspector: MessageInitShape<typeof ListenerFilterSchema> = {
  name: 'envoy.filters.listener.http_inspector',
  configType: { case: 'typedConfig', value: typedConfig(HttpInspectorSchema, {}) },
}

/** As Envoy's HTTP inspector calls them. */
const httpProtocols = ['http/1.1', 'h2c'] as const

/** HTTP is all that these listeners serve: a connection that is opened before it is needed may wait for its first request. */
const noInspectionTimeout = { listenerFiltersTimeout: encodeDuration(0) }

/** Who says nothing for so long waits for the server to speak first: the chain for bytes serves. */
const undecided = { listenerFiltersTimeout: encodeDuration(5_000), continueOnListenerFiltersTimeout: true }

function isOpaque(protocol: PortProtocol): boolean {
  return protocol === 'tcp' || protocol === 'tls'
}

export interface ForwardProxyOptions {
  readonly searchDomains: readonly string[]
  readonly allowAny: boolean
  /** Where that was written. */
  readonly source?: SourceLocation
}

/** Takes absolute-form requests and CONNECT; routes by authority. */
export function outboundListener(
  address: SocketAddress,
  options: ForwardProxyOptions,
  http: HttpSettings,
): ListenerInit {
  const { searchDomains, allowAny, source } = options
  const written = source === undefined ? {} : { source: sourceInfo(source) }
  const filter: HttpFilterInit = {
    name: 'heddle.forward_proxy',
    configType: {
      case: 'typedConfig',
      value: typedConfig(ForwardProxySchema, { searchDomains: [...searchDomains], allowAny, ...written }),
    },
  }
  const name = forwardProxyListener
  return {
    ...plaintextListener(
      name,
      address,
      http,
      connectionManager({
        ...http.manager,
        statPrefix: name,
        // Envoy wants routes in every connection manager: here there are none before the filter has chosen
        routeSpecifier: { case: 'routeConfig', value: { name } },
        httpFilters: inFilterOrder({ ...http.filters, ...routed, forwardProxy: [filter] }),
      }),
    ),
    trafficDirection: TrafficDirection.OUTBOUND,
  }
}

/** Stands for dialling one port of one Service. */
export function serviceLoopbackListener(
  name: string,
  address: SocketAddress,
  routeConfiguration: string,
  protocol: PortProtocol,
  streams: readonly MeshStream[],
  http: HttpSettings,
  egress: CallerEgress,
): ListenerInit {
  const manager = rdsManager(name, routeConfiguration, http)
  const base = { ...http.listener, name, address: socketAddress(address), trafficDirection: TrafficDirection.OUTBOUND }
  if (!isOpaque(protocol) && protocol !== 'auto')
    return { ...base, ...noInspectionTimeout, listenerFilters: [httpInspector], filterChains: [{ filters: [manager] }] }
  const byName = streams.some(({ hostnames }) => hostnames.length > 0)
  const chains = streams.map((stream) => streamChain(stream, egress))
  if (isOpaque(protocol)) {
    if (!byName) return { ...base, filterChains: chains }
    const takesAll = streams.some(({ hostnames }) => hostnames.length === 0)
    return { ...base, ...(takesAll ? undecided : {}), listenerFilters: [tlsInspector], filterChains: chains }
  }
  const requests = {
    name: 'http',
    filterChainMatch: { transportProtocol: 'raw_buffer', applicationProtocols: [...httpProtocols] },
  }
  return {
    ...base,
    ...undecided,
    listenerFilters: [tlsInspector, httpInspector],
    filterChains: [{ ...requests, filters: [manager] }, ...chains],
  }
}

/** Traffic from outside the mesh: neither inbound nor outbound in Envoy's sense. */
export function gatewayListener(name: string, address: SocketAddress, http: HttpSettings): ListenerInit {
  return plaintextListener(name, address, http, rdsManager(name, name, http))
}

const httpTraffic = { suffix: '', alpn: meshAlpn, tlsProtocols: [], plaintextProtocols: [] }
const opaqueTraffic = {
  suffix: '-tcp',
  alpn: [opaqueAlpn],
  tlsProtocols: [opaqueAlpn],
  plaintextProtocols: [],
}

/** In front of one application port. Other sidecars say by ALPN what they carry. */
export function inboundListener(
  name: string,
  address: SocketAddress,
  mode: PeerAuthenticationMode,
  protocol: PortProtocol,
  routes: RouteConfigurationInit,
  source: MeshStream['source'],
  settings: HttpSettings,
  security: ListenerSecurity,
): ListenerInit {
  const http = withSecurity(settings, security)
  const manager = connectionManager({
    ...http.manager,
    statPrefix: name,
    routeSpecifier: { case: 'routeConfig', value: routes },
    httpFilters: inFilterOrder({ ...http.filters, router: [router] }),
  })
  const [undeclared, opaque] = [protocol === 'auto', isOpaque(protocol)]
  const traffic = undeclared ? { ...httpTraffic, plaintextProtocols: httpProtocols } : httpTraffic
  const requests = opaque ? {} : encodePeerAuthentication({ mode }, traffic)
  // what says that it carries bytes passes by all filters of requests: only where bytes may come
  const carriesBytes = opaque || (undeclared && !security.requestsOnly)
  const bytes = carriesBytes ? encodePeerAuthentication({ mode }, opaqueTraffic) : {}
  const carried = behind(security.network, inboundStream(name, source))
  // what the mesh has not marked may be the application's own TLS
  const plainBytes = opaque ? { ...bytes.plaintext, filterChainMatch: {} } : bytes.plaintext
  const filterChains: FilterChainInit[] = [
    ...(requests.tls === undefined ? [] : [{ ...requests.tls, filters: [manager] }]),
    ...(bytes.tls === undefined ? [] : [{ ...carried, ...bytes.tls }]),
    ...(requests.plaintext === undefined ? [] : [{ ...requests.plaintext, filters: [manager] }]),
    ...(bytes.plaintext === undefined || plainBytes === undefined ? [] : [{ ...carried, ...plainBytes }]),
  ]
  const byTls = mode !== 'DISABLE' || undeclared
  const byHttp = mode !== 'STRICT' && !opaque
  return {
    ...http.listener,
    name,
    address: socketAddress(address),
    trafficDirection: TrafficDirection.INBOUND,
    listenerFilters: [...(byTls ? [tlsInspector] : []), ...(byHttp ? [httpInspector] : [])],
    ...(plainBytes !== undefined && mode !== 'STRICT' ? undecided : noInspectionTimeout),
    filterChains,
  }
}

/** For gRPC clients without a proxy: they take the routes and do the rest themselves. */
export function apiListener(name: string): ListenerInit {
  return {
    name,
    apiListener: {
      apiListener: typedConfig(HttpConnectionManagerSchema, {
        statPrefix: name,
        routeSpecifier: rds(name),
        httpFilters: [fault, router],
      }),
    },
  }
}

/** Takes its routes by name. */
export function rdsManager(
  name: string,
  routeConfiguration: string,
  http: HttpSettings,
): MessageInitShape<typeof FilterSchema> {
  return connectionManager({
    ...http.manager,
    statPrefix: name,
    routeSpecifier: rds(routeConfiguration),
    httpFilters: inFilterOrder({ ...http.filters, ...routed }),
  })
}

function plaintextListener(
  name: string,
  address: SocketAddress,
  { listener }: HttpSettings,
  manager: MessageInitShape<typeof FilterSchema>,
) {
  return {
    ...listener,
    name,
    address: socketAddress(address),
    listenerFilters: [httpInspector],
    ...noInspectionTimeout,
    filterChains: [{ filters: [manager] }],
  }
}

function rds(routeConfigName: string): NonNullable<ConnectionManagerInit['routeSpecifier']> {
  return { case: 'rds', value: { configSource: adsConfigSource, routeConfigName } }
}

function connectionManager(manager: ConnectionManagerInit): MessageInitShape<typeof FilterSchema> {
  const init = { ...manager, upgradeConfigs: [{ upgradeType: 'websocket' }] } as ConnectionManagerInit
  return {
    name: 'envoy.filters.network.http_connection_manager',
    configType: { case: 'typedConfig', value: typedConfig(HttpConnectionManagerSchema, init) },
  }
}
