// A registry's tables → metrics of OTLP under Heddle's own names: "heddle_upstream_retries_total" is `heddle.upstream_retries`, so that a collector that
// hands them on to Prometheus calls them as /metrics does. Labels keep their names.
import { unknownLabel } from '../../contracts/telemetry/metrics.ts'
import type { Clock } from '../../core/clock.ts'
import { exponentialScale, zeroThresholdSeconds } from '../../core/metrics/exponential-buckets.ts'
import { type MetricDefinition, overflowLabel } from '../../core/metrics/metric-definition.ts'
import type { MetricRegistry } from '../../core/metrics/metric-registry.ts'
import { type Exemplar, Histogram, type MetricColumn, type SeriesTable } from '../../core/metrics/series-table.ts'
import type { ExportedExemplar, ExportedMetric, ExportedPoint } from './metrics-export.spec.ts'

export type Attributes = ExportedPoint['attributes']

/** Those that `except` has not are somebody else's to name. Metrics without series are left out. */
export function* ownMetrics(
  registry: MetricRegistry,
  clock: Clock,
  except: (definition: MetricDefinition) => boolean = () => false,
): Generator<ExportedMetric> {
  for (const table of registry.tables) {
    if (table.rows.length === 0) continue
    for (const column of table.columns) {
      if (except(column.definition)) continue
      yield { ...named(column), kind: kindOf(column), points: pointsOf(table, valueOf(column, clock), attributesOf) }
    }
  }
}

function named({ definition }: MetricColumn): Pick<ExportedMetric, 'name' | 'description' | 'unit'> {
  const [, name = '', unit = ''] = /^heddle_(.*?)(?:_(seconds|bytes))?(?:_total)?$/.exec(definition.name) ?? []
  return { name: `heddle.${name}`, description: definition.help, unit: units[unit] ?? '' }
}

const units: Readonly<Record<string, string>> = { seconds: 's', bytes: 'By' }

export function kindOf(column: MetricColumn): ExportedMetric['kind'] {
  if (column instanceof Histogram) return column.exponentialSinceMs === undefined ? 'histogram' : 'exponential'
  return column.definition.kind === 'gauge' ? 'gauge' : 'sum'
}

/** What is not known is left out. */
function attributesOf(names: readonly string[], values: readonly string[]): Attributes {
  return Object.fromEntries(
    names.map((name, index) => [name, values[index] === unknownLabel ? undefined : values[index]]),
  )
}

/** As OpenTelemetry says it of what comes after the greatest number of series. */
const overflow: Attributes = { 'otel.metric.overflow': true }

function isOverflow(values: readonly string[]): boolean {
  return values.length > 0 && values.every((value) => value === overflowLabel)
}

/** `wants`: only these rows. */
export function* pointsOf(
  table: SeriesTable,
  value: (row: number) => ExportedPoint['value'],
  attributes: (names: readonly string[], values: readonly string[]) => Attributes,
  wants: (values: readonly string[]) => boolean = () => true,
): Generator<ExportedPoint> {
  for (const [row, values] of table.rows.entries()) {
    if (!wants(values)) continue
    yield {
      attributes: isOverflow(values) ? overflow : attributes(table.labels, values),
      value: value(row),
    }
  }
}

export function valueOf(column: MetricColumn, clock: Clock): (row: number) => ExportedPoint['value'] {
  if (column instanceof Histogram) return (row) => histogramValue(column, row, clock)
  return (row) => column.value(row)
}

function histogramValue(histogram: Histogram, row: number, clock: Clock): ExportedPoint['value'] {
  const exemplars = histogram.exemplars(row).map((exemplar) => toExported(exemplar, clock))
  const { exponentialSinceMs: sinceMs } = histogram
  const exponential = histogram.exponential(row)
  if (exponential === undefined || sinceMs === undefined) {
    return {
      kind: 'explicit',
      bounds: histogram.bounds,
      counts: histogram.counts(row),
      sum: histogram.sum(row),
      exemplars,
    }
  }
  const { offset, counts, zeroCount, sum } = exponential
  const scale = exponentialScale
  const zeroThreshold = zeroThresholdSeconds
  return { kind: 'exponential', scale, offset, counts, zeroCount, zeroThreshold, sum, sinceMs, exemplars }
}

function toExported({ traceId, spanId, value, atMonotonicMs }: Exemplar, clock: Clock): ExportedExemplar {
  return { traceId, spanId, value, atMs: clock.nowMs() - (clock.monotonicMs() - atMonotonicMs) }
}
