// Envoy listeners of sidecars, of gateways, and of clients that are their own data plane.
import type { MessageInitShape } from '@bufbuild/protobuf'

import { TrafficDirection } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import type { FilterSchema } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import type { ListenerSchema } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { CorsSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts'
import { RouterSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/router/v3/router_pb.ts'
import { HttpInspectorSchema } from '../../contracts/xds/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts'
import { TlsInspectorSchema } from '../../contracts/xds/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts'
import { HttpConnectionManagerSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { HttpFilterSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { ForwardProxySchema } from '../../contracts/xds/gen/heddle/v1/forward_proxy_pb.ts'
import { forwardProxyListener } from '../../contracts/xds/names.ts'
import { corsFilter } from '../../policies/cors/cors.xds.ts'
import { adsConfigSource } from '../../policies/peer-authentication/own-secrets.xds.ts'
import type { PeerAuthenticationMode } from '../../policies/peer-authentication/peer-authentication.spec.ts'
import { encodePeerAuthentication } from '../../policies/peer-authentication/peer-authentication.xds.ts'
import { encodeDuration } from '../../policies/scalars.xds.ts'
import { typedConfig } from '../../policies/typed-config.xds.ts'
import { socketAddress } from './addresses.ts'
import type { SocketAddress } from './addresses.ts'
import type { RouteConfigurationInit } from './build-route.ts'
import type { HttpSettings } from './http-settings.ts'

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
const tlsInspector = {
  name: 'envoy.filters.listener.tls_inspector',
  configType: { case: 'typedConfig' as const, value: typedConfig(TlsInspectorSchema, {}) },
}

const httpInspector = {
  name: 'envoy.filters.listener.http_inspector',
  configType: { case: 'typedConfig' as const, value: typedConfig(HttpInspectorSchema, {}) },
}

/** HTTP is all that these listeners serve: a connection that is opened before it is needed may wait for its first request. */
const noInspectionTimeout = { listenerFiltersTimeout: encodeDuration(0) }

export interface ForwardProxyOptions {
  readonly searchDomains: readonly string[]
  readonly allowAny: boolean
}

/** Takes absolute-form requests and CONNECT; routes by authority. */
export function outboundListener(
  address: SocketAddress,
  options: ForwardProxyOptions,
  http: HttpSettings,
): ListenerInit {
  const { searchDomains, allowAny } = options
  const filter: HttpFilterInit = {
    name: 'heddle.forward_proxy',
    configType: {
      case: 'typedConfig',
      value: typedConfig(ForwardProxySchema, { searchDomains: [...searchDomains], allowAny }),
    },
  }
  const name = forwardProxyListener
  return {
    ...plaintextListener(name, address, {
      ...http.manager,
      statPrefix: name,
      // Envoy wants routes in every connection manager: here there are none before the filter has chosen
      routeSpecifier: { case: 'routeConfig', value: { name } },
      httpFilters: [filter, ...http.filters, cors, router],
    }),
    trafficDirection: TrafficDirection.OUTBOUND,
  }
}

/** Stands for dialling one port of one Service. */
export function serviceLoopbackListener(
  name: string,
  address: SocketAddress,
  routeConfiguration: string,
  http: HttpSettings,
): ListenerInit {
  return { ...rdsListener(name, address, routeConfiguration, http), trafficDirection: TrafficDirection.OUTBOUND }
}

/** Traffic from outside the mesh: neither inbound nor outbound in Envoy's sense. */
export function gatewayListener(name: string, address: SocketAddress, http: HttpSettings): ListenerInit {
  return rdsListener(name, address, name, http)
}

/** In front of one application port. */
export function inboundListener(
  name: string,
  address: SocketAddress,
  mode: PeerAuthenticationMode,
  routes: RouteConfigurationInit,
  http: HttpSettings,
): ListenerInit {
  const manager = connectionManager({
    ...http.manager,
    statPrefix: name,
    routeSpecifier: { case: 'routeConfig', value: routes },
    httpFilters: [...http.filters, router],
  })
  return {
    name,
    address: socketAddress(address),
    trafficDirection: TrafficDirection.INBOUND,
    listenerFilters: [...(mode === 'DISABLE' ? [] : [tlsInspector]), ...(mode === 'STRICT' ? [] : [httpInspector])],
    ...noInspectionTimeout,
    filterChains: encodePeerAuthentication({ mode }).map((transport) => ({ ...transport, filters: [manager] })),
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
        httpFilters: [router],
      }),
    },
  }
}

function rdsListener(name: string, address: SocketAddress, routeConfiguration: string, http: HttpSettings) {
  return plaintextListener(name, address, {
    ...http.manager,
    statPrefix: name,
    routeSpecifier: rds(routeConfiguration),
    httpFilters: [...http.filters, cors, router],
  })
}

function plaintextListener(name: string, address: SocketAddress, manager: ConnectionManagerInit) {
  return {
    name,
    address: socketAddress(address),
    listenerFilters: [httpInspector],
    ...noInspectionTimeout,
    filterChains: [{ filters: [connectionManager(manager)] }],
  }
}

function rds(routeConfigName: string) {
  return { case: 'rds' as const, value: { configSource: adsConfigSource, routeConfigName } }
}

function connectionManager(manager: ConnectionManagerInit): MessageInitShape<typeof FilterSchema> {
  const init = { ...manager, upgradeConfigs: [{ upgradeType: 'websocket' }] } as ConnectionManagerInit
  return {
    name: 'envoy.filters.network.http_connection_manager',
    configType: { case: 'typedConfig', value: typedConfig(HttpConnectionManagerSchema, init) },
  }
}
