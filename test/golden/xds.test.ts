// Every mesh in xds/: its resources as JSON, and what a proxy makes of them. UPDATE_GOLDEN=1 writes both files anew.
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

import { fromBinary, toJson } from '@bufbuild/protobuf'
import type { JsonValue, Registry } from '@bufbuild/protobuf'
import { createRegistry } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'

import { ClusterSchema } from '../../src/contracts/xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClusterLoadAssignmentSchema } from '../../src/contracts/xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { ListenerSchema } from '../../src/contracts/xds/gen/envoy/config/listener/v3/listener_pb.ts'
import {
  FilterConfigSchema,
  RouteActionSchema,
} from '../../src/contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { RouteConfigurationSchema } from '../../src/contracts/xds/gen/envoy/config/route/v3/route_pb.ts'
import { OpenTelemetryConfigSchema } from '../../src/contracts/xds/gen/envoy/config/trace/v3/opentelemetry_pb.ts'
import { FileAccessLogSchema } from '../../src/contracts/xds/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts'
import { ExpressionFilterSchema } from '../../src/contracts/xds/gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.ts'
import { BrotliSchema } from '../../src/contracts/xds/gen/envoy/extensions/compression/brotli/compressor/v3/brotli_pb.ts'
import { GzipSchema } from '../../src/contracts/xds/gen/envoy/extensions/compression/gzip/compressor/v3/gzip_pb.ts'
import { ZstdSchema } from '../../src/contracts/xds/gen/envoy/extensions/compression/zstd/compressor/v3/zstd_pb.ts'
import { AdaptiveConcurrencySchema } from '../../src/contracts/xds/gen/envoy/extensions/filters/http/adaptive_concurrency/v3/adaptive_concurrency_pb.ts'
import { CompressorSchema } from '../../src/contracts/xds/gen/envoy/extensions/filters/http/compressor/v3/compressor_pb.ts'
import {
  CorsPolicySchema,
  CorsSchema,
} from '../../src/contracts/xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts'
import { HTTPFaultSchema } from '../../src/contracts/xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import { HeaderMutationSchema } from '../../src/contracts/xds/gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.ts'
import { ConfigSchema as HeaderToMetadataSchema } from '../../src/contracts/xds/gen/envoy/extensions/filters/http/header_to_metadata/v3/header_to_metadata_pb.ts'
import { LocalRateLimitSchema } from '../../src/contracts/xds/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.ts'
import { RateLimitSchema } from '../../src/contracts/xds/gen/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.ts'
import {
  RBACPerRouteSchema,
  RBACSchema,
} from '../../src/contracts/xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts'
import { RouterSchema } from '../../src/contracts/xds/gen/envoy/extensions/filters/http/router/v3/router_pb.ts'
import {
  StatefulSessionPerRouteSchema,
  StatefulSessionSchema,
} from '../../src/contracts/xds/gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb.ts'
import { HttpInspectorSchema } from '../../src/contracts/xds/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts'
import { TlsInspectorSchema } from '../../src/contracts/xds/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts'
import { HttpConnectionManagerSchema } from '../../src/contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { RBACSchema as NetworkRbacSchema } from '../../src/contracts/xds/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts'
import { TcpProxySchema } from '../../src/contracts/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import { CookieBasedSessionStateSchema } from '../../src/contracts/xds/gen/envoy/extensions/http/stateful_session/cookie/v3/cookie_pb.ts'
import { HeaderBasedSessionStateSchema } from '../../src/contracts/xds/gen/envoy/extensions/http/stateful_session/header/v3/header_pb.ts'
import { ClientSideWeightedRoundRobinSchema } from '../../src/contracts/xds/gen/envoy/extensions/load_balancing_policies/client_side_weighted_round_robin/v3/client_side_weighted_round_robin_pb.ts'
import { LeastRequestSchema } from '../../src/contracts/xds/gen/envoy/extensions/load_balancing_policies/least_request/v3/least_request_pb.ts'
import { MaglevSchema } from '../../src/contracts/xds/gen/envoy/extensions/load_balancing_policies/maglev/v3/maglev_pb.ts'
import { RandomSchema } from '../../src/contracts/xds/gen/envoy/extensions/load_balancing_policies/random/v3/random_pb.ts'
import { RoundRobinSchema } from '../../src/contracts/xds/gen/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin_pb.ts'
import { SubsetSchema } from '../../src/contracts/xds/gen/envoy/extensions/load_balancing_policies/subset/v3/subset_pb.ts'
import { DescriptorSchema } from '../../src/contracts/xds/gen/envoy/extensions/rate_limit_descriptors/expr/v3/expr_pb.ts'
import { SecretSchema } from '../../src/contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '../../src/contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { HttpProtocolOptionsSchema } from '../../src/contracts/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts'
import { CallerLimitsSchema } from '../../src/contracts/xds/gen/heddle/v1/caller_limits_pb.ts'
import { FileRotationSchema } from '../../src/contracts/xds/gen/heddle/v1/file_rotation_pb.ts'
import { ForwardProxySchema } from '../../src/contracts/xds/gen/heddle/v1/forward_proxy_pb.ts'
import { ForwardedHeaderSchema } from '../../src/contracts/xds/gen/heddle/v1/forwarded_header_pb.ts'
import { HedgingSchema } from '../../src/contracts/xds/gen/heddle/v1/hedging_pb.ts'
import { LocalityFailoverSchema, PeakEwmaSchema } from '../../src/contracts/xds/gen/heddle/v1/load_balancing_pb.ts'
import { MetricsExportSchema } from '../../src/contracts/xds/gen/heddle/v1/metrics_export_pb.ts'
import { LatencyMonitorSchema } from '../../src/contracts/xds/gen/heddle/v1/outlier_detection_pb.ts'
import { RedactionSchema } from '../../src/contracts/xds/gen/heddle/v1/redaction_pb.ts'
import { ResetFaultSchema } from '../../src/contracts/xds/gen/heddle/v1/reset_fault_pb.ts'
import { RetryConstraintSchema } from '../../src/contracts/xds/gen/heddle/v1/retry_constraint_pb.ts'
import { SamplingRulesSchema } from '../../src/contracts/xds/gen/heddle/v1/sampling_rules_pb.ts'
import { SessionTimeoutsSchema } from '../../src/contracts/xds/gen/heddle/v1/session_timeouts_pb.ts'
import { SourceInfoSchema } from '../../src/contracts/xds/gen/heddle/v1/source_info_pb.ts'
import { StickySplitSchema } from '../../src/contracts/xds/gen/heddle/v1/sticky_split_pb.ts'
import { TypescriptFilterSchema } from '../../src/contracts/xds/gen/heddle/v1/typescript_filter_pb.ts'
import { gatewayListenerName, gatewayName, hostPort, typeUrls } from '../../src/contracts/xds/names.ts'
import type { TypeUrl } from '../../src/contracts/xds/names.ts'
import type { MeshSnapshot } from '../../src/control/snapshot/mesh-snapshot.ts'
import { createResourceView } from '../../src/control/translate/mesh-resource-view.ts'
import type { ResourceView } from '../../src/control/translate/resource-view.ts'
import { silentLogger } from '../../src/core/logger.ts'
import type { RuntimeConfig } from '../../src/proxy/runtime/runtime-config.ts'
import { createRuntimeStore } from '../../src/proxy/runtime/runtime-store.ts'
import { ManualClock } from '../kit/manual-clock.ts'
import { sequentialPorts } from '../kit/mesh-builder.ts'
import { ViewFeed } from '../kit/view-feed.ts'
import type { GoldenCase } from './xds/golden-case.ts'

