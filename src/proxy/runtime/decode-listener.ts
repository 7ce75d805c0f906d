// Listener → ListenerConfig.
import { fromBinary } from '@bufbuild/protobuf'

import { TrafficDirection } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import type { FilterChain } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { ListenerSchema } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { HttpConnectionManagerSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { HttpConnectionManager } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { ForwardProxySchema } from '../../contracts/xds/gen/heddle/v1/forward_proxy_pb.ts'
import { decodeTransport } from '../../policies/peer-authentication/peer-authentication.xds.ts'
import { isTypedConfig, readTypedConfig } from '../../policies/typed-config.xds.ts'
import { decodeSocketAddress } from './decode-endpoints.ts'
import { decodeRouteConfiguration } from './decode-route.ts'
import type { FilterChainConfig, ListenerConfig, RouteSource } from './runtime-config.ts'

/** Throws an Error that says what cannot be served. */
export function decodeListenerResource(body: Uint8Array): ListenerConfig {
  const message = fromBinary(ListenerSchema, body)
  if (message.filterChains.length === 0) throw new Error('a listener needs a filter chain')
  const { host, port } = decodeSocketAddress(message.address, 'address')
  return {
    name: message.name,
    direction: decodeDirection(message.trafficDirection),
    host,
    port,
    filterChains: message.filterChains.map(decodeFilterChain),
  }
}

function decodeDirection(direction: TrafficDirection): ListenerConfig['direction'] {
  if (direction === TrafficDirection.INBOUND) return 'inbound'
  return direction === TrafficDirection.OUTBOUND ? 'outbound' : 'gateway'
}

function decodeFilterChain(chain: FilterChain): FilterChainConfig {
  const [filter, ...others] = chain.filters
  const place = `filter chain "${chain.name}"`
  if (others.length > 0) throw new Error(`${place}: only one network filter is supported`)
  const config = filter?.configType
  const any = config?.case === 'typedConfig' ? config.value : undefined
  const manager = readTypedConfig(any, HttpConnectionManagerSchema, place)
  return { ...decodeTransport(chain), http: { routes: decodeRouteSource(manager) } }
}

function decodeRouteSource({ routeSpecifier, httpFilters }: HttpConnectionManager): RouteSource {
  for (const { configType } of httpFilters) {
    if (configType.case !== 'typedConfig' || !isTypedConfig(configType.value, ForwardProxySchema)) continue
    const { searchDomains, allowAny } = readTypedConfig(configType.value, ForwardProxySchema, 'http_filters')
    return { kind: 'forward-proxy', searchDomains, allowAny }
  }
  if (routeSpecifier.case === 'rds') return { kind: 'rds', name: routeSpecifier.value.routeConfigName }
  if (routeSpecifier.case === 'routeConfig') {
    return { kind: 'inline', routeConfiguration: decodeRouteConfiguration(routeSpecifier.value) }
  }
  throw new Error(`expected rds or route_config, got ${routeSpecifier.case ?? 'none'}`)
}
