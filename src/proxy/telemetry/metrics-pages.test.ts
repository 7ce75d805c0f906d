// What a scraper gets in which format; in protobuf, which has native histograms, as a decoder of its own reads it.
import { Readable } from 'node:stream'

import { sizeDelimitedDecodeStream } from '@bufbuild/protobuf/wire'
import { describe, expect, it } from 'vitest'

import { sampleExchange } from '../../../test/kit/sample-exchange.ts'
import { sampleTrace } from '../../../test/kit/sample-trace.ts'
import { proxyMetrics } from '../../contracts/telemetry/metrics.ts'
import { MetricFamilySchema, MetricType } from '../../contracts/xds/gen/io/prometheus/client/metrics_pb.ts'
import type { Histogram } from '../../contracts/xds/gen/io/prometheus/client/metrics_pb.ts'
import { silentLogger } from '../../core/logger.ts'
import { MetricRegistry } from '../../core/metrics/metric-registry.ts'
import { metricsPages } from './metrics-pages.ts'
import { ProxyMetrics } from './proxy-metrics.ts'

const accept =
  'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8'

function pages() {
  const registry = new MetricRegistry(silentLogger)
  const metrics = new ProxyMetrics(registry, { workload: 'shop/web', spiffeId: 'spiffe://mesh.local/ns/shop/sa/web' })
  const all = metricsPages(registry, 1_000)
  const families = async () => {
    const body = all['/metrics']?.(accept).body as Uint8Array
    const read = []
    for await (const family of sizeDelimitedDecodeStream(MetricFamilySchema, Readable.from([body]))) read.push(family)
    return new Map(read.map((family) => [family.name, family]))
  }
  return { registry, metrics, all, families }
}

/** Index of each bucket that is not empty, by the spans and deltas of Prometheus' data model. */
function buckets({ positiveSpan, positiveDelta }: Histogram): [number, number][] {
  const found: [number, number][] = []
  let index = 0
  let count = 0
  for (const { offset = 0, length = 0 } of positiveSpan) {
    index += offset
    for (let left = length; left > 0; left--) {
      count += Number(positiveDelta[found.length])
      found.push([index++, count])
    }
  }
  return found
}

function upTo(index: number): number {
  return 2 ** (index / 8)
}

describe('the pages of metrics', () => {
  it('are text, or what the scraper takes before it', () => {
    const { all } = pages()
    const type = (path: string, of?: string): string | undefined => all[path]?.(of).type
    expect(type('/metrics')).toMatch('text/plain')
    expect(type('/metrics', 'application/openmetrics-text')).toMatch('application/openmetrics-text')
    expect(type('/metrics', accept)).toMatch('encoding=delimited')
    expect(type('/stats/prometheus', accept)).toMatch('application/openmetrics-text')
  })

  it('have the same series in protobuf', async () => {
    const { metrics, families } = pages()
    metrics.finished(sampleExchange({ durationMs: 3, responseBytes: 12 }))
    metrics.downstreamOpened('in')
    const read = await families()
    const requests = read.get(proxyMetrics.requests.name)
    expect(requests).toMatchObject({ type: MetricType.COUNTER, help: proxyMetrics.requests.help })
    expect(requests?.metric[0]?.counter).toMatchObject({ value: 1, createdTimestamp: { seconds: 1n } })
    expect(requests?.metric[0]?.label.find(({ name }) => name === 'code')?.value).toBe('200')
    expect(read.get(proxyMetrics.downstreamActive.name)?.metric[0]?.gauge?.value).toBe(1)
    const histogram = read.get(proxyMetrics.requestDuration.name)?.metric[0]?.histogram
    expect(histogram?.schema).toBe(0)
    expect(histogram?.positiveSpan).toEqual([])
    expect(histogram?.bucket.at(-1)).toMatchObject({ upperBound: 10, cumulativeCount: 1n })
  })

  it('have native histograms where exponential buckets are counted', async () => {
    const { registry, metrics, families } = pages()
    metrics.finished(sampleExchange({ durationMs: 7_000 }))
    registry.recordExponential(2_000)
    for (const durationMs of [1, 1, 1, 1.1, 500, 4_000]) metrics.finished(sampleExchange({ durationMs }))
    const histogram = (await families()).get(proxyMetrics.requestDuration.name)?.metric[0]?.histogram as Histogram
    expect(histogram).toMatchObject({ schema: 3, sampleCount: 7n })
    // what nobody had asked for then is among what takes no time, so that both kinds of buckets say the same number
    expect(histogram.zeroCount).toBe(1n)
    expect(histogram.bucket.at(-1)?.cumulativeCount).toBe(7n)
    expect(buckets(histogram).map(([index, count]) => [upTo(index - 1), count, upTo(index)])).toEqual([
      [expect.closeTo(0.000_976, 5), 3, expect.closeTo(0.001_065, 5)],
      [expect.closeTo(0.001_065, 5), 1, expect.closeTo(0.001_161, 5)],
      [expect.closeTo(0.458_502, 5), 1, 0.5],
      [expect.closeTo(3.668, 3), 1, 4],
    ])
  })

  it('name the trace of a bucket', async () => {
    const { metrics, families } = pages()
    metrics.finished(sampleExchange({ durationMs: 3, traced: sampleTrace('a'.repeat(32)) }))
    const histogram = (await families()).get(proxyMetrics.requestDuration.name)?.metric[0]?.histogram
    const [exemplar] = histogram?.bucket.flatMap((bucket) => bucket.exemplar ?? []) ?? []
    expect(exemplar).toMatchObject({ value: 0.003, label: [{ name: 'trace_id', value: 'a'.repeat(32) }] })
  })
})
