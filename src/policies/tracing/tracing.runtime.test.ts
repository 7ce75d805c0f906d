import { expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { TraceContext } from './trace-context.runtime.ts'
import { KeptSpans } from './tracing.runtime.ts'

const context: TraceContext = {
  traceId: 'a'.repeat(32),
  spanId: 'b'.repeat(16),
  parentSpanId: undefined,
  sampled: false,
  b3: undefined,
  traceState: undefined,
}

it('keeps what is sampled, and else what failed or was slow, ten a second', () => {
  const clock = new ManualClock()
  const kept = new KeptSpans(clock)
  expect(kept.keeps({ ...context, sampled: true }, false, 1)).toBe(true)
  expect(kept.keeps(context, false, 999)).toBe(false)
  const taken = Array.from({ length: 20 }, (_, i) => kept.keeps(context, i % 2 === 0, 1_000))
  expect(taken.filter(Boolean)).toHaveLength(10)
  expect(kept.keeps({ ...context, sampled: true }, true, 1)).toBe(true)
  clock.advance(200)
  expect([1, 2, 3].map(() => kept.keeps(context, true, 1))).toEqual([true, true, false])
})
