// One port of a Gateway with TLS or TCP → Envoy listener: SNI chooses the chain, each HTTPS listener has routes of its own.
import { DownstreamTlsContextSchema } from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { gatewayListenerName, gatewayName } from '../../contracts/xds/names.ts'
import { adsConfigSource, tlsTransportSocket } from '../../policies/peer-authentication/own-secrets.xds.ts'
import { typedConfig } from '../../policies/typed-config.xds.ts'
import type { MeshGateway, MeshListener } from '../snapshot/mesh-snapshot.ts'
import { socketAddress } from './addresses.ts'
import { rdsManager, tlsInspector } from './build-listener.ts'
import type { ListenerInit } from './build-listener.ts'
import { gatewayRouteConfiguration } from './build-route.ts'
import type { DestinationPolicies, RouteConfigurationInit, VirtualHostInit } from './build-route.ts'
import { behind, closingChain, serverNames, streamChain } from './build-stream.ts'
import type { FilterChainInit } from './build-stream.ts'
import type { CallerEgress } from './egress-security.ts'
import { withListenerPort } from './gateway-virtual-hosts.ts'
import type { HttpSettings } from './http-settings.ts'
import { withSecurity } from './listener-security.ts'
import type { ListenerSecurity } from './listener-security.ts'

/** For a port whose listeners are of protocol HTTPS, TLS or TCP. */
export function gatewayStreamListener(
  gateway: MeshGateway,
  port: number,
  settings: HttpSettings,
  security: ListenerSecurity,
  egress: CallerEgress,
): ListenerInit {
  const http = withSecurity(settings, security)
  const name = gatewayName(gateway.namespace, gateway.name, port)
  const listeners = gateway.listeners.filter((listener) => listener.port === port)
  const byName = listeners.some(({ protocol }) => protocol !== 'TCP')
  return {
    ...http.listener,
    name,
    address: socketAddress({ host: gateway.address, port }),
    listenerFilters: byName ? [tlsInspector] : [],
    filterChains: listeners.flatMap((listener) =>
      listener.protocol === 'HTTPS'
        ? [httpsChain(gateway, listener, http)]
        : streamChains(listener, egress).map((chain) => behind(security.network, chain)),
    ),
  }
}

function httpsChain({ namespace, name }: MeshGateway, listener: MeshListener, http: HttpSettings): FilterChainInit {
  const routes = gatewayListenerName(namespace, name, listener.port, listener.name)
  return {
    name: listener.name,
    filterChainMatch: { transportProtocol: 'tls', serverNames: serverNames([listener.hostname ?? '*']) },
    transportSocket: terminatingSocket(listener.certificates, ['h2', 'http/1.1']),
    filters: [rdsManager(routes, routes, http)],
  }
}

function streamChains(listener: MeshListener, egress: CallerEgress): FilterChainInit[] {
  const { name, protocol, hostname = '*', certificates, streams } = listener
  const chains = streams.map((stream) => streamChain(stream, egress))
  if (protocol === 'TCP') return chains.length === 0 ? [closingChain(name, [])] : chains
  const transportSocket = certificates.length === 0 ? undefined : terminatingSocket(certificates, [])
  const secured = chains.map((chain): FilterChainInit => ({
    ...chain,
    ...(transportSocket === undefined ? {} : { transportSocket }),
  }))
  // what no route speaks of is not for a listener with a wider hostname either
  const isWhole = streams.some(({ hostnames }) => hostnames.includes(hostname))
  return isWhole ? secured : [...secured, closingChain(name, [hostname])]
}

function terminatingSocket(
  certificates: readonly string[],
  alpnProtocols: string[],
): NonNullable<FilterChainInit['transportSocket']> {
  const value = typedConfig(DownstreamTlsContextSchema, {
    commonTlsContext: {
      tlsCertificateSdsSecretConfigs: certificates.map((name) => ({ name, sdsConfig: adsConfigSource })),
      alpnProtocols,
    },
  })
  return { name: tlsTransportSocket, configType: { case: 'typedConfig', value } }
}

const misdirectedDetail = 'this connection was opened for another name: open one for this\n'

/**
 * A client may send a request for one host over a connection that it opened for another (RFC 9113 9.1.1): where that host has a listener of
 * its own on the port, the connection was not for it, and 421 makes the client open another (GEP-3567).
 */
export function httpsRouteConfiguration(
  gateway: MeshGateway,
  listener: MeshListener,
  destinations: DestinationPolicies,
): RouteConfigurationInit {
  const name = gatewayListenerName(gateway.namespace, gateway.name, listener.port, listener.name)
  const own = listener.virtualHosts.map(({ hostname, routes }) => ({
    hostname,
    routes: routes.map((route) => withListenerPort(route, listener.port)),
  }))
  const misdirected = gateway.listeners
    .filter((other) => other !== listener && other.port === listener.port)
    .map(({ hostname = '*' }): VirtualHostInit => ({
      name: `misdirected ${hostname}`,
      domains: [hostname],
      routes: [
        {
          name: 'misdirected',
          match: { pathSpecifier: { case: 'prefix', value: '/' } },
          action: {
            case: 'directResponse',
            value: { status: 421, body: { specifier: { case: 'inlineString', value: misdirectedDetail } } },
          },
        },
      ],
    }))
  return gatewayRouteConfiguration(name, own, destinations, misdirected)
}
