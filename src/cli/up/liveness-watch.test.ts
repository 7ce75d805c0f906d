import { beforeEach, describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { createRandom } from '../../core/random.ts'
import { LivenessWatch } from './liveness-watch.ts'

const spec = {
  host: '127.0.0.1',
  port: 8080,
  initialDelayMs: 5_000,
  check: {
    question: { kind: 'http', path: '/alive', headers: [], statuses: [{ start: 200, end: 400 }] },
    intervalMs: 1_000,
    timeoutMs: 1_000,
    healthyThreshold: 1,
    unhealthyThreshold: 3,
  },
} as const

let clock: ManualClock
let asked: number
let failure: string | undefined
let failures: string[]
let watch: LivenessWatch

beforeEach(() => {
  clock = new ManualClock()
  asked = 0
  failure = undefined
  failures = []
  const ask = (): Promise<string | undefined> => {
    asked++
    return Promise.resolve(failure)
  }
  watch = new LivenessWatch({ clock, random: createRandom(1), ask, failed: (why) => failures.push(why) }, spec)
})

async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    clock.advance(50)
    for (let turn = 0; turn < 5; turn++) await Promise.resolve()
  }
}

describe('an application with a liveness probe', () => {
  it('is asked from its time on, in its period', async () => {
    await pass(4_900)
    expect(asked).toBe(0)
    await pass(5_200)
    expect(asked).toBeGreaterThanOrEqual(5)
    expect(asked).toBeLessThanOrEqual(7)
  })

  it('has failed after so many bad answers in a row, once', async () => {
    failure = 'status 500'
    await pass(6_500)
    failure = undefined
    await pass(2_000)
    expect(failures).toEqual([])
    failure = 'no answer within 1000 ms'
    await pass(10_000)
    expect(failures).toEqual(['livenessProbe GET http://127.0.0.1:8080/alive: no answer within 1000 ms'])
  })

  it('is not heard of any more once it is stopped', async () => {
    failure = 'status 500'
    await pass(6_500)
    watch.stop()
    await pass(10_000)
    expect(failures).toEqual([])
  })
})
