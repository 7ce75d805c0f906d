// The export of metrics ↔ heddle.v1.MetricsExport in the metadata of listeners, which other data planes pass over.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { Metadata, MetadataSchema } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import { MetricsExportSchema } from '../../contracts/xds/gen/heddle/v1/metrics_export_pb.ts'
import { decodeCollector, encodeCollector } from '../collector.xds.ts'
import { decodeDuration, encodeDuration } from '../scalars.xds.ts'
import { readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { MetricsExportSpec } from './metrics-export.spec.ts'

const key = 'heddle.metrics_export'

export function encodeMetricsExport(spec: MetricsExportSpec): MessageInitShape<typeof MetadataSchema> {
  const { collector, intervalMs, names, histograms } = spec
  const config = typedConfig(MetricsExportSchema, {
    ...(collector && encodeCollector(collector)),
    interval: encodeDuration(intervalMs),
    istioNames: names === 'istio',
    exponentialHistograms: histograms === 'exponential',
  })
  return { typedFilterMetadata: { [key]: config } }
}

/** Undefined: nobody is told. Throws an Error that says what cannot be served. */
export function decodeMetricsExport(metadata: Metadata | undefined): MetricsExportSpec | undefined {
  const typed = metadata?.typedFilterMetadata[key]
  if (typed === undefined) return undefined
  const config = readTypedConfig(typed, MetricsExportSchema, key)
  const intervalMs = config.interval === undefined ? 0 : decodeDuration(config.interval, `${key}: interval`)
  if (intervalMs === 0) throw new Error(`${key}: interval is 0`)
  const isTold = (config.grpcService ?? config.httpService) !== undefined
  return {
    ...(isTold && { collector: decodeCollector(config, key) }),
    intervalMs,
    names: config.istioNames ? 'istio' : 'openTelemetry',
    histograms: config.exponentialHistograms ? 'exponential' : 'explicit',
  }
}
