// The metrics core and what a scrape shows of it.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { type Logger, silentLogger } from '../logger.ts'
import type { MetricDefinition } from './metric-definition.ts'
import { MetricRegistry } from './metric-registry.ts'
import { renderPrometheus } from './prometheus.ts'

function define(kind: MetricDefinition['kind'], name: string, ...labels: string[]): MetricDefinition {
  return { name, kind, help: 'Help with a \\ and a\nbreak.', labels }
}

class WarningLogger implements Logger {
  readonly warnings: object[] = []
  debug(): void {}
  info(): void {}
  warn(message: string, fields: object = {}): void {
    this.warnings.push({ message, ...fields })
  }
  error(): void {}
  child(): Logger {
    return this
  }
}

describe('SeriesTable', () => {
  it('counts each label set apart, and keeps counts while it grows', () => {
    const table = new MetricRegistry(silentLogger).table(['a', 'b'])
    const counter = table.counter(define('counter', 'x_total', 'a', 'b'))
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 100; i++) counter.add(table.row(`a${i}`, 'b'), i)
    }
    expect(table.rows).toHaveLength(100)
    for (let i = 0; i < 100; i++) expect(counter.value(table.row(`a${i}`, 'b'))).toBe(2 * i)
  })

  it('counts what comes after the greatest number of series as overflow and warns once', () => {
    const logger = new WarningLogger()
    const table = new MetricRegistry(logger, 2).table(['path'])
    const counter = table.counter(define('counter', 'x_total', 'path'))
    for (const path of ['/1', '/2', '/3', '/4', '/1']) counter.add(table.row(path), 1)
    expect(table.rows).toEqual([['/1'], ['/2'], ['overflow']])
    expect([0, 1, 2].map((row) => counter.value(row))).toEqual([2, 1, 2])
    expect(logger.warnings).toHaveLength(1)
    expect(logger.warnings[0]).toMatchObject({ metrics: ['x_total'], maxSeries: 2 })
  })

  it('forgets its rows and numbers when cleared', () => {
    const table = new MetricRegistry(silentLogger).table(['revision'])
    const gauge = table.gauge(define('gauge', 'info', 'revision'))
    gauge.set(table.row('1'), 1)
    table.clear()
    expect(table.rows).toEqual([])
    expect(gauge.value(table.row('2'))).toBe(0)
  })

  it('refuses a metric whose labels are not those of the table', () => {
    const table = new MetricRegistry(silentLogger).table(['a'])
    expect(() => table.counter(define('counter', 'x_total', 'b'))).toThrow('x_total has other labels')
  })

  it('puts every observation in the first bucket whose bound it does not exceed', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 20, noNaN: true })), (values) => {
        const table = new MetricRegistry(silentLogger).table(['a'])
        const bounds = [0.5, 1, 5]
        const histogram = table.histogram(define('histogram', 'h', 'a'), bounds)
        table.row('other')
        const row = table.row('one')
        for (const value of values) histogram.observe(row, value)
        const expected = [0, 0, 0, 0]
        for (const value of values) {
          const found = bounds.findIndex((bound) => value <= bound)
          const bucket = found === -1 ? 3 : found
          expected[bucket] = (expected[bucket] ?? 0) + 1
        }
        expect([...histogram.counts(row)]).toEqual(expected)
        expect([...histogram.counts(table.row('other'))]).toEqual([0, 0, 0, 0])
        expect(histogram.sum(row)).toBeCloseTo(values.reduce((sum, value) => sum + value, 0))
      }),
    )
  })
})

describe('renderPrometheus', () => {
  it('writes help, type and series, leaving out metrics without series', () => {
    const registry = new MetricRegistry(silentLogger)
    const table = registry.table(['code'])
    const counter = table.counter(define('counter', 'x_total', 'code'))
    registry.table([]).counter(define('counter', 'unused_total'))
    const bare = registry.table([])
    bare.gauge(define('gauge', 'temperature')).set(bare.row(), -1.5)
    counter.add(table.row('200'), 3)
    expect(renderPrometheus(registry)).toBe(
      [
        '# HELP x_total Help with a \\\\ and a\\nbreak.',
        '# TYPE x_total counter',
        'x_total{code="200"} 3',
        '# HELP temperature Help with a \\\\ and a\\nbreak.',
        '# TYPE temperature gauge',
        'temperature -1.5',
        '',
      ].join('\n'),
    )
  })

  it('writes histograms with cumulative buckets, sum and count', () => {
    const registry = new MetricRegistry(silentLogger)
    const table = registry.table(['r'])
    const histogram = table.histogram(define('histogram', 'h_seconds', 'r'), [0.1, 1])
    const bare = registry.table([])
    bare.histogram(define('histogram', 'b_seconds'), [1]).observe(bare.row(), 0.5)
    for (const value of [0.0625, 0.5, 0.75, 3]) histogram.observe(table.row('a'), value)
    const lines = renderPrometheus(registry).split('\n')
    expect(lines).toContain('# TYPE h_seconds histogram')
    expect(lines.filter((line) => line.startsWith('h_seconds'))).toEqual([
      'h_seconds_bucket{r="a",le="0.1"} 1',
      'h_seconds_bucket{r="a",le="1"} 3',
      'h_seconds_bucket{r="a",le="+Inf"} 4',
      'h_seconds_sum{r="a"} 4.3125',
      'h_seconds_count{r="a"} 4',
    ])
    expect(lines.filter((line) => line.startsWith('b_seconds'))).toEqual([
      'b_seconds_bucket{le="1"} 1',
      'b_seconds_bucket{le="+Inf"} 1',
      'b_seconds_sum 0.5',
      'b_seconds_count 1',
    ])
  })

  it('escapes label values so that a reader gets them back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const registry = new MetricRegistry(silentLogger)
        const table = registry.table(['v'])
        table.gauge(define('gauge', 'g', 'v')).set(table.row(value), 1)
        const series = renderPrometheus(registry).split('\n').slice(2, -1)
        expect(series).toHaveLength(1)
        const written = /^g\{v="((?:[^"\\]|\\.)*)"\} 1$/su.exec(series[0] ?? '')?.[1]
        const unescaped = written?.replaceAll(/\\(.)/gsu, (_, letter: string) => (letter === 'n' ? '\n' : letter))
        expect(unescaped).toBe(value)
      }),
    )
  })
})
