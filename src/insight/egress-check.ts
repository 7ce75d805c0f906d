// Whether a workload would be let out of the mesh, with a request or connection that has not happened: by the routes that its own proxy gets.
import type { AuthorizationRecord } from '../contracts/decision-record.ts'
import type { PeerFacts } from '../contracts/http-filter.ts'
import { forwardProxyListener, nodeId, typeUrls } from '../contracts/xds/names.ts'
import type { TypeUrl } from '../contracts/xds/names.ts'
import type { MeshSnapshot, MeshWorkload } from '../control/snapshot/mesh-snapshot.ts'
import { createResourceView } from '../control/translate/mesh-resource-view.ts'
import { createAuthorizer } from '../policies/authorization/authorization.runtime.ts'
import { pathRefusal } from '../policies/path-normalization/path-normalization.runtime.ts'
import { createMatchInput } from '../policies/route-match/route-match.runtime.ts'
import { type Authority, candidates } from '../proxy/filter/authority.ts'
import { compileRouteConfiguration } from '../proxy/route/compiled-route-configuration.ts'
import { decodeListenerResource } from '../proxy/runtime/decode-listener.ts'
import { decodeRouteConfigurationResource } from '../proxy/runtime/decode-route.ts'
import type { ListenerConfig } from '../proxy/runtime/runtime-config.ts'
import { type CheckedRequest, filteredRequest, managerOf, plainVerdict } from './authorization-check.ts'

export interface EgressVerdict extends AuthorizationRecord {
  /** "host:port" that it leads to. */
  readonly destination: string
}

/**
 * Each destination that the request may be sent to, in turn. `listener`: the outbound one. `body`: the RouteConfiguration of the service port,
 * serialised.
 */
export function checkEgress(listener: ListenerConfig, body: Uint8Array, request: CheckedRequest): EgressVerdict[] {
  const routes = decodeRouteConfigurationResource(body)
  const { host, method } = request
  const peer = peerOf(listener, request)
  const only = (verdict: AuthorizationRecord): EgressVerdict[] => [{ destination: routes.name, ...verdict }]
  if (method === undefined) {
    const rules = routes.virtualHosts[0]?.tunnelAuthorization
    return only(createAuthorizer(rules ?? []).authorizeConnection(peer))
  }
  const filtered = filteredRequest(listener, { ...request, method }, peer)
  if (filtered === undefined) return only(plainVerdict(false, pathRefusal))
  const route = compileRouteConfiguration(routes).findVirtualHost(host)?.findRoute(createMatchInput(filtered.head))
  if (route === undefined) return only(plainVerdict(false, 'no route of the service matches it'))
  if (route.action.kind !== 'forward') return only(plainVerdict(true, 'the proxy answers it itself'))
  const backends = route.action.action.backends.filter(({ cluster, weight }) => cluster !== '' && weight > 0)
  if (backends.length === 0) return only(plainVerdict(false, 'its route leads nowhere'))
  return backends.map(({ cluster, authorization }) => ({
    destination: cluster,
    ...createAuthorizer(authorization ?? []).authorize(filtered),
  }))
}

/** The service ("host:port") that the proxy takes an authority for. */
export function findService(
  listener: ListenerConfig,
  authority: Authority,
  services: readonly string[],
): string | undefined {
  const routes = managerOf(listener)?.routes
  const searchDomains = routes?.kind === 'forward-proxy' ? routes.searchDomains : []
  return candidates(authority, searchDomains).find((name) => services.includes(name))
}

/** Of a destination that the mesh does not know. */
export function checkUnregistered(listener: ListenerConfig): AuthorizationRecord {
  const routes = managerOf(listener)?.routes
  const allowed = routes?.kind === 'forward-proxy' && routes.allowAny
  const source = routes?.kind === 'forward-proxy' ? routes.source : undefined
  const policy = allowed ? 'allowAny' : 'registryOnly'
  const verdict = plainVerdict(allowed, `no service of the mesh, and outboundTrafficPolicy is ${policy}`)
  return { ...verdict, policy: source?.document, source }
}

function peerOf({ host, port }: ListenerConfig, { address }: CheckedRequest): PeerFacts {
  return {
    principal: undefined,
    address,
    port: 0,
    remoteAddress: address,
    localAddress: host,
    localPort: port,
    sni: undefined,
  }
}

/** What the sidecar of `workload` would have: its outbound listener, and the routes of a service port. */
export interface OutboundSide {
  readonly listener: ListenerConfig
  /** `name`: "host:port". */
  routes(name: string): Uint8Array
}

export function outboundSideOf(snapshot: MeshSnapshot, { namespace, name }: MeshWorkload): OutboundSide {
  const view = createResourceView(snapshot, { address: () => ({ host: '127.0.0.1', port: 15_001 }) })
  const node = { kind: 'sidecar', id: nodeId('sidecar', namespace, name), namespace, name } as const
  const resource = (typeUrl: TypeUrl, wanted: string): Uint8Array => {
    const found = view.get(typeUrl, wanted, node)
    if (found === undefined) throw new Error(`${namespace}/${name} gets no ${wanted}`)
    return found.body
  }
  return {
    listener: decodeListenerResource(resource(typeUrls.listener, forwardProxyListener)),
    routes: (wanted) => resource(typeUrls.routeConfiguration, wanted),
  }
}
