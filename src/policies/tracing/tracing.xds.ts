// Tracing ↔ `tracing` of an Envoy HttpConnectionManager with Envoy's OpenTelemetry tracer.
import type { MessageInitShape } from '@bufbuild/protobuf'

import { isSecretHeader } from '../../contracts/secret-names.ts'
import { OpenTelemetryConfigSchema } from '../../contracts/xds/gen/envoy/config/trace/v3/opentelemetry_pb.ts'
import type { OpenTelemetryConfig } from '../../contracts/xds/gen/envoy/config/trace/v3/opentelemetry_pb.ts'
import type {
  HttpConnectionManager_Tracing as Tracing,
  HttpConnectionManager_TracingSchema as TracingSchema,
} from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { CustomTag, CustomTagSchema } from '../../contracts/xds/gen/envoy/type/tracing/v3/custom_tag_pb.ts'
import { decodeDuration, encodeDuration } from '../scalars.xds.ts'
import { isTypedConfig, readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import { decodeSamplingRules, encodeSamplingRules } from './sampling-rules.xds.ts'
import type { SpanAttributeSpec, TraceCollectorSpec, TracingSpec } from './tracing.spec.ts'

const defaultTimeoutMs = 5_000

export function encodeTracing(spec: TracingSpec): MessageInitShape<typeof TracingSchema> {
  const { collector, randomSamplingPercent, samplingRules, attributes = [] } = spec
  const { cluster, path, timeoutMs } = collector
  const timeout = encodeDuration(timeoutMs)
  const service: MessageInitShape<typeof OpenTelemetryConfigSchema> =
    path === undefined
      ? { grpcService: { targetSpecifier: { case: 'envoyGrpc', value: { clusterName: cluster } }, timeout } }
      : {
          httpService: {
            httpUri: {
              uri: `http://${cluster}${path}`,
              httpUpstreamType: { case: 'cluster', value: cluster },
              timeout,
            },
          },
        }
  const config = { ...service, ...(samplingRules && { sampler: encodeSamplingRules(samplingRules) }) }
  return {
    randomSampling: { value: randomSamplingPercent },
    customTags: attributes.map(encodeAttribute),
    // a span for each attempt
    spawnUpstreamSpan: true,
    provider: {
      name: 'envoy.tracers.opentelemetry',
      configType: { case: 'typedConfig', value: typedConfig(OpenTelemetryConfigSchema, config) },
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
  const config = readTypedConfig(any, OpenTelemetryConfigSchema, 'tracing')
  const samplingRules = decodeSamplingRules(config.sampler)
  const attributes = message.customTags.flatMap((tag) => decodeAttribute(tag) ?? [])
  return {
    collector: decodeCollector(config),
    randomSamplingPercent: Math.min(100, Math.max(0, randomSampling?.value ?? 100)),
    ...(samplingRules !== undefined && { samplingRules }),
    ...(attributes.length > 0 && { attributes }),
  }
}

function encodeAttribute(attribute: SpanAttributeSpec): MessageInitShape<typeof CustomTagSchema> {
  const { name: tag } = attribute
  return attribute.kind === 'literal'
    ? { tag, type: { case: 'literal', value: { value: attribute.value } } }
    : { tag, type: { case: 'requestHeader', value: { name: attribute.header } } }
}

/** Undefined: it is of another kind, or a header with credentials, and left aside. */
function decodeAttribute({ tag: name, type }: CustomTag): SpanAttributeSpec | undefined {
  if (type.case === 'literal') return { name, kind: 'literal', value: type.value.value }
  if (type.case !== 'requestHeader' || isSecretHeader(type.value.name)) return undefined
  return { name, kind: 'header', header: type.value.name.toLowerCase() }
}

function decodeCollector({ grpcService, httpService }: OpenTelemetryConfig): TraceCollectorSpec {
  if (httpService?.httpUri !== undefined) {
    const { uri, httpUpstreamType, timeout } = httpService.httpUri
    if (httpUpstreamType.value === undefined) throw new Error('tracing: http_uri needs a cluster')
    return { cluster: httpUpstreamType.value, path: pathOf(uri), timeoutMs: timeoutOf(timeout) }
  }
  if (grpcService?.targetSpecifier.case !== 'envoyGrpc')
    throw new Error('tracing: the collector has to be an envoy_grpc service or an http_service')
  return { cluster: grpcService.targetSpecifier.value.clusterName, timeoutMs: timeoutOf(grpcService.timeout) }
}

function timeoutOf(timeout: Parameters<typeof decodeDuration>[0] | undefined): number {
  return timeout === undefined ? defaultTimeoutMs : decodeDuration(timeout, 'tracing: timeout')
}

function pathOf(uri: string): string {
  const path = uri.replace(/^[a-z]+:\/\/[^/]*/, '')
  return path.startsWith('/') ? path : `/${path}`
}
