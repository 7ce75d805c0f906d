// Envoy listeners of sidecars, of gateways, and of clients that are their own data plane.
import type { MessageInitShape } from '@bufbuild/protobuf'

import { TrafficDirection } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import type { FilterSchema } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import type { ListenerSchema } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { CorsSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts'
import { RouterSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/router/v3/router_pb.ts'
import { TlsInspectorSchema } from '../../contracts/xds/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts'
import { HttpConnectionManagerSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { HttpFilterSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { ForwardProxySchema } from '../../contracts/xds/gen/heddle/v1/forward_proxy_pb.ts'
import { forwardProxyListener } from '../../contracts/xds/names.ts'
import { corsFilter } from '../../policies/cors/cors.xds.ts'
import { adsConfigSource } from '../../policies/peer-authentication/own-secrets.xds.ts'
import type { PeerAuthenticationMode } from '../../policies/peer-authentication/peer-authentication.spec.ts'
import { encodePeerAuthentication } from '../../policies/peer-authentication/peer-authentication.xds.ts'
import { typedConfig } from '../../policies/typed-config.xds.ts'
import { socketAddress } from './addresses.ts'
import type { SocketAddress } from './addresses.ts'
import type { RouteConfigurationInit } from './build-route.ts'

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

export interface ForwardProxyOptions {
  readonly searchDomains: readonly string[]
  readonly allowAny: boolean
}

/** Takes absolute-form requests and CONNECT; routes by authority. */
export function outboundListener(address: SocketAddress, options: ForwardProxyOptions): ListenerInit {
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
      statPrefix: name,
      // Envoy wants routes in every connection manager: here there are none before the filter has chosen
      routeSpecifier: { case: 'routeConfig', value: { name } },
      httpFilters: [filter, cors, router],
    }),
    trafficDirection: TrafficDirection.OUTBOUND,
  }
}

/** Stands for dialling one port of one Service. */
export function serviceLoopbackListener(
  name: string,
  address: SocketAddress,
  routeConfiguration: string,
): ListenerInit {
  return { ...rdsListener(name, address, routeConfiguration), trafficDirection: TrafficDirection.OUTBOUND }
}

/** Traffic from outside the mesh: neither inbound nor outbound in Envoy's sense. */
export function gatewayListener(name: string, address: SocketAddress): ListenerInit {
  return rdsListener(name, address, name)
}

/** In front of one application port. */
export function inboundListener(
  name: string,
  address: SocketAddress,
  mode: PeerAuthenticationMode,
  routes: RouteConfigurationInit,
): ListenerInit {
  const manager = connectionManager({
    statPrefix: name,
    routeSpecifier: { case: 'routeConfig', value: routes },
    httpFilters: [router],
  })
  return {
    name,
    address: socketAddress(address),
    trafficDirection: TrafficDirection.INBOUND,
    listenerFilters: [tlsInspector],
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

function rdsListener(name: string, address: SocketAddress, routeConfiguration: string) {
  return plaintextListener(name, address, {
    statPrefix: name,
    routeSpecifier: rds(routeConfiguration),
    httpFilters: [cors, router],
  })
}

function plaintextListener(name: string, address: SocketAddress, manager: ConnectionManagerInit) {
  return { name, address: socketAddress(address), filterChains: [{ filters: [connectionManager(manager)] }] }
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
