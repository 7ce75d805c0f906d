// Endpoints that are asked too much get less, and all of it again by and by.
import { beforeEach, describe, expect, it } from 'vitest'

import { balancedEndpoint } from '../../../test/kit/balanced-endpoints.ts'
import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { FinishedAttempt, LoadBalancedEndpoint, LoadBalancer } from '../../contracts/load-balancer.ts'
import { createRandom, type Random } from '../../core/random.ts'
import { createLoadBalancer } from './load-balancing.runtime.ts'
import type { LoadBalancingSpec } from './load-balancing.spec.ts'

let clock: ManualClock
let random: Random
let list: LoadBalancedEndpoint[]

beforeEach(() => {
  clock = new ManualClock()
  random = createRandom(1)
  list = Array.from({ length: 10 }, (_, i) => balancedEndpoint({ address: `10.0.0.${i}:80` }))
})

const balance = (spec: LoadBalancingSpec): LoadBalancer => createLoadBalancer(list, spec, { clock, random })

function answer(changes: Partial<FinishedAttempt>): FinishedAttempt {
  const nowMs = clock.monotonicMs()
  return { outcome: 'response', status: 200, grpcStatus: undefined, startMs: nowMs, respondedMs: nowMs, ...changes }
}

/** Share of one endpoint among many picks at this moment. */
function shareOf(endpoint: LoadBalancedEndpoint, balancer: LoadBalancer): number {
  let count = 0
  for (let i = 0; i < 20_000; i++) if (balancer.pick() === endpoint) count++
  return count / 20_000
}

const first = (): LoadBalancedEndpoint => list[0] as LoadBalancedEndpoint

const algorithms: readonly LoadBalancingSpec[] = [
  { kind: 'round-robin' },
  { kind: 'random' },
  { kind: 'least-request', choiceCount: 2 },
]

describe.each(algorithms)('an endpoint that says that it is asked too much, with $kind', (spec) => {
  it('gets half of its share, which grows back', () => {
    const balancer = balance(spec)
    balancer.attemptOver?.(first(), answer({ status: 429 }))
    expect(shareOf(first(), balancer)).toBeCloseTo(0.05, 2)
    clock.advance(5_000)
    expect(shareOf(first(), balancer)).toBeCloseTo(0.075, 2)
    clock.advance(5_000)
    expect(shareOf(first(), balancer)).toBeCloseTo(0.1, 2)
  })

  it('gets next to nothing for as long as it asks to be left alone, in gRPC too', () => {
    const balancer = balance(spec)
    balancer.attemptOver?.(first(), answer({ grpcStatus: 8, retryAfterMs: 20_000 }))
    expect(shareOf(first(), balancer)).toBeCloseTo(0.005, 2)
    clock.advance(19_000)
    expect(shareOf(first(), balancer)).toBeGreaterThan(0.08)
    balancer.attemptOver?.(first(), answer({ status: 429, retryAfterMs: 3_600_000 }))
    clock.advance(60_000)
    expect(shareOf(first(), balancer)).toBeCloseTo(0.1, 2)
  })
})

describe('a limited endpoint', () => {
  it('is not cut again by what was under way when it said so', () => {
    const balancer = balance({ kind: 'random' })
    const startMs = clock.monotonicMs()
    clock.advance(10)
    for (let i = 0; i < 5; i++) balancer.attemptOver?.(first(), answer({ status: 429, startMs }))
    expect(first().limitedShare).toBe(0.5)
    clock.advance(1)
    balancer.attemptOver?.(first(), answer({ status: 429 }))
    expect(first().limitedShare).toBeCloseTo(0.25, 3)
  })

  it('serves when all others have been tried, and when all are limited', () => {
    const balancer = balance({ kind: 'least-request', choiceCount: 2 })
    balancer.attemptOver?.(first(), answer({ status: 429, retryAfterMs: 60_000 }))
    const others = new Set(list.slice(1))
    for (let i = 0; i < 100; i++) expect(balancer.pick(others)).toBe(first())
    for (const endpoint of others) balancer.attemptOver?.(endpoint, answer({ status: 429, retryAfterMs: 60_000 }))
    expect(shareOf(first(), balancer)).toBeCloseTo(0.1, 2)
  })

  it('has less in other zones too: they take what the own zone is not to have', () => {
    list = ['eu-1', 'eu-2'].map((zone, i) =>
      balancedEndpoint({ address: `10.0.0.${i}:80`, locality: { region: 'eu', zone, subZone: '' } }),
    )
    const locality = { region: 'eu', zone: 'eu-1', subZone: '' }
    const spec = { kind: 'least-request', choiceCount: 2, locality: 'zone-aware' } as const
    const balancer = createLoadBalancer(list, spec, { clock, random, locality })
    expect(shareOf(first(), balancer)).toBe(1)
    balancer.attemptOver?.(first(), answer({ status: 429 }))
    expect(shareOf(first(), balancer)).toBeCloseTo(0.5, 1)
  })

  it('is remembered when the endpoints change', () => {
    balance({ kind: 'random' }).attemptOver?.(first(), answer({ status: 429, retryAfterMs: 60_000 }))
    expect(shareOf(first(), balance({ kind: 'random' }))).toBeLessThan(0.01)
  })

  it('keeps its keys where requests are hashed', () => {
    const balancer = balance({ kind: 'maglev', tableSize: 251 })
    const before = Array.from({ length: 100 }, (_, i) => balancer.pick(undefined, i))
    for (const endpoint of list.slice(0, 5)) balancer.attemptOver?.(endpoint, answer({ status: 429 }))
    expect(Array.from({ length: 100 }, (_, i) => balancer.pick(undefined, i))).toEqual(before)
  })
})

/** 500 requests a second for two minutes, 10 a second of one endpoint are answered: how many were refused, and how many it served. */
function refusedOf(learns: boolean, retryAfterMs?: number): { refused: number; served: number } {
  const balancer = balance({ kind: 'least-request', choiceCount: 2 })
  let tokens = 10
  let refused = 0
  let served = 0
  for (let i = 0; i < 60_000; i++) {
    clock.advance(2)
    tokens = Math.min(10, tokens + 0.02)
    if (balancer.pick() !== first()) continue
    if (tokens < 1) {
      refused++
      if (learns) balancer.attemptOver?.(first(), answer({ status: 429, retryAfterMs }))
    } else {
      tokens--
      served++
    }
  }
  return { refused: refused / 60_000, served: served / 1_200 }
}

describe('one endpoint of ten that is limited to a fifth of its share', () => {
  it('refuses far less than it would, and serves most of what it can', () => {
    const naive = refusedOf(false)
    expect(naive.refused).toBeGreaterThan(0.07)
    const halved = refusedOf(true)
    const told = refusedOf(true, 1_000)
    for (const { refused, served } of [halved, told]) {
      expect(refused).toBeLessThan(naive.refused / 10)
      expect(served).toBeGreaterThan(0.9)
    }
  })
})
