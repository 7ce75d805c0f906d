// Tells the control plane what this proxy has counted: once a second the totals of the series that changed, by Envoy's MetricsService.
import { create } from '@bufbuild/protobuf'
import type { JsonObject } from '@bufbuild/protobuf'
import type { Client } from '@grpc/grpc-js'

import { proxyMetrics, streamedMetrics } from '../../contracts/telemetry/metrics.ts'
import {
  MetricsService,
  StreamMetricsMessageSchema,
} from '../../contracts/xds/gen/envoy/service/metrics/v3/metrics_service_pb.ts'
import { grpcMethod } from '../../contracts/xds/grpc-method.ts'
import type { Clock } from '../../core/clock.ts'
import type { MetricRegistry } from '../../core/metrics/metric-registry.ts'
import { ChangedSeries } from './changed-series.ts'
import { type ReportStream, streamReports } from './report-stream.ts'

export interface MetricsStreamOptions {
  readonly node: { readonly id: string; readonly metadata: JsonObject }
  readonly registry: MetricRegistry
  /** When the registry began to count, milliseconds since the Unix epoch. */
  readonly startedAtMs: number
  readonly counter: ReportCounter
  readonly clock: Clock
}

export interface ReportCounter {
  /** A report has left; or it could not, as the control plane is away or slow. */
  reported(result: 'sent' | 'skipped'): void
}

const names = new Set(streamedMetrics.map((metric) => proxyMetrics[metric].name))

/** Totals, so that a report that is lost is made up for by the next; nothing is kept for a control plane that is away. */
export function streamMetrics(client: Client, options: MetricsStreamOptions): ReportStream {
  const { node, registry, startedAtMs, counter, clock } = options
  let changed: ChangedSeries
  return streamReports(
    client,
    {
      method: grpcMethod(MetricsService.method.streamMetrics),
      begin() {
        changed = new ChangedSeries(registry, names, startedAtMs)
        return create(StreamMetricsMessageSchema, { identifier: { node } })
      },
      take() {
        const envoyMetrics = changed.take()
        if (envoyMetrics.length === 0) return undefined
        counter.reported('sent')
        return create(StreamMetricsMessageSchema, { envoyMetrics })
      },
      skipped: () => counter.reported('skipped'),
    },
    clock,
  )
}
