// Type URLs and resource names of xDS v3, as both planes spell them.

export const typeUrls = {
  listener: 'type.googleapis.com/envoy.config.listener.v3.Listener',
  routeConfiguration: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
  cluster: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  clusterLoadAssignment: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  secret: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
} as const

export type TypeUrl = (typeof typeUrls)[keyof typeof typeUrls]

/** "reviews.default.svc.cluster.local". */
export function serviceHost(name: string, namespace: string): string {
  return `${name}.${namespace}.svc.cluster.local`
}

/** Name of the route configuration, of the cluster and of the load assignment that stand for one port of one host. */
export function hostPort(host: string, port: number): string {
  return `${host}:${port}`
}

/** LDS name of a sidecar's forward-proxy listener. */
export const forwardProxyListener = 'outbound'
/** LDS name of the loopback listener that stands for dialling one Service port from a workload. */
export function serviceListener(host: string, port: number): string {
  return serviceListenerOf(hostPort(host, port))
}
export function serviceListenerOf(hostAndPort: string): string {
  return `service|${hostAndPort}`
}
/** LDS, RDS and CDS name for one application port behind a sidecar. */
export function inboundName(port: number): string {
  return `inbound|${port}`
}
/** LDS name for one port of a Gateway, and RDS name for what is served there without TLS. */
export function gatewayName(namespace: string, gateway: string, port: number): string {
  return `gateway|${namespace}/${gateway}|${port}`
}

/** RDS name for one HTTPS listener of a Gateway, which may share its port with others. */
export function gatewayListenerName(namespace: string, gateway: string, port: number, listener: string): string {
  return `${gatewayName(namespace, gateway, port)}|${listener}`
}

/** SDS name of the certificate in a Secret. */
export function certificateName(namespace: string, name: string): string {
  return `certificate|${namespace}/${name}`
}
/** SDS name of the roots in a ConfigMap or Secret, or of those of a policy that names several. */
export function rootsName(kind: 'configmap' | 'secret' | 'policy', namespace: string, name: string): string {
  return `roots|${kind}|${namespace}/${name}`
}

const routeFilter = 'heddle.filter.'
/** Key, in a route's typed_per_filter_config, of the filter that requests pass at that place among those of the route. Keys sort as text. */
export function routeFilterKey(index: number): string {
  return `${routeFilter}${String(index).padStart(2, '0')}`
}
export function isRouteFilterKey(key: string): boolean {
  return key.startsWith(routeFilter)
}

/** Cluster name for a share of connections that nobody is to get: no cluster has it. */
export const noCluster = 'none'

/** ALPN between sidecars for bytes that are not HTTP. */
export const opaqueAlpn = 'heddle-tcp'

/** Names of the secrets that the proxy itself provides: its own SVID and the trust bundle. */
export const ownCertificateSecret = 'default'
export const trustBundleSecret = 'ROOTCA'

/** Key of Heddle's own metadata on routes (heddle.v1.SourceInfo, typed) and on endpoints (Struct: namespace, workload, service). */
export const metadataKey = 'heddle.dev'

/** Node metadata keys that a Heddle proxy sends in its first discovery request; `instance`, of its process, with its metrics. */
export const nodeMetadata = { namespace: 'NAMESPACE', name: 'NAME', kind: 'KIND', instance: 'INSTANCE' } as const
/** Node id: "<kind>~<namespace>~<name>", kind being "sidecar" or "gateway". */
export type NodeKind = 'sidecar' | 'gateway'
export function nodeId(kind: NodeKind, namespace: string, name: string): string {
  return `${kind}~${namespace}~${name}`
}
