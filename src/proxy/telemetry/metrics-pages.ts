// Where the metrics of a sidecar are read, under whose names and in which of the formats that a scraper takes.
import { create } from '@bufbuild/protobuf'
import { sizeDelimitedEncode } from '@bufbuild/protobuf/wire'

import { MetricFamilySchema } from '../../contracts/xds/gen/io/prometheus/client/metrics_pb.ts'
import type { MetricRegistry } from '../../core/metrics/metric-registry.ts'
import { metricsContentType, renderPrometheus, wantedFormat } from '../../core/metrics/prometheus.ts'
import { renderIstioMetrics } from './istio-metrics.ts'
import { nativeMessage, typeOf } from './prometheus-message.ts'

export interface MetricsPage {
  readonly type: string
  readonly body: string | Uint8Array
}

/** By path; `accept`: of the scrape. */
export type MetricsPages = Readonly<Record<string, (accept: string | undefined) => MetricsPage>>

/** The second is where Istio's sidecars are scraped. */
export const metricsPaths = { own: '/metrics', istio: '/stats/prometheus' } as const

const protobufType = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited'

/** `startedAtMs`: when the registry began to count, milliseconds since the Unix epoch. */
export function metricsPages(registry: MetricRegistry, startedAtMs: number): MetricsPages {
  return {
    [metricsPaths.own](accept) {
      if (accept?.includes('proto=io.prometheus.client.MetricFamily') === true)
        return { type: protobufType, body: renderProtobuf(registry, startedAtMs) }
      const format = wantedFormat(accept)
      return { type: metricsContentType[format], body: renderPrometheus(registry, format) }
    },
    [metricsPaths.istio](accept) {
      const format = wantedFormat(accept)
      return { type: metricsContentType[format], body: renderIstioMetrics(registry, format) }
    },
  }
}

function renderProtobuf(registry: MetricRegistry, startedAtMs: number): Buffer {
  const families = registry.tables.flatMap((table) =>
    table.rows.length === 0
      ? []
      : table.columns.map((column) => {
          const { name, help } = column.definition
          const metric = table.rows.map((_, row) => nativeMessage(table, column, row, startedAtMs))
          return create(MetricFamilySchema, { name, help, type: typeOf(column), metric })
        }),
  )
  return Buffer.concat(families.map((family) => sizeDelimitedEncode(MetricFamilySchema, family)))
}
