// What is told of a request that nobody samples.
import { expect, it } from 'vitest'

import { sampleExchange } from '../../../test/kit/sample-exchange.ts'
import { HeaderList } from '../../core/header-list.ts'
import { createRandom } from '../../core/random.ts'
import { beginTrace } from '../../policies/tracing/trace-context.runtime.ts'
import { spansOf } from './spans.ts'

const random = createRandom(7)
const parent = '00f067aa0ba902b7'
const unsampled = HeaderList.of(['traceparent', `00-4bf92f3577b34da6a3ce929d0e0e4736-${parent}-00`])
const failed = { endpoint: '127.0.0.1:1', outcome: 'reset', durationMs: 1 } as const
const answered = { endpoint: '127.0.0.1:2', outcome: 'response', status: 200, durationMs: 1 } as const

it('has a span for each of several attempts, though no endpoint was told of one', () => {
  const context = beginTrace(unsampled, 1, random)
  const [hop, ...attempts] = spansOf(sampleExchange({ attempts: [failed, answered] }), context, 0, random)
  expect(hop).toMatchObject({ spanId: context.spanId, parentSpanId: parent, sampled: false })
  expect(attempts.map(({ parentSpanId }) => parentSpanId)).toEqual([context.spanId, context.spanId])
  expect(new Set([context.spanId, ...attempts.map(({ spanId }) => spanId)]).size).toBe(3)
})

it('has one span where there was one attempt', () => {
  const context = beginTrace(unsampled, 1, random)
  expect(spansOf(sampleExchange({ attempts: [answered] }), context, 0, random)).toHaveLength(1)
})
