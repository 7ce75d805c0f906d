// Shows a registry as text for Prometheus: its own format, version 0.0.4, or OpenMetrics 1.0, which has exemplars.
import type { MetricRegistry } from './metric-registry.ts'
import { type Exemplar, Histogram, type MetricColumn, type SeriesTable } from './series-table.ts'

export type MetricsFormat = 'prometheus' | 'openmetrics'

export const prometheusContentType = 'text/plain; version=0.0.4; charset=utf-8'

export const metricsContentType: Readonly<Record<MetricsFormat, string>> = {
  prometheus: prometheusContentType,
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
}

/** By the field `Accept` of a scrape. */
export function wantedFormat(accept: string | undefined): MetricsFormat {
  return accept?.includes('application/openmetrics-text') === true ? 'openmetrics' : 'prometheus'
}

/** Metrics without series are left out. */
export function renderPrometheus(registry: MetricRegistry, format: MetricsFormat = 'prometheus'): string {
  let text = ''
  for (const table of registry.tables) {
    if (table.rows.length === 0) continue
    const labels = table.rows.map((values) => formatLabels(table, values))
    for (const column of table.columns) text += formatColumn(column, labels, format)
  }
  return format === 'openmetrics' ? `${text}# EOF\n` : text
}

function formatColumn(column: MetricColumn, labels: readonly string[], format: MetricsFormat): string {
  const { name, help, kind } = column.definition
  let text = formatHead(name, help, kind, format)
  for (const [row, pairs] of labels.entries()) {
    if (column instanceof Histogram) {
      const exemplarOf = (bucket: number): Exemplar | undefined =>
        format === 'openmetrics' ? column.exemplar(row, bucket) : undefined
      text += formatHistogram(name, pairs, column.bounds, column.counts(row), column.sum(row), exemplarOf)
    } else text += formatSample(name, pairs, column.value(row))
  }
  return text
}

/** OpenMetrics calls a counter by its name without "_total". */
export function formatHead(name: string, help: string, kind: string, format: MetricsFormat): string {
  const family = format === 'openmetrics' && kind === 'counter' ? name.replace(/_total$/, '') : name
  return `# HELP ${family} ${escapeHelp(help, format)}\n# TYPE ${family} ${kind}\n`
}

export function formatSample(name: string, pairs: string, value: number): string {
  return `${name}${braces(pairs)} ${formatNumber(value)}\n`
}

/** `counts`: of each bucket alone, that of +Inf last. */
export function formatHistogram(
  name: string,
  pairs: string,
  bounds: readonly number[],
  counts: Iterable<number>,
  sum: number,
  exemplarOf: (bucket: number) => Exemplar | undefined = () => undefined,
): string {
  const comma = pairs === '' ? '' : ','
  let text = ''
  let upTo = 0
  let bucket = 0
  for (const count of counts) {
    upTo += count
    const bound = formatNumber(bounds[bucket] ?? Number.POSITIVE_INFINITY)
    text += `${name}_bucket{${pairs}${comma}le="${bound}"} ${upTo}${formatExemplar(exemplarOf(bucket))}\n`
    bucket++
  }
  return `${text}${name}_sum${braces(pairs)} ${formatNumber(sum)}\n${name}_count${braces(pairs)} ${upTo}\n`
}

function formatExemplar(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return ''
  return ` # {trace_id="${exemplar.traceId}"} ${formatNumber(exemplar.value)}`
}

function formatLabels(table: SeriesTable, values: readonly string[]): string {
  return formatPairs(table.labels, values)
}

/** `name="value",…` */
export function formatPairs(names: readonly string[], values: readonly string[]): string {
  return names.map((name, index) => `${name}="${escapeValue(values[index] ?? '')}"`).join(',')
}

function braces(pairs: string): string {
  return pairs === '' ? '' : `{${pairs}}`
}

function escapeValue(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
}

/** OpenMetrics escapes quotes here too. */
function escapeHelp(help: string, format: MetricsFormat): string {
  const escaped = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
  return format === 'openmetrics' ? escaped.replaceAll('"', '\\"') : escaped
}

function formatNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)
}
