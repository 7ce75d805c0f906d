// Shows a registry in the Prometheus text format, version 0.0.4.
import type { MetricRegistry } from './metric-registry.ts'
import { Histogram, type MetricColumn, type SeriesTable } from './series-table.ts'

export const prometheusContentType = 'text/plain; version=0.0.4; charset=utf-8'

/** Metrics without series are left out. */
export function renderPrometheus(registry: MetricRegistry): string {
  let text = ''
  for (const table of registry.tables) {
    if (table.rows.length === 0) continue
    const labels = table.rows.map((values) => formatLabels(table, values))
    for (const column of table.columns) text += formatColumn(column, labels)
  }
  return text
}

function formatColumn(column: MetricColumn, labels: readonly string[]): string {
  const { name, help, kind } = column.definition
  let text = `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${kind}\n`
  for (const [row, pairs] of labels.entries()) {
    if (column instanceof Histogram) text += formatHistogram(column, name, row, pairs)
    else text += `${name}${braces(pairs)} ${formatNumber(column.value(row))}\n`
  }
  return text
}

function formatHistogram(histogram: Histogram, name: string, row: number, pairs: string): string {
  const comma = pairs === '' ? '' : ','
  let text = ''
  let upTo = 0
  for (const [bucket, count] of histogram.counts(row).entries()) {
    upTo += count
    const bound = formatNumber(histogram.bounds[bucket] ?? Number.POSITIVE_INFINITY)
    text += `${name}_bucket{${pairs}${comma}le="${bound}"} ${upTo}\n`
  }
  return `${text}${name}_sum${braces(pairs)} ${formatNumber(histogram.sum(row))}\n${name}_count${braces(pairs)} ${upTo}\n`
}

function formatLabels(table: SeriesTable, values: readonly string[]): string {
  return table.labels.map((label, index) => `${label}="${escapeValue(values[index] ?? '')}"`).join(',')
}

function braces(pairs: string): string {
  return pairs === '' ? '' : `{${pairs}}`
}

function escapeValue(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
}

function escapeHelp(help: string): string {
  return help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function formatNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)
}