const folder = join(import.meta.dirname, 'xds')
const update = process.env['UPDATE_GOLDEN'] === '1'

const schemas = {
  [typeUrls.listener]: ListenerSchema,
  [typeUrls.routeConfiguration]: RouteConfigurationSchema,
  [typeUrls.cluster]: ClusterSchema,
  [typeUrls.clusterLoadAssignment]: ClusterLoadAssignmentSchema,
  [typeUrls.secret]: SecretSchema,
}
const registry: Registry = createRegistry(
  OpenTelemetryConfigSchema,
  RBACPerRouteSchema,
  RBACSchema,
  NetworkRbacSchema,
  ClientSideWeightedRoundRobinSchema,
  CookieBasedSessionStateSchema,
  HeaderBasedSessionStateSchema,
  SamplingRulesSchema,
  SessionTimeoutsSchema,
  StatefulSessionPerRouteSchema,
  StatefulSessionSchema,
  BrotliSchema,
  CompressorSchema,
  GzipSchema,
  ZstdSchema,
  CorsPolicySchema,
  CorsSchema,
  DescriptorSchema,
  DownstreamTlsContextSchema,
  ExpressionFilterSchema,
  FileAccessLogSchema,
  FileRotationSchema,
  RedactionSchema,
  FilterConfigSchema,
  ForwardProxySchema,
  ForwardedHeaderSchema,
  HTTPFaultSchema,
  HeaderToMetadataSchema,
  SubsetSchema,
  HeaderMutationSchema,
  CallerLimitsSchema,
  HttpConnectionManagerSchema,
  HttpInspectorSchema,
  HttpProtocolOptionsSchema,
  LeastRequestSchema,
  LocalityFailoverSchema,
  MaglevSchema,
  PeakEwmaSchema,
  RandomSchema,
  LocalRateLimitSchema,
  RateLimitSchema,
  ResetFaultSchema,
  RoundRobinSchema,
  RouterSchema,
  AdaptiveConcurrencySchema,
  HedgingSchema,
  MetricsExportSchema,
  StickySplitSchema,
  RouteActionSchema,
  LatencyMonitorSchema,
  RetryConstraintSchema,
  SourceInfoSchema,
  TypescriptFilterSchema,
  TcpProxySchema,
  TlsInspectorSchema,
  UpstreamTlsContextSchema,
)

