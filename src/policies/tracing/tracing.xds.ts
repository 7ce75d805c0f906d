// Tracing ↔ `tracing` of an Envoy HttpConnectionManager with Envoy's OpenTelemetry tracer.
import type { MessageInitShape } from '@bufbuild/protobuf'

import { OpenTelemetryConfigSchema } from '../../contracts/xds/gen/envoy/config/trace/v3/opentelemetry_pb.ts'
import type {
  HttpConnectionManager_Tracing as Tracing,
  HttpConnectionManager_TracingSchema as TracingSchema,
} from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { decodeCollector, encodeCollector } from '../collector.xds.ts'
import { isTypedConfig, readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { TracingSpec } from './tracing.spec.ts'

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
