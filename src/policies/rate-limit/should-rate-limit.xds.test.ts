import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'

import {
  RateLimitRequestSchema,
  RateLimitResponse_Code as Code,
  RateLimitResponse_RateLimit_Unit as Unit,
  RateLimitResponseSchema,
} from '../../contracts/xds/gen/envoy/service/ratelimit/v3/rls_pb.ts'
import type { RateLimitAnswer } from './rate-limit.spec.ts'
import { decodeRateLimitAnswer, encodeRateLimitQuestion } from './should-rate-limit.xds.ts'

function answer(init: object): RateLimitAnswer {
  return decodeRateLimitAnswer(toBinary(RateLimitResponseSchema, create(RateLimitResponseSchema, init)))
}

it('asks about one request, with all of its descriptors', () => {
  const descriptors = [
    [{ key: 'a', value: '1' }],
    [
      { key: 'b', value: '2' },
      { key: 'c', value: '3' },
    ],
  ]
  const question = fromBinary(RateLimitRequestSchema, encodeRateLimitQuestion({ domain: 'shop', descriptors }))
  expect(question.domain).toBe('shop')
  expect(question.hitsAddend).toBe(1)
  expect(question.descriptors.map(({ entries }) => entries.map(({ key, value }) => ({ key, value })))).toEqual(
    descriptors,
  )
})

it('reads what was reached, and what headers are to be added', () => {
  expect(
    answer({
      overallCode: Code.OVER_LIMIT,
      statuses: [
        { code: Code.OK, currentLimit: { name: 'first', requestsPerUnit: 9, unit: Unit.HOUR } },
        {
          code: Code.OVER_LIMIT,
          currentLimit: { name: 'second', requestsPerUnit: 5, unit: Unit.MINUTE },
          durationUntilReset: { seconds: 7n, nanos: 1 },
        },
      ],
      responseHeadersToAdd: [{ key: 'X-Left', value: '0' }],
      requestHeadersToAdd: [{ key: 'x-tier', rawValue: Buffer.from('free') }],
      rawBody: Buffer.from('slow down'),
    }),
  ).toEqual({
    limited: true,
    reached: { name: 'second', requests: 5, windowSeconds: 60, resetSeconds: 8 },
    responseHeaders: ['x-left', '0'],
    requestHeaders: ['x-tier', 'free'],
    body: 'slow down',
  })
  expect(answer({ overallCode: Code.OK }).limited).toBe(false)
})

it('takes an unknown code and damaged bytes for no answer', () => {
  expect(() => answer({})).toThrow('code 0')
  expect(() => decodeRateLimitAnswer(Buffer.from([255]))).toThrow()
})
