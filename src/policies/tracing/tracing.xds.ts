// Tracing ↔ `tracing` of an Envoy HttpConnectionManager with Envoy's OpenTelemetry tracer.
import type { MessageInitShape } from '@bufbuild/protobuf'

import { OpenTelemetryConfigSchema } from '../../contracts/xds/gen/envoy/config/trace/v3/opentelemetry_pb.ts'
import type { OpenTelemetryConfig } from '../../contracts/xds/gen/envoy/config/trace/v3/opentelemetry_pb.ts'
import type {
  HttpConnectionManager_Tracing as Tracing,
  HttpConnectionManager_TracingSchema as TracingSchema,
} from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { decodeDuration, encodeDuration } from '../scalars.xds.ts'
import { isTypedConfig, readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { TraceCollectorSpec, TracingSpec } from './tracing.spec.ts'

const defaultTimeoutMs = 5_000

export function encodeTracing({
  collector,
  randomSamplingPercent,
}: TracingSpec): MessageInitShape<typeof TracingSchema> {
  return {
    randomSampling: { value: randomSamplingPercent },
    // a span for each attempt
    spawnUpstreamSpan: true,
    provider: {
      name: 'envoy.tracers.opentelemetry',
      configType: { case: 'typedConfig', value: typedConfig(OpenTelemetryConfigSchema, encodeCollector(collector)) },
    },
  }
}

/** Undefined: nobody is told. Throws an Error that says what cannot be served. */
export function decodeTracing(message: Tracing | undefined): TracingSpec | undefined {
  if (message?.provider === undefined) return undefined
  const { provider, randomSampling } = message
  const any = provider.configType.case === 'typedConfig' ? provider.configType.value : undefined
  if (any === undefined || !isTypedConfig(any, OpenTelemetryConfigSchema))
    throw new Error(`tracing: provider "${provider.name}" is not supported, envoy.tracers.opentelemetry is`)
  const collector = decodeCollector(readTypedConfig(any, OpenTelemetryConfigSchema, 'tracing'), 'tracing')
  return { collector, randomSamplingPercent: Math.min(100, Math.max(0, randomSampling?.value ?? 100)) }
}

type CollectorServices = 'grpcService' | 'httpService'

export function encodeCollector({
  cluster,
  path,
  timeoutMs,
}: TraceCollectorSpec): Pick<MessageInitShape<typeof OpenTelemetryConfigSchema>, CollectorServices> {
  const timeout = encodeDuration(timeoutMs)
  if (path === undefined)
    return { grpcService: { targetSpecifier: { case: 'envoyGrpc', value: { clusterName: cluster } }, timeout } }
  const httpUpstreamType = { case: 'cluster', value: cluster } as const
  return { httpService: { httpUri: { uri: `http://${cluster}${path}`, httpUpstreamType, timeout } } }
}

/** Throws an Error that names `place` when there is none that can be sent to. */
export function decodeCollector(
  { grpcService, httpService }: Pick<OpenTelemetryConfig, CollectorServices>,
  place: string,
): TraceCollectorSpec {
  if (httpService?.httpUri !== undefined) {
    const { uri, httpUpstreamType, timeout } = httpService.httpUri
    if (httpUpstreamType.value === undefined) throw new Error(`${place}: http_uri needs a cluster`)
    return { cluster: httpUpstreamType.value, path: pathOf(uri), timeoutMs: timeoutOf(timeout, place) }
  }
  if (grpcService?.targetSpecifier.case !== 'envoyGrpc')
    throw new Error(`${place}: the collector has to be an envoy_grpc service or an http_service`)
  return { cluster: grpcService.targetSpecifier.value.clusterName, timeoutMs: timeoutOf(grpcService.timeout, place) }
}

function timeoutOf(timeout: Parameters<typeof decodeDuration>[0] | undefined, place: string): number {
  return timeout === undefined ? defaultTimeoutMs : decodeDuration(timeout, `${place}: timeout`)
}

function pathOf(uri: string): string {
  const path = uri.replace(/^[a-z]+:\/\/[^/]*/, '')
  return path.startsWith('/') ? path : `/${path}`
}
