import { beforeEach, describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { createRandom } from '../../core/random.ts'
import { OutlierDetector, outlierOutcome, OutlierState, type OutlierOutcome } from './outlier-detection.runtime.ts'
import { defaultOutlierDetection } from './outlier-detection.schema.ts'
import type { OutlierDetectionSpec } from './outlier-detection.spec.ts'

let clock: ManualClock
let changes: string[]

beforeEach(() => {
  clock = new ManualClock()
  changes = []
})

function detect(
  count: number,
  spec: Partial<OutlierDetectionSpec> = {},
): { readonly detector: OutlierDetector; readonly states: readonly OutlierState[] } {
  const states = Array.from({ length: count }, () => new OutlierState())
  const changed = (state: OutlierState): void => void changes.push(`${states.indexOf(state)} ${state.phase}`)
  const whole = { ...defaultOutlierDetection, ...spec }
  // never more than the whole: times are bounds
  const detector = new OutlierDetector({ clock, random: { ...createRandom(1), next: () => 0 }, changed }, whole)
  detector.update(whole, states)
  return { detector, states }
}

function report(
  detector: OutlierDetector,
  state: OutlierState | undefined,
  outcomes: readonly OutlierOutcome[],
  ms = 1,
): void {
  for (const outcome of outcomes) detector.finished(state as OutlierState, outcome, ms)
}

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value)

describe('an endpoint that fails in a row', () => {
  it('is ejected at the fifth gateway error, not before', () => {
    const { detector, states } = detect(3)
    report(detector, states[0], times(4, 'gateway-error'))
    expect(changes).toEqual([])
    report(detector, states[0], ['gateway-error'])
    expect(changes).toEqual(['0 out'])
    expect(states[0]).toMatchObject({ available: false, reason: 'consecutive-gateway-errors' })
  })

  it('stays when a success comes in between', () => {
    const { detector, states } = detect(3)
    report(detector, states[0], [
      ...times(4, 'gateway-error' as const),
      'success',
      ...times(4, 'gateway-error' as const),
    ])
    expect(changes).toEqual([])
  })

  it('stays whatever its application answers with 500, unless that is asked for', () => {
    const quiet = detect(3)
    report(quiet.detector, quiet.states[0], times(50, '5xx'))
    expect(changes).toEqual([])
    const strict = detect(3, { consecutive5xx: 5 })
    report(strict.detector, strict.states[0], times(5, '5xx'))
    expect(strict.states[0]?.reason).toBe('consecutive-5xx')
  })

  it('is ejected for lost connections as for gateway errors, or apart from them when they are split', () => {
    const together = detect(3)
    report(together.detector, together.states[0], ['gateway-error', ...times(4, 'local-origin-failure' as const)])
    expect(together.states[0]?.reason).toBe('consecutive-gateway-errors')
    const split = detect(3, { splitLocalOrigin: true, consecutiveLocalOriginFailures: 4 })
    report(split.detector, split.states[0], [
      ...times(4, 'gateway-error' as const),
      ...times(3, 'local-origin-failure' as const),
    ])
    expect(split.states[0]?.phase).toBe('in')
    report(split.detector, split.states[0], ['local-origin-failure'])
    expect(split.states[0]?.reason).toBe('consecutive-local-origin-failures')
  })

  it('is not counted any more for requests that began before its ejection', () => {
    const { detector, states } = detect(3)
    report(detector, states[0], times(9, 'gateway-error'))
    expect(states[0]).toMatchObject({ ejections: 1, gatewayErrors: 0 })
    report(detector, states[0], ['success'])
    expect(states[0]?.phase).toBe('out')
  })
})

describe('an attempt', () => {
  const attempt = { outcome: 'response', status: 200, grpcStatus: undefined, startMs: 0, respondedMs: 1 } as const

  it.each([
    [{}, 'success'],
    [{ status: 404 }, 'success'],
    [{ status: 500 }, '5xx'],
    [{ status: 503 }, 'gateway-error'],
    [{ grpcStatus: 14 }, 'gateway-error'],
    [{ grpcStatus: 13 }, '5xx'],
    [{ grpcStatus: 5 }, 'success'],
    [{ outcome: 'connect-failure' }, 'local-origin-failure'],
    [{ outcome: 'timeout' }, 'local-origin-failure'],
    [{ outcome: 'reset' }, 'local-origin-failure'],
    [{ outcome: 'refused' }, undefined],
    [{ outcome: 'cancelled' }, undefined],
    [{ outcome: 'overflow' }, undefined],
  ] as const)('%o tells of the endpoint: %s', (said, outcome) => {
    expect(outlierOutcome({ ...attempt, ...said }, true)).toBe(outcome)
  })

  it('of no gRPC is not asked for a gRPC status', () => {
    expect(outlierOutcome({ ...attempt, grpcStatus: 14 }, false)).toBe('success')
  })
})

