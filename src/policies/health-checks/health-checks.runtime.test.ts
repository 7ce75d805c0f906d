import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import type { HealthCheckSpec } from '../../contracts/health-check.ts'
import { createRandom } from '../../core/random.ts'
import { grpcHealthRequest, grpcServingStatus } from './grpc-health.runtime.ts'
import { firstAskMs, HealthState } from './health-checks.runtime.ts'

const spec: HealthCheckSpec = {
  question: { kind: 'tcp' },
  intervalMs: 10_000,
  timeoutMs: 1_000,
  healthyThreshold: 2,
  unhealthyThreshold: 3,
}
const bad = 'status 503'

/** "+": good, "-": bad. Returns after which answers it was healthy. */
function after(state: HealthState, answers: string): string {
  return answers
    .split('')
    .map((answer) => {
      state.answered(spec, answer === '+' ? undefined : bad)
      return state.healthy ? '+' : '-'
    })
    .join('')
}

describe('an endpoint that is asked', () => {
  it('becomes unhealthy after three bad answers in a row, and healthy after two good ones', () => {
    expect(after(new HealthState(true), '+--+---+-++-')).toBe('++++++----++')
  })

  it('is what it was taken to be until there are answers enough', () => {
    expect(after(new HealthState(false), '+-++')).toBe('---+')
    expect(after(new HealthState(true), '--')).toBe('++')
  })

  it('tells when it changes, and what the newest answer was', () => {
    const state = new HealthState(true)
    expect([bad, bad, bad, bad].map((failure) => state.answered(spec, failure))).toEqual([false, false, true, false])
    expect(state.failure).toBe(bad)
    expect([undefined, undefined, undefined].map((failure) => state.answered(spec, failure))).toEqual([
      false,
      true,
      false,
    ])
    expect(state.failure).toBeUndefined()
  })
})

describe('the time to the next question', () => {
  it('is the interval, a tenth more or less, and spread over the whole of it at first', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = createRandom(seed)
        const nextMs = new HealthState(true).nextMs(spec, random)
        expect(nextMs).toBeGreaterThanOrEqual(9_000)
        expect(nextMs).toBeLessThanOrEqual(11_000)
        expect(firstAskMs(spec, random)).toBeLessThan(10_000)
      }),
    )
    const random = createRandom(1)
    const early = Array.from({ length: 1_000 }, () => firstAskMs(spec, random)).filter((ms) => ms < 2_500)
    expect(early.length).toBeGreaterThan(200)
    expect(early.length).toBeLessThan(300)
  })

  it('is short for one that starts, grows, and never is longer than the interval', () => {
    const state = new HealthState(false)
    const random = createRandom(1)
    const delays = Array.from({ length: 40 }, () => {
      state.answered(spec, bad)
      return state.nextMs(spec, random)
    })
    expect(delays[0]).toBeLessThan(100)
    expect(Math.max(...delays)).toBeLessThanOrEqual(11_000)
    expect(Math.min(...delays.slice(20))).toBeGreaterThanOrEqual(9_000)
    for (let i = 0; i < 2; i++) state.answered(spec, undefined)
    for (let i = 0; i < 3; i++) state.answered(spec, bad)
    expect(state.healthy).toBe(false)
    expect(state.nextMs(spec, random)).toBeGreaterThanOrEqual(9_000)
  })
})

describe('the messages of grpc.health.v1', () => {
  it('ask for a service by name', () => {
    expect(grpcHealthRequest('').toString('hex')).toBe('0000000000')
    expect(grpcHealthRequest('ab').toString('hex')).toBe('00000000040a026162')
    expect(grpcHealthRequest('x'.repeat(200)).subarray(0, 8).toString('hex')).toBe('00000000cb0ac801')
  })

  it.each([
    ['00000000020801', 'SERVING'],
    ['00000000020802', 'NOT_SERVING'],
    ['0000000000', 'UNKNOWN'],
    ['00000000020809', 'malformed'],
    ['01000000020801', 'malformed'],
    ['000000000208', 'malformed'],
    ['', 'malformed'],
  ])('answer %s: %s', (hex, expected) => {
    expect(grpcServingStatus(Buffer.from(hex, 'hex'))).toBe(expected)
  })
})
