// Tracing ↔ `tracing` of an Envoy HttpConnectionManager with Envoy's OpenTelemetry tracer.
import type { MessageInitShape } from '@bufbuild/protobuf'

import { isSecretName } from '../../contracts/secret-names.ts'
import { OpenTelemetryConfigSchema } from '../../contracts/xds/gen/envoy/config/trace/v3/opentelemetry_pb.ts'
import type {
  HttpConnectionManager_Tracing as Tracing,
  HttpConnectionManager_TracingSchema as TracingSchema,
} from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { CustomTag, CustomTagSchema } from '../../contracts/xds/gen/envoy/type/tracing/v3/custom_tag_pb.ts'
import { decodeCollector, encodeCollector } from '../collector.xds.ts'
import { isTypedConfig, readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import { decodeSampler, encodeSampler } from './sampling-rules.xds.ts'
import type { SpanAttributeSpec, TracingSpec } from './tracing.spec.ts'

export function encodeTracing(spec: TracingSpec): MessageInitShape<typeof TracingSchema> {
  const { collector, randomSamplingPercent, attributes = [] } = spec
  const service = encodeCollector(collector)
  const sampler = encodeSampler(spec)
  const config = sampler === undefined ? service : { ...service, sampler }
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
  const attributes = message.customTags.flatMap((tag) => decodeAttribute(tag) ?? [])
  return {
    collector: decodeCollector(config, 'tracing'),
    randomSamplingPercent: Math.min(100, Math.max(0, randomSampling?.value ?? 100)),
    ...decodeSampler(config.sampler),
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
  if (type.case !== 'requestHeader' || isSecretName(type.value.name)) return undefined
  return { name, kind: 'header', header: type.value.name.toLowerCase() }
}
