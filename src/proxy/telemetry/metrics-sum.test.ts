// Several workers count as one.
import { describe, expect, it } from 'vitest'

import { sumMetrics } from './metrics-sum.ts'

const counter = (lines: string): string => `# HELP a_total A.\n# TYPE a_total counter\n${lines}`
const gauges = (seconds: number): string =>
  `# HELP c_timestamp_seconds C.\n# TYPE c_timestamp_seconds gauge\nc_timestamp_seconds ${seconds}\n` +
  `# HELP r_info R.\n# TYPE r_info gauge\nr_info{revision="7"} 1\n`
const histogram = (low: number, all: number): string =>
  `# HELP h H.\n# TYPE h histogram\nh_bucket{le="1"} ${low}\nh_bucket{le="+Inf"} ${all}\nh_sum ${all}\nh_count ${all}\n`

describe('the metrics of several workers', () => {
  it('are added up by label set, and those of one worker only are kept', () => {
    const sum = sumMetrics([counter('a_total{x="1"} 2\n'), counter('a_total{x="1"} 3\na_total{x="a b"} 1\n')])
    expect(sum).toBe(counter('a_total{x="1"} 5\na_total{x="a b"} 1\n'))
  })

  it('have the greatest of what is the same for all', () => {
    expect(sumMetrics([gauges(10), gauges(12)])).toBe(gauges(12))
  })

  it('have the buckets of both', () => {
    expect(sumMetrics([histogram(1, 2), histogram(3, 5)])).toBe(histogram(4, 7))
  })

  it('are none when there is no worker', () => {
    expect(sumMetrics([])).toBe('')
  })
})