describe('golden files of the xDS stage', () => {
  for (const file of globSync(join(folder, '*.mesh.ts')).toSorted()) {
    const name = basename(file, '.mesh.ts')
    it(name, async () => {
      const { golden } = (await import(file)) as { golden: GoldenCase }
      const snapshot = golden.mesh.build()
      const view = createResourceView(snapshot, sequentialPorts())
      const resources = dump(snapshot, view, golden)
      compare(join(folder, `${name}.resources.json`), resources)
      if (golden.node.kind !== 'other') compare(join(folder, `${name}.runtime.json`), run(resources, view, golden))
    })
  }
})

/** All resources of the node, by type and name. */
function dump(
  snapshot: MeshSnapshot,
  view: ResourceView,
  { node }: GoldenCase,
): Record<TypeUrl, Record<string, JsonValue>> {
  const services = [...snapshot.services.values()].flatMap(({ host, ports }) =>
    ports.map(({ port }) => hostPort(host, port)),
  )
  const gateways = [...snapshot.gateways.values()].flatMap(({ namespace, name, listeners }) =>
    listeners.flatMap((listener) => [
      gatewayName(namespace, name, listener.port),
      gatewayListenerName(namespace, name, listener.port, listener.name),
    ]),
  )
  const dumped = {} as Record<TypeUrl, Record<string, JsonValue>>
  for (const [typeUrl, schema] of Object.entries(schemas) as [TypeUrl, typeof ListenerSchema][]) {
    const names = new Set([...services, ...gateways, ...snapshot.secrets.keys(), ...view.wildcardNames(typeUrl, node)])
    dumped[typeUrl] = {}
    for (const name of names) {
      const resource = view.get(typeUrl, name, node)
      if (resource !== undefined)
        dumped[typeUrl][name] = toJson(schema, fromBinary(schema, resource.body), { registry })
    }
  }
  return dumped
}

/** What a proxy of the node runs once it has asked for every route configuration there is. */
function run(resources: Record<TypeUrl, Record<string, JsonValue>>, view: ResourceView, { node }: GoldenCase): object {
  const clock = new ManualClock()
  const store = createRuntimeStore({ clock, logger: silentLogger })
  const feed = new ViewFeed(store, node, view)
  for (const name of Object.keys(resources[typeUrls.routeConfiguration])) void store.demand([name])
  feed.push()
  clock.advance(100)
  expect(feed.rejected).toEqual([])
  expect(store.settled.value).toBe(true)
  return plain(store.runtime.value)
}

function plain({ revision, listeners, routeConfigurations, clusters, secrets }: RuntimeConfig): object {
  return {
    revision,
    listeners: Object.fromEntries(listeners),
    routeConfigurations: Object.fromEntries(routeConfigurations),
    clusters: Object.fromEntries(clusters),
    secrets: Object.fromEntries(secrets),
  }
}

function compare(file: string, actual: object): void {
  const text = `${JSON.stringify(actual, undefined, 2)}\n`
  if (update) writeFileSync(file, text)
  if (!existsSync(file)) throw new Error(`${file} is missing: run with UPDATE_GOLDEN=1 and read what it wrote`)
  expect(JSON.parse(text)).toEqual(JSON.parse(readFileSync(file, 'utf8')))
}
