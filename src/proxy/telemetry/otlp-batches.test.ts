// Spans go out in batches; a collector that is away costs spans, never memory.
import { setImmediate as turn } from 'node:timers/promises'

import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { silentLogger } from '../../core/logger.ts'
import { OtlpBatches } from './otlp-batches.ts'

const collector = { cluster: 'otel', timeoutMs: 100 }

function away(): Error {
  return new Error('away')
}

function exporting(answers: (number | Error)[] = []) {
  const clock = new ManualClock()
  const counts: Record<string, number> = {}
  let sent = 0
  const exporter = new OtlpBatches<string>({
    clock,
    logger: silentLogger,
    items: 'spans',
    resource: {},
    encode: () => new Uint8Array(),
    counted: (result, items) => {
      counts[result] = (counts[result] ?? 0) + items
    },
    send: () => {
      sent++
      const answer = answers.shift() ?? 0
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)
    },
  })
  return { clock, counts, exporter, sent: () => sent }
}

const spans = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`)

describe('batches for a collector', () => {
  it('sends what has come within a second, or a full batch at once', async () => {
    const { clock, counts, exporter, sent } = exporting()
    exporter.add(collector, spans(3))
    clock.advance(999)
    expect(sent()).toBe(0)
    clock.advance(1)
    await turn()
    expect(counts).toEqual({ exported: 3 })
    exporter.add(collector, spans(512))
    await turn()
    expect(counts).toEqual({ exported: 515 })
    expect(sent()).toBe(2)
  })

  it('repeats what was not taken, and gives up', async () => {
    const { clock, counts, exporter, sent } = exporting([away(), 1, away(), away(), away(), away()])
    exporter.add(collector, spans(2))
    clock.advance(1_000)
    await turn()
    clock.advance(1_000)
    await turn()
    expect(counts).toEqual({ exported: 1, refused: 1 })
    exporter.add(collector, spans(2))
    for (const ms of [1_000, 1_000, 2_000, 4_000]) {
      clock.advance(ms)
      await turn()
    }
    expect(counts).toEqual({ exported: 1, refused: 1, failed: 2 })
    expect(sent()).toBe(6)
  })

  it('keeps 2,048 spans of a collector that does not answer, and drops the others', async () => {
    const { counts, exporter } = exporting([away()])
    exporter.add(collector, spans(512))
    await turn()
    for (let i = 0; i < 10; i++) exporter.add(collector, spans(512))
    expect(counts).toEqual({ overflow: 10 * 512 - 2_048 })
  })

  it('sends the rest before it ends', async () => {
    const { counts, exporter } = exporting()
    exporter.add(collector, spans(700))
    exporter.add(collector, spans(10))
    await exporter.stop()
    expect(counts).toEqual({ exported: 710 })
  })
})