describe('an ejection', () => {
  it('ends with one request that tries the endpoint', () => {
    const { detector, states } = detect(3)
    report(detector, states[0], times(5, 'gateway-error'))
    clock.advance(9_999)
    expect(states[0]?.available).toBe(false)
    clock.advance(1)
    expect(states[0]?.available).toBe(true)
    detector.started(states[0] as OutlierState)
    expect(states[0]?.available).toBe(false)
    report(detector, states[0], ['success'])
    expect(changes).toEqual(['0 out', '0 half-open', '0 probing', '0 in'])
    expect(detector.ejected).toBe(0)
  })

  it('doubles each time that request fails, up to its longest', () => {
    const { detector, states } = detect(3, { baseEjectionMs: 1_000, maxEjectionMs: 3_000 })
    report(detector, states[0], times(5, 'gateway-error'))
    for (const lastsMs of [1_000, 2_000, 3_000, 3_000]) {
      clock.advance(lastsMs - 1)
      expect(states[0]?.phase).toBe('out')
      clock.advance(1)
      expect(states[0]?.phase).toBe('half-open')
      detector.started(states[0] as OutlierState)
      report(detector, states[0], ['local-origin-failure'])
    }
  })

  it('goes on to be tried when the caller of that request leaves', () => {
    const { detector, states } = detect(3)
    report(detector, states[0], times(5, 'gateway-error'))
    clock.advance(10_000)
    detector.started(states[0] as OutlierState)
    detector.abandoned(states[0] as OutlierState)
    expect(states[0]?.phase).toBe('half-open')
  })

  it('is forgotten little by little while the endpoint does well', () => {
    const { detector, states } = detect(3)
    report(detector, states[0], times(5, 'gateway-error'))
    clock.advance(10_000)
    detector.started(states[0] as OutlierState)
    report(detector, states[0], ['success'])
    expect(states[0]?.ejections).toBe(1)
    clock.advance(10_001)
    report(detector, states[1], ['success'])
    expect(states[0]?.ejections).toBe(0)
  })

  it.each([
    [1, 50, 0],
    [2, 50, 1],
    [2, 100, 1],
    [3, 10, 1],
    [5, 50, 2],
    [10, 50, 5],
    [10, 0, 0],
    [4, 100, 3],
  ])('of %i endpoints with at most %i %% hits %i, never the last', (count, maxEjectionPercent, ejected) => {
    const { detector, states } = detect(count, { maxEjectionPercent })
    for (const state of states) report(detector, state, times(5, 'gateway-error'))
    expect(states.filter(({ available }) => !available)).toHaveLength(ejected)
    expect(detector.ejected).toBe(ejected)
  })

  it('is kept when the other endpoints change, and ends when nobody detects any more', () => {
    const { detector, states } = detect(3)
    report(detector, states[0], times(5, 'gateway-error'))
    detector.update(defaultOutlierDetection, [states[0] as OutlierState, new OutlierState()])
    expect(detector.ejected).toBe(1)
    detector.stop()
    expect(states[0]?.phase).toBe('in')
    clock.advance(60_000)
    expect(changes).toEqual(['0 out'])
  })

  it('is not counted of endpoints that have gone', () => {
    const { detector, states } = detect(3)
    const [first, second, third] = states
    report(detector, first, times(5, 'gateway-error'))
    clock.advance(10_000)
    detector.started(first as OutlierState)
    detector.update(defaultOutlierDetection, [second as OutlierState, third as OutlierState])
    report(detector, first, ['success'])
    expect(detector.ejected).toBe(0)
  })
})

/** Each gets 100 requests in an interval; `outcome` says how the nth of endpoint i ends. */
function interval(
  { detector, states }: ReturnType<typeof detect>,
  outcome: (endpoint: number, nth: number) => OutlierOutcome,
  ms: (endpoint: number) => number = () => 1,
): void {
  report(detector, states[0], ['success'])
  for (const [index, state] of states.entries())
    for (let nth = 0; nth < 100; nth++) report(detector, state, [outcome(index, nth)], ms(index))
  clock.advance(10_001)
  report(detector, states[1], ['success'])
}
describe('endpoints compared with each other', () => {
  const off = { consecutiveGatewayErrors: 0 }

  it('lose the one that fails far more often', () => {
    const mesh = detect(5, { ...off, successRate: { minimumHosts: 3, requestVolume: 100, stdevFactor: 1900 } })
    interval(mesh, (endpoint, nth) => (endpoint === 3 && nth < 60 ? '5xx' : 'success'))
    expect(changes).toEqual(['3 out'])
    expect(mesh.states[3]?.reason).toBe('success-rate')
  })

  it('lose those that fail more than the percentage', () => {
    const mesh = detect(5, { ...off, failurePercentage: { minimumHosts: 3, requestVolume: 100, threshold: 50 } })
    interval(mesh, (endpoint, nth) => (nth < [0, 49, 50, 90, 10][endpoint]! ? '5xx' : 'success'))
    expect(changes).toEqual(['3 out', '2 out'])
  })

  it('lose the one that is far slower', () => {
    const mesh = detect(5, { ...off, latency: { minimumHosts: 3, requestVolume: 100, factor: 5 } })
    interval(
      mesh,
      () => 'success',
      (endpoint) => (endpoint === 2 ? 80 : 10 + endpoint),
    )
    expect(changes).toEqual(['2 out'])
  })

  it('are left alone when they are too few, or asked too little', () => {
    const few = detect(2, { ...off, failurePercentage: { minimumHosts: 3, requestVolume: 100, threshold: 50 } })
    interval(few, (endpoint) => (endpoint === 1 ? '5xx' : 'success'))
    const little = detect(5, { ...off, failurePercentage: { minimumHosts: 3, requestVolume: 102, threshold: 50 } })
    interval(little, (endpoint) => (endpoint === 1 ? '5xx' : 'success'))
    expect(changes).toEqual([])
  })
})
