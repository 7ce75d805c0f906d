// What conditions on decision records may ask about: all that a record says. For the access log, and for those who watch requests.
import type { CelAttributes } from '../core/cel/type-check.ts'

/** By dotted name. What is not known of a request is not there. */
export const recordFields: CelAttributes = {
  id: 'string',
  startMs: 'double',
  durationMs: 'double',
  reporter: 'string',
  proxy: 'string',
  revision: 'string',
  mtls: 'bool',
  listener: 'string',
  'request.method': 'string',
  'request.authority': 'string',
  'request.path': 'string',
  'request.protocol': 'string',
  'request.headers': 'strings',
  'request.bytes': 'double',
  'source.workload': 'string',
  'source.principal': 'string',
  'source.address': 'string',
  'destination.workload': 'string',
  'destination.principal': 'string',
  'destination.service': 'string',
  'destination.address': 'string',
  'authorization.allowed': 'bool',
  'authorization.policy': 'string',
  'authorization.source': 'map',
  'authorization.reason': 'string',
  'authorization.audited': 'list',
  'authorization.shadow': 'map',
  'trace.traceId': 'string',
  'trace.spanId': 'string',
  'trace.parentSpanId': 'string',
  'rateLimit.limit': 'string',
  'rateLimit.enforced': 'bool',
  filters: 'list',
  metadata: 'map',
  routeConfiguration: 'string',
  virtualHost: 'string',
  route: 'string',
  'routeSource.document': 'string',
  'routeSource.rule': 'string',
  'routeSource.file': 'string',
  'routeSource.line': 'double',
  'routeSource.column': 'double',
  'split.drawn': 'double',
  'split.total': 'double',
  'split.cluster': 'string',
  cluster: 'string',
  attempts: 'list',
  'response.status': 'double',
  'response.grpcStatus': 'double',
  'response.flags': 'list',
  'response.bytes': 'double',
  'response.detail': 'string',
}

/** What Envoy calls a field where it means the same by another name. */
export const envoyAttributes: ReadonlyMap<string, string> = new Map([
  ['mtls', 'connection.mtls'],
  ['request.authority', 'request.host'],
  ['request.bytes', 'request.size'],
  ['destination.address', 'upstream.address'],
  ['destination.principal', 'upstream.uri_san_peer_certificate'],
  ['virtualHost', 'xds.virtual_host_name'],
  ['route', 'xds.route_name'],
  ['cluster', 'xds.cluster_name'],
  ['response.status', 'response.code'],
  ['response.grpcStatus', 'response.grpc_status'],
  ['response.bytes', 'response.size'],
  ['response.detail', 'response.code_details'],
])

/** Those that are known when a request begins. */
export const requestFields: CelAttributes = only(
  'reporter',
  'proxy',
  'mtls',
  'listener',
  'request.method',
  'request.authority',
  'request.path',
  'request.protocol',
  'request.headers',
  'source.workload',
  'source.principal',
  'source.address',
)

function only(...names: readonly string[]): CelAttributes {
  return Object.fromEntries(Object.entries(recordFields).filter(([name]) => names.includes(name)))
}

/** With the bodies that a tap may ask for. */
export const tappedFields: CelAttributes = {
  ...recordFields,
  'bodies.request.bytes': 'double',
  'bodies.request.text': 'string',
  'bodies.response.bytes': 'double',
  'bodies.response.text': 'string',
}
