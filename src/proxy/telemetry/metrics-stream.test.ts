import { EventEmitter } from 'node:events'

import { status } from '@grpc/grpc-js'
import type { Client } from '@grpc/grpc-js'
import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { sampleExchange } from '../../../test/kit/sample-exchange.ts'
import { proxyMetrics } from '../../contracts/telemetry/metrics.ts'
import type { StreamMetricsMessage } from '../../contracts/xds/gen/envoy/service/metrics/v3/metrics_service_pb.ts'
import { silentLogger } from '../../core/logger.ts'
import { MetricRegistry } from '../../core/metrics/metric-registry.ts'
import { streamMetrics } from './metrics-stream.ts'
import { ProxyMetrics } from './proxy-metrics.ts'

const node = { id: 'sidecar~default~web', metadata: { INSTANCE: 'one' } }

class Call extends EventEmitter {
  readonly sent: StreamMetricsMessage[] = []
  slow = false
  finished = false

  write(message: StreamMetricsMessage): boolean {
    this.sent.push(message)
    return !this.slow
  }

  end(): void {
    this.finished = true
  }

  cancel(): void {
    this.over(status.CANCELLED)
  }

  over(code: status): void {
    this.emit('status', { code })
  }

  /** Requests by the newest report. */
  get requests(): number | undefined {
    const families = this.sent.at(-1)?.envoyMetrics ?? []
    const found = families.find(({ name }) => name === proxyMetrics.requestDuration.name)
    const counts = found?.metric.map(({ histogram }) => Number(histogram?.sampleCount))
    return counts?.reduce((sum, count) => sum + count, 0)
  }
}

function streaming() {
  const clock = new ManualClock()
  const registry = new MetricRegistry(silentLogger)
  const metrics = new ProxyMetrics(registry, {
    workload: 'default/web',
    spiffeId: 'spiffe://mesh.local/ns/default/sa/web',
  })
  const calls: Call[] = []
  const client = {
    makeClientStreamRequest() {
      const call = new Call()
      calls.push(call)
      return call
    },
  } as unknown as Client
  const results: string[] = []
  const counter = { reported: (result: string): void => void results.push(result) }
  const stream = streamMetrics(client, { node, registry, startedAtMs: clock.nowMs(), counter, clock })
  return { clock, metrics, calls, stream, results, newest: () => calls.at(-1) as Call }
}

describe('the stream of metrics', () => {
  it('begins with who reports, and then says each second what has changed', () => {
    const { clock, metrics, newest } = streaming()
    expect(newest().sent).toMatchObject([{ identifier: { node }, envoyMetrics: [] }])
    metrics.finished(sampleExchange())
    metrics.finished(sampleExchange({ status: 500 }))
    clock.advance(1_000)
    expect(newest().requests).toBe(2)
    metrics.finished(sampleExchange({ status: 500 }))
    clock.advance(1_000)
    expect(newest().sent).toHaveLength(3)
    const [family, ...others] = newest().sent[2]?.envoyMetrics ?? []
    expect(others).toEqual([])
    expect(family?.metric).toHaveLength(1)
    expect(newest().requests).toBe(2)
    clock.advance(10_000)
    expect(newest().sent).toHaveLength(3)
  })

  it('keeps nothing for a control plane that is slow: the next report has it all', () => {
    const { clock, metrics, newest, results } = streaming()
    newest().slow = true
    metrics.finished(sampleExchange())
    clock.advance(1_000)
    expect(newest().sent).toHaveLength(2)
    for (let second = 0; second < 5; second++) {
      metrics.finished(sampleExchange())
      clock.advance(1_000)
    }
    expect(newest().sent).toHaveLength(2)
    expect(results).toEqual(['sent', ...Array.from({ length: 5 }, () => 'skipped')])
    newest().emit('drain')
    clock.advance(1_000)
    expect(newest().requests).toBe(6)
  })

  it('says all totals again when the stream was broken', () => {
    const { clock, metrics, calls, newest } = streaming()
    metrics.finished(sampleExchange())
    clock.advance(1_000)
    newest().over(status.UNAVAILABLE)
    clock.advance(1_000)
    expect(calls).toHaveLength(2)
    expect(newest().sent[0]?.identifier?.node?.id).toBe(node.id)
    expect(newest().requests).toBe(1)
  })

  it('sends the last counts before it ends, and waits no longer than it may', async () => {
    const { clock, metrics, newest, stream } = streaming()
    metrics.finished(sampleExchange())
    let over = false
    const finishing = stream.finish(500).then(() => (over = true))
    expect(newest().requests).toBe(1)
    expect(newest().finished).toBe(true)
    await Promise.resolve()
    expect(over).toBe(false)
    newest().over(status.OK)
    await finishing
    expect(clock.pendingCount).toBe(0)

    const other = streaming()
    const waiting = other.stream.finish(500)
    other.clock.advance(500)
    await waiting
  })

  it('does not ask a control plane again that wants no metrics', () => {
    const { clock, calls, newest, results, stream } = streaming()
    newest().over(status.UNIMPLEMENTED)
    clock.advance(10_000)
    expect(calls).toHaveLength(1)
    expect(results).toEqual([])
    stream.stop()
    expect(clock.pendingCount).toBe(0)
  })
})
