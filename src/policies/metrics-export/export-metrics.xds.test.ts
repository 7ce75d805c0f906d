// What a collector reads of our metrics, by the decoder of OpenTelemetry's own exporter.
import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { decodeMetrics } from '../../../test/kit/otlp-metrics.ts'
import { silentLogger } from '../../core/logger.ts'
import type { MetricDefinition } from '../../core/metrics/metric-definition.ts'
import { MetricRegistry } from '../../core/metrics/metric-registry.ts'
import { encodeMetricsExport } from './export-metrics.xds.ts'
import { ownMetrics } from './exported-metrics.runtime.ts'

const clock = new ManualClock()
const exemplar = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', value: 0.2 }

function define(kind: MetricDefinition['kind'], name: string, ...labels: string[]): MetricDefinition {
  return { name, kind, help: `Help of ${name}.`, labels }
}

function exported(fill: (registry: MetricRegistry) => void, maxSeries?: number) {
  const registry = new MetricRegistry(silentLogger, maxSeries)
  fill(registry)
  const metrics = [...ownMetrics(registry, clock)].map((metric) => ({ ...metric, points: [...metric.points] }))
  return decodeMetrics(encodeMetricsExport({ 'service.name': 'web' }, metrics, { startMs: 1_000, nowMs: 2_000.5 }))
}

describe('metrics as OTLP', () => {
  it('have sums since the begin, gauges, and names that Prometheus makes ours of', () => {
    const [resource] = exported((registry) => {
      const table = registry.table(['cluster', 'reason'])
      table
        .counter(define('counter', 'heddle_upstream_retries_total', 'cluster', 'reason'))
        .add(table.row('a', 'unknown'), 3)
      const bytes = registry.table([])
      bytes.counter(define('counter', 'heddle_tcp_sent_bytes_total')).add(bytes.row(), 1.5)
      bytes.gauge(define('gauge', 'heddle_expiry_timestamp_seconds')).set(bytes.row(), -4)
    })
    expect(resource?.attributes).toEqual({ 'service.name': 'web' })
    expect(resource?.metrics).toEqual([
      {
        name: 'heddle.upstream_retries',
        description: 'Help of heddle_upstream_retries_total.',
        unit: '',
        kind: 'sum',
        cumulative: true,
        monotonic: true,
        points: [{ attributes: { cluster: 'a' }, startNano: '1000000000', timeNano: '2000500000', value: 3 }],
      },
      expect.objectContaining({
        name: 'heddle.tcp_sent',
        unit: 'By',
        points: [{ attributes: {}, startNano: '1000000000', timeNano: '2000500000', value: 1.5 }],
      }),
      expect.objectContaining({
        name: 'heddle.expiry_timestamp',
        unit: 's',
        kind: 'gauge',
        points: [{ attributes: {}, startNano: '0', timeNano: '2000500000', value: -4 }],
      }),
    ])
  })

  it('have histograms with their bounds, and exemplars', () => {
    const [resource] = exported((registry) => {
      const table = registry.table(['filter'])
      const histogram = table.histogram(define('histogram', 'heddle_filter_duration_seconds', 'filter'), [0.1, 1])
      for (const value of [0.0625, 0.25, 0.5, 3]) histogram.observe(table.row('f'), value)
      histogram.exemplify(table.row('f'), { ...exemplar, atMonotonicMs: clock.monotonicMs() })
    })
    expect(resource?.metrics).toMatchObject([
      {
        name: 'heddle.filter_duration',
        unit: 's',
        kind: 'histogram',
        cumulative: true,
        points: [
          {
            attributes: { filter: 'f' },
            count: 4,
            sum: 3.8125,
            bounds: [0.1, 1],
            counts: [1, 2, 1],
            exemplars: [{ traceId: exemplar.traceId, spanId: exemplar.spanId, value: 0.2 }],
          },
        ],
      },
    ])
  })

  it('have exponential histograms where somebody has asked', () => {
    const [resource] = exported((registry) => {
      const table = registry.table([])
      const histogram = table.histogram(define('histogram', 'heddle_x_seconds'), [1])
      histogram.observe(table.row(), 100)
      registry.recordExponential(1_500)
      for (const value of [0, 1, 1.01, 4, 0.5]) histogram.observe(table.row(), value)
    })
    const [metric] = resource?.metrics ?? []
    expect(metric).toMatchObject({ kind: 'exponential', cumulative: true })
    const [point] = metric?.points ?? []
    // what was observed before nobody had asked for
    expect(point).toMatchObject({ count: 5, sum: 6.51, scale: 3, zeroCount: 1, startNano: '1500000000' })
    const { offset = 0, counts = [] } = point ?? {}
    const filled = counts.flatMap((count, at) => (count === 0 ? [] : [[offset + at, count]]))
    // bounds belong to the bucket below them
    expect(filled).toEqual([
      [-9, 1],
      [-1, 1],
      [0, 1],
      [15, 1],
    ])
  })

  it('say what is beyond the cap of series as the conventions do', () => {
    const [resource] = exported((registry) => {
      const table = registry.table(['listener'])
      const counter = table.counter(define('counter', 'heddle_x_total', 'listener'))
      for (const name of ['a', 'b', 'c']) counter.add(table.row(name), 1)
    }, 1)
    expect(resource?.metrics[0]?.points.map(({ attributes, value }) => [attributes, value])).toEqual([
      [{ listener: 'a' }, 1],
      [{ 'otel.metric.overflow': 'true' }, 2],
    ])
  })
})
