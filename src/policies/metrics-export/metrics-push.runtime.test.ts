// Metrics go out once in an interval; a collector that is away costs points, never memory, and the next push makes up for it.
import { setImmediate as turn } from 'node:timers/promises'

import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { silentLogger } from '../../core/logger.ts'
import type { ExportedMetric, ExportedPoint, MetricPoints, MetricsPushSpec } from './metrics-export.spec.ts'
import { MetricsPush } from './metrics-push.runtime.ts'

const spec: MetricsPushSpec = {
  collector: { cluster: 'otel', timeoutMs: 100 },
  intervalMs: 10_000,
  names: 'openTelemetry',
  histograms: 'explicit',
}

function away(): Error {
  return new Error('away')
}

function pushing(answers: (number | Error | Promise<number>)[] = [], points = 3) {
  const clock = new ManualClock()
  const counts: Record<string, number> = {}
  const sent: (readonly MetricPoints[])[] = []
  let made = 0
  const metric: Omit<ExportedMetric, 'points'> = { name: 'heddle.x', description: '', unit: '', kind: 'sum' }
  const all = function* (): Generator<ExportedPoint> {
    for (let value = 0; value < points; value++, made++) yield { attributes: {}, value }
  }
  const push = new MetricsPush({
    clock,
    logger: silentLogger,
    *metrics() {
      yield { ...metric, points: all() }
      yield { ...metric, name: 'heddle.y', points: [{ attributes: {}, value: 1 }] }
    },
    counted: (result, count) => {
      counts[result] = (counts[result] ?? 0) + count
    },
    send: (_, message) => {
      sent.push(message)
      const answer = answers.shift() ?? 0
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)
    },
  })
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms)
    await turn()
  }
  return { clock, counts, push, sent, made: () => made, pass }
}

describe('the push of metrics', () => {
  it('tells all totals once in an interval, for as long as somebody wants them', async () => {
    const { clock, counts, push, sent, pass } = pushing()
    push.follow(spec)
    await pass(9_999)
    expect(sent).toHaveLength(0)
    await pass(1)
    expect(sent.map((message) => message.map(({ name, points }) => [name, points.length]))).toEqual([
      [
        ['heddle.x', 3],
        ['heddle.y', 1],
      ],
    ])
    await pass(10_000)
    expect(counts).toEqual({ exported: 8 })
    push.follow({ ...spec })
    push.follow(undefined)
    await pass(60_000)
    expect(sent).toHaveLength(2)
    expect(clock.pendingCount).toBe(0)
  })

  it('goes in messages of 200 points, each made when the one before has been taken', async () => {
    const slow = Promise.withResolvers<number>()
    const { counts, push, sent, made, pass } = pushing([slow.promise], 500)
    push.follow(spec)
    await pass(10_000)
    expect(made()).toBeLessThanOrEqual(200)
    // the interval passes: nothing is begun anew
    await pass(30_000)
    expect(sent).toHaveLength(1)
    slow.resolve(0)
    await turn()
    expect(sent.map((message) => message.reduce((sum, { points }) => sum + points.length, 0))).toEqual([200, 200, 101])
    expect(counts).toEqual({ exported: 501 })
  })

  it('repeats what was not taken, gives up, and makes up for it the next time', async () => {
    const { counts, push, sent, pass } = pushing([away(), 1, away(), away(), away(), away()])
    push.follow(spec)
    for (const ms of [10_000, 1_000]) await pass(ms)
    expect(counts).toEqual({ exported: 3, refused: 1 })
    for (const ms of [9_000, 1_000, 2_000, 4_000]) await pass(ms)
    expect(counts).toEqual({ exported: 3, refused: 1, failed: 4 })
    await pass(3_000)
    expect(counts).toEqual({ exported: 7, refused: 1, failed: 4 })
    expect(sent).toHaveLength(7)
  })

  it('tells the last totals before it ends', async () => {
    const { clock, counts, push } = pushing()
    push.follow(spec)
    await push.stop()
    expect(counts).toEqual({ exported: 4 })
    expect(clock.pendingCount).toBe(0)
  })

  it('tries once more, and waits for nobody, when a collector is away at the end', async () => {
    const { clock, counts, push, pass, sent } = pushing([away(), away()])
    push.follow(spec)
    await pass(10_000)
    await push.stop()
    expect(sent).toHaveLength(2)
    expect(counts).toEqual({ failed: 4 })
    expect(clock.pendingCount).toBe(0)
  })
})
