// MeshSnapshot → xDS resources of one revision, by name and, where it matters, by the node that asks.
import { formatSpiffeId, gatewayServiceAccount } from '../../contracts/identity/spiffe-id.ts'
import { ClusterSchema } from '../../contracts/xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClusterLoadAssignmentSchema } from '../../contracts/xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { ListenerSchema } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { RouteConfigurationSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_pb.ts'
import { SecretSchema } from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import {
  forwardProxyListener,
  gatewayListenerName,
  gatewayName,
  hostPort,
  inboundName,
  serviceListener,
  typeUrls,
} from '../../contracts/xds/names.ts'
import type { TypeUrl } from '../../contracts/xds/names.ts'
import type { PeerAuthenticationMode } from '../../policies/peer-authentication/peer-authentication.spec.ts'
import type {
  MeshEndpoint,
  MeshGateway,
  MeshService,
  MeshServicePort,
  MeshSnapshot,
  MeshWorkload,
} from '../snapshot/mesh-snapshot.ts'
import type { ListenerPurpose, PortAllocation } from '../snapshot/port-allocation.ts'
import { mayCarryBytes } from '../snapshot/port-protocol.ts'
import type { SocketAddress } from './addresses.ts'
import {
  chosenLabels,
  endpointInputs,
  inboundCluster,
  loadAssignment,
  serviceCluster,
  usesDns,
} from './build-cluster.ts'
import type { ResolvedEndpoint } from './build-cluster.ts'
import { withFilters } from './build-filters.ts'
import { gatewayStreamListener, httpsRouteConfiguration } from './build-gateway-listener.ts'
import {
  apiListener,
  gatewayListener,
  inboundListener,
  outboundListener,
  serviceLoopbackListener,
} from './build-listener.ts'
import { anyHostRouteConfiguration, buildRoute, defaultRoute, gatewayRouteConfiguration } from './build-route.ts'
import { buildSecret } from './build-secret.ts'
import { callerFaults } from './caller-faults.ts'
import {
  EgressSecurity,
  gatewayDestinations,
  openEgress,
  routeDestinations,
  streamDestinations,
  withAnchors,
} from './egress-security.ts'
import type { CallerEgress } from './egress-security.ts'
import { gatewayVirtualHosts } from './gateway-virtual-hosts.ts'
import { HttpSettingsByTelemetry } from './http-settings.ts'
import { inboundSettings } from './inbound-settings.ts'
import { listenerSecurity, withChainMetadata, withSecurity } from './listener-security.ts'
import { requestKeys } from './request-keys.ts'
import type { RequestKeys } from './request-keys.ts'
import { ResourceCache } from './resource-cache.ts'
import type { ResourceEntries } from './resource-cache.ts'
import type { EncodedResource, ResourceView, XdsNode } from './resource-view.ts'
import { workloadPort, workloadTraffic } from './workload-traffic.ts'
import type { WorkloadTraffic } from './workload-traffic.ts'

/** By "namespace/name". `draining`: it goes on with what is bound to it, and is about to end. */
export type ServingWorkloads = ReadonlyMap<string, 'ready' | 'draining'>

/**
 * `previous`: the view before, whose bytes serve again wherever nothing has changed. `serving`: workloads ("namespace/name") that are known
 * to serve; the others get traffic of a service only while none of its workloads is ready.
 */
export function createResourceView(
  snapshot: MeshSnapshot,
  ports: PortAllocation,
  previous?: ResourceView,
  serving: ServingWorkloads = new Map(),
): ResourceView {
  const entries = previous instanceof MeshResourceView ? previous.entries : undefined
  return new MeshResourceView(snapshot, ports, serving, entries)
}

class MeshResourceView implements ResourceView {
  readonly #snapshot: MeshSnapshot
  readonly #ports: PortAllocation
  readonly #known: ServingWorkloads
  readonly #cache: ResourceCache
  readonly #egress: EgressSecurity
  readonly #keys: RequestKeys
  readonly #ofWorkloads: ReadonlyMap<string, WorkloadTraffic>
  readonly #http: HttpSettingsByTelemetry

  constructor(
    snapshot: MeshSnapshot,
    ports: PortAllocation,
    serving: ServingWorkloads,
    previous: ResourceEntries | undefined,
  ) {
    this.#snapshot = snapshot
    this.#ports = ports
    this.#known = serving
    this.#cache = new ResourceCache(previous)
    this.#egress = new EgressSecurity(snapshot)
    this.#keys = requestKeys(snapshot)
    this.#ofWorkloads = workloadTraffic(snapshot)
    this.#http = new HttpSettingsByTelemetry(snapshot.settings)
  }

  get revision(): string {
    return this.#snapshot.revision
  }

  get entries(): ResourceEntries {
    return this.#cache.entries
  }

  wildcardNames(typeUrl: TypeUrl, node: XdsNode): readonly string[] {
    if (typeUrl === typeUrls.listener) return this.#listenerNames(node)
    if (typeUrl === typeUrls.cluster) return this.#clusterNames(node)
    return [] // routes, endpoints and secrets have no wildcard
  }

  get(typeUrl: TypeUrl, name: string, node: XdsNode): EncodedResource | undefined {
    if (typeUrl === typeUrls.listener) return this.#listener(name, node)
    if (typeUrl === typeUrls.routeConfiguration) return this.#routeConfiguration(name, node)
    if (typeUrl === typeUrls.cluster) return this.#cluster(name, node)
    if (typeUrl === typeUrls.secret) return this.#secret(name, node)
    return this.#loadAssignment(name)
  }

  #listenerNames(node: XdsNode): string[] {
    const gateway = this.#gateway(node)
    if (gateway !== undefined) return [...new Set(gateway.listeners.map(({ port }) => nameOfGateway(gateway, port)))]
    const workload = this.#workload(node)
    if (workload === undefined) return []
    return [
      ...workload.ports.map(({ port }) => inboundName(port)),
      ...workload.uses.map(({ host, port }) => serviceListener(host, port)),
      forwardProxyListener,
    ]
  }

  #clusterNames(node: XdsNode): string[] {
    const workload = this.#workload(node)
    const inbound = workload?.ports.map(({ port }) => inboundName(port)) ?? []
    const services = [...this.#snapshot.services.values()]
    return [...inbound, ...services.flatMap(({ host, ports }) => ports.map(({ port }) => hostPort(host, port)))]
  }

  #listener(name: string, node: XdsNode): EncodedResource | undefined {
    if (node.kind === 'gateway') return this.#gatewayListener(name, node)
    if (node.kind === 'sidecar') return this.#sidecarListener(name, node)
    if (this.#servicePort(name) === undefined) return undefined
    return this.#cache.get({
      key: `api-listener ${name}`,
      name,
      schema: ListenerSchema,
      inputs: [],
      build: () => apiListener(name),
    })
  }

  #gatewayListener(name: string, node: XdsNode): EncodedResource | undefined {
    const gateway = this.#gateway(node)
    const first = gateway?.listeners.find((listener) => nameOfGateway(gateway, listener.port) === name)
    if (gateway === undefined || first === undefined) return undefined
    const { port, protocol } = first
    const recipe = { key: `listener ${name}`, name, schema: ListenerSchema }
    const { settings } = this.#snapshot
    const egressInputs = this.#egress.inputs(gatewayDestinations(gateway))
    const own = withFilters(this.#http.of('gateway', gateway), gateway.filters)
    const http = egressInputs.length === 0 ? own : withAnchors(own)
    return this.#cache.get({
      ...recipe,
      inputs: [gateway, port, settings, http.key, ...egressInputs],
      build: () => {
        const security = listenerSecurity(gateway.security, settings, port)
        const listener =
          protocol === 'HTTP'
            ? gatewayListener(name, { host: gateway.address, port }, withSecurity(http, security))
            : gatewayStreamListener(gateway, port, http, security, this.#egressOf(node))
        return withChainMetadata(listener, http, security)
      },
    })
  }

  #sidecarListener(name: string, node: XdsNode): EncodedResource | undefined {
    const workload = this.#workload(node)
    if (workload === undefined) return undefined
    const { settings } = this.#snapshot
    const { outboundTrafficPolicy, outboundTrafficPolicySource: source } = settings
    const http = this.#http.of('sidecar', workload)
    const recipe = { key: `listener ${keyOf(node)} ${name}`, name, schema: ListenerSchema }

    if (name === forwardProxyListener) {
      const address = this.#address(node, forwardProxyListener)
      const searchDomains = [`${workload.namespace}.svc.cluster.local`, 'svc.cluster.local', 'cluster.local']
      return this.#cache.get({
        ...recipe,
        inputs: [address.host, address.port, outboundTrafficPolicy, source, http.key],
        build: () => {
          const allowAny = outboundTrafficPolicy === 'allowAny'
          const options = { searchDomains, allowAny, ...(source && { source }) }
          return withChainMetadata(outboundListener(address, options, http), http)
        },
      })
    }
    const inbound = workload.ports.find(({ port }) => inboundName(port) === name)
    if (inbound !== undefined) {
      const address = this.#address(node, `inbound|${inbound.port}`)
      const mode = this.#modeOf(workload, inbound.port)
      return this.#cache.get({
        ...recipe,
        inputs: [address.host, address.port, mode, workload, settings, http.key],
        build: () => {
          const security = listenerSecurity(workload.security, settings, inbound.port)
          const { http: own, rateLimits } = inboundSettings(http, inbound)
          const routes = anyHostRouteConfiguration(name, [defaultRoute(name, workload.source)], { rateLimits })
          const { protocol } = inbound
          const listener = inboundListener(name, address, mode, protocol, routes, workload.source, own, security)
          return withChainMetadata(listener, http, security)
        },
      })
    }
    const used = workload.uses.find(({ host, port }) => serviceListener(host, port) === name)
    if (used === undefined) return undefined
    const service = hostPort(used.host, used.port)
    const address = this.#address(node, `service|${service}`)
    const found = this.#servicePort(service)
    if (found === undefined) return undefined
    const { protocol, streams, consumerStreams, consumerRoutes } = found.port
    const routed = consumerStreams.get(workload.namespace) ?? streams
    const routes = consumerRoutes.get(workload.namespace) ?? found.port.routes
    const destinations = [used, ...routeDestinations(routes), ...streamDestinations(routed)]
    const egressInputs = this.#egress.inputs(destinations)
    const guarded = egressInputs.length === 0 ? http : withAnchors(http)
    const egress = egressInputs.length === 0 ? openEgress : this.#egressOf(node)
    const inputs = [address.host, address.port, protocol, routed, found.service.source, guarded.key, egress.caller]
    return this.#cache.get({
      ...recipe,
      inputs: [...inputs, ...egressInputs],
      build: () => {
        const own = { name: 'default', source: found.service.source, hostnames: [], backends: [{ ...used, weight: 1 }] }
        const all = routed.length === 0 ? [own] : routed
        const listener = serviceLoopbackListener(name, address, service, protocol, all, guarded, egress)
        return withChainMetadata(listener, http)
      },
    })
  }

  #routeConfiguration(name: string, node: XdsNode): EncodedResource | undefined {
    const recipe = { name, schema: RouteConfigurationSchema }
    const found = this.#servicePort(name)
    if (found !== undefined) {
      const { service, port } = found
      const consumer = port.consumerRoutes.get(node.namespace)
      const routes = consumer ?? port.routes
      const own = { host: service.host, port: port.port }
      const destinations = routeDestinations(routes)
      const egressInputs = this.#egress.inputs([own, ...destinations])
      const egress = egressInputs.length === 0 ? openEgress : this.#egressOf(node)
      const { faultsTo, key } = callerFaults(this.#snapshot, node, routes.length === 0 ? [own] : destinations)
      return this.#cache.get({
        ...recipe,
        key: `routes ${consumer === undefined ? '' : node.namespace} ${name} ${egress.caller}${key}`,
        inputs: [routes, service.source, this.#keys.text, ...egressInputs, ...faultsTo.values()],
        build: () => {
          const policies = { egress, faultsTo, keys: this.#keys }
          const built =
            routes.length === 0
              ? [
                  defaultRoute(name, service.source, {
                    authorization: egress.filters(own),
                    faults: faultsTo.get(name),
                    hashPolicies: this.#keys.within(name),
                    subsetKeys: this.#keys.toSubset(name),
                    session: this.#keys.session(name),
                  }),
                ]
              : routes.map((route) => buildRoute(route, policies))
          const tunnel = mayCarryBytes(port.protocol) ? { typedPerFilterConfig: egress.tunnel(own) } : {}
          return anyHostRouteConfiguration(name, built, tunnel)
        },
      })
    }
    const gateway = this.#gateway(node)
    const port = gateway?.listeners.find(
      (listener) => listener.protocol === 'HTTP' && nameOfGateway(gateway, listener.port) === name,
    )?.port
    const https = gateway?.listeners.find(
      (listener) =>
        listener.protocol === 'HTTPS' &&
        gatewayListenerName(gateway.namespace, gateway.name, listener.port, listener.name) === name,
    )
    if (gateway === undefined || (port === undefined && https === undefined)) return undefined
    const places = gatewayDestinations(gateway)
    const { faultsTo } = callerFaults(this.#snapshot, node, places)
    const inputs = [gateway, this.#keys.text, ...this.#egress.inputs(places), ...faultsTo.values()]
    const destinations = { egress: this.#egressOf(node), faultsTo, keys: this.#keys }
    if (https !== undefined)
      return this.#cache.get({
        ...recipe,
        key: `routes ${name}`,
        inputs,
        build: () => httpsRouteConfiguration(gateway, https, destinations),
      })
    if (port === undefined) return undefined
    return this.#cache.get({
      ...recipe,
      key: `routes ${name}`,
      inputs,
      build: () => gatewayRouteConfiguration(name, gatewayVirtualHosts(gateway, port), destinations),
    })
  }

  #cluster(name: string, node: XdsNode): EncodedResource | undefined {
    const found = this.#servicePort(name)
    if (found === undefined) return this.#inboundCluster(name, node)
    const { service, port } = found
    // a data plane that is not Heddle's and has shown no certificate gets neither one nor the roots
    const plaintext = node.kind === 'other' && node.spiffeId === undefined
    const peers = plaintext ? [] : this.#peerSpiffeIds(port)
    const byDns = usesDns(port)
    const { h2UpgradePolicy } = this.#snapshot.settings
    return this.#cache.get({
      key: `cluster ${plaintext ? 'plaintext' : ''} ${name}`,
      name,
      schema: ClusterSchema,
      inputs: [
        service.namespace,
        service.name,
        port.protocol,
        port.originateTls,
        port.traffic,
        h2UpgradePolicy,
        peers.join(),
        byDns ? port.endpoints : undefined,
      ],
      build: () =>
        serviceCluster({
          name,
          service,
          peerSpiffeIds: peers,
          protocol: port.protocol,
          h2UpgradePolicy,
          ...(port.originateTls === undefined ? {} : { originateTls: port.originateTls }),
          ...(port.traffic === undefined ? {} : { traffic: port.traffic }),
          ...(byDns ? { dnsEndpoints: this.#endpoints(port) } : {}),
        }),
    })
  }

  #inboundCluster(name: string, node: XdsNode): EncodedResource | undefined {
    const workload = this.#workload(node)
    const found = workload?.ports.find((candidate) => inboundName(candidate.port) === name)
    if (workload === undefined || found === undefined) return undefined
    const { port, protocol } = found
    const traffic = this.#ofWorkloads.get(workloadPort(keyOf(node), port))
    return this.#cache.get({
      key: `cluster ${keyOf(node)} ${name}`,
      name,
      schema: ClusterSchema,
      inputs: [workload.address, protocol, traffic === undefined ? '' : JSON.stringify(traffic)],
      build: () => inboundCluster(name, { host: workload.address, port }, protocol, traffic),
    })
  }

  /** A private key goes to the gateways that show its certificate, and to nobody else. Roots are no secret. */
  #secret(name: string, node: XdsNode): EncodedResource | undefined {
    const secret = this.#snapshot.secrets.get(name)
    if (secret === undefined) return undefined
    const shown = this.#gateway(node)?.listeners.some(({ certificates }) => certificates.includes(name)) ?? false
    if (secret.kind === 'certificate' && !(shown && node.verified === true)) return undefined
    return this.#cache.get({
      key: `secret ${name}`,
      name,
      schema: SecretSchema,
      inputs: [secret.fingerprint],
      build: () => buildSecret(name, secret),
    })
  }

  #loadAssignment(name: string): EncodedResource | undefined {
    const port = this.#servicePort(name)?.port
    if (port === undefined || usesDns(port)) return undefined
    const endpoints = this.#endpoints(port)
    return this.#cache.get({
      key: `endpoints ${name}`,
      name,
      schema: ClusterLoadAssignmentSchema,
      inputs: [port.traffic?.localityWeights, ...endpointInputs(endpoints)],
      build: () => loadAssignment(name, endpoints, port.traffic),
    })
  }

  #endpoints(port: MeshServicePort): ResolvedEndpoint[] {
    return this.#serving(port.endpoints).flatMap((endpoint: MeshEndpoint): ResolvedEndpoint[] => {
      const { weight } = endpoint
      const draining = endpoint.draining === undefined ? {} : { draining: endpoint.draining }
      if (endpoint.kind === 'address') {
        const tls = port.peerSpiffeIds !== undefined
        return [{ host: endpoint.host, port: endpoint.port, weight, tls, ...draining }]
      }
      const workload = this.#snapshot.workloads.get(endpoint.workload)
      if (workload === undefined) return []
      const address = this.#ports.address(endpoint.workload, `inbound|${endpoint.port}`)
      const { namespace, name, locality } = workload
      const where = locality === undefined ? {} : { locality }
      const asked = port.traffic?.healthCheck === undefined ? {} : ({ asked: false } as const)
      const tls = this.#modeOf(workload, endpoint.port) !== 'DISABLE'
      return [
        {
          host: address.host,
          port: address.port,
          weight,
          tls,
          ...asked,
          ...draining,
          ...where,
          ...chosenLabels(workload.labels, port.traffic),
          workload: { namespace, name },
        },
      ]
    })
  }

  /** Without the workloads that do not serve; with all while none is ready: they are tried rather than given up. */
  #serving(endpoints: readonly MeshEndpoint[]): readonly MeshEndpoint[] {
    const known = (endpoint: MeshEndpoint): 'ready' | 'draining' | undefined =>
      endpoint.kind === 'address' ? 'ready' : this.#known.get(endpoint.workload)
    if (!endpoints.some((endpoint) => endpoint.kind === 'workload' && known(endpoint) === 'ready')) return endpoints
    return endpoints.flatMap((endpoint): MeshEndpoint[] => {
      const state = known(endpoint)
      if (state === undefined) return []
      return [state === 'draining' ? { ...endpoint, draining: true } : endpoint]
    })
  }

  #modeOf({ ports }: MeshWorkload, port: number): PeerAuthenticationMode {
    const own = ports.find((candidate) => candidate.port === port)?.peerAuthentication
    return own ?? this.#snapshot.settings.peerAuthentication
  }

  /** Who may answer for the port: the identities of all workloads behind it that take mutual TLS, or those that it names. Sorted. */
  #peerSpiffeIds(port: MeshServicePort): string[] {
    const { trustDomain } = this.#snapshot.settings
    const ids = new Set(port.peerSpiffeIds)
    for (const endpoint of port.endpoints) {
      const workload = endpoint.kind === 'workload' ? this.#snapshot.workloads.get(endpoint.workload) : undefined
      if (workload === undefined || this.#modeOf(workload, endpoint.port) === 'DISABLE') continue
      const { namespace, serviceAccount } = workload
      ids.add(formatSpiffeId({ trustDomain, namespace, serviceAccount }))
    }
    return [...ids].toSorted()
  }

  #servicePort(name: string): { readonly service: MeshService; readonly port: MeshServicePort } | undefined {
    const colon = name.lastIndexOf(':')
    const service = this.#snapshot.services.get(name.slice(0, colon))
    const port = service?.ports.find((candidate) => String(candidate.port) === name.slice(colon + 1))
    return service === undefined || port === undefined ? undefined : { service, port }
  }

  #workload(node: XdsNode): MeshWorkload | undefined {
    return node.kind === 'sidecar' ? this.#snapshot.workloads.get(keyOf(node)) : undefined
  }

  #gateway(node: XdsNode): MeshGateway | undefined {
    return node.kind === 'gateway' ? this.#snapshot.gateways.get(keyOf(node)) : undefined
  }

  /** A data plane that is not Heddle's, which calls for somebody unknown, is asked nothing. */
  #egressOf(node: XdsNode): CallerEgress {
    const workload = this.#workload(node)
    if (workload !== undefined) return this.#egress.of(workload.namespace, workload.serviceAccount)
    const gateway = this.#gateway(node)
    return gateway === undefined ? openEgress : this.#egress.of(gateway.namespace, gatewayServiceAccount(gateway.name))
  }

  #address(node: XdsNode, purpose: ListenerPurpose): SocketAddress {
    return this.#ports.address(keyOf(node), purpose)
  }
}

/** "namespace/name", as the snapshot has it. */
function keyOf({ namespace, name }: XdsNode): string {
  return `${namespace}/${name}`
}

function nameOfGateway(gateway: MeshGateway, port: number): string {
  return gatewayName(gateway.namespace, gateway.name, port)
}
