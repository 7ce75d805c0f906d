import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { RequestHead } from '../../contracts/http-message.ts'
import { HeaderList } from '../../core/header-list.ts'
import { createRandom } from '../../core/random.ts'
import { FaultInjector, type DrawnFaults } from './faults.runtime.ts'
import type { FaultsSpec } from './faults.spec.ts'

function request(...headers: [name: string, value: string][]): RequestHead {
  return { method: 'GET', scheme: 'http', authority: 'a', path: '/', headers: HeaderList.of(...headers) }
}

/** What the caller sees of it. */
function seen(drawn: DrawnFaults | undefined): Partial<DrawnFaults> | undefined {
  if (drawn === undefined) return undefined
  const { release: _, ...rest } = drawn
  return rest
}

const nothing = { delayMs: 0, abort: undefined, reset: false, responseBytesPerSecond: Infinity }
const random = createRandom(7)
const clock = new ManualClock()
const always = 1_000_000

function draws(spec: Partial<FaultsSpec>, count = 100_000): (DrawnFaults | undefined)[] {
  const injector = new FaultInjector({ headers: [], ...spec })
  const seeded = createRandom(42)
  return Array.from({ length: count }, () => injector.draw(request(), seeded, clock))
}

describe('faults', () => {
  it('take the share that was asked for, each for itself', () => {
    const drawn = draws({
      delay: { share: 250_000, by: { kind: 'fixed', delayMs: 100 } },
      abort: { share: 100_000, by: { kind: 'http', status: 503 } },
      reset: { share: 500_000 },
    })
    const share = (is: (one: DrawnFaults) => boolean): number =>
      drawn.filter((one) => one !== undefined && is(one)).length / drawn.length
    expect(share(({ delayMs }) => delayMs === 100)).toBeCloseTo(0.25, 2)
    expect(share(({ abort }) => abort !== undefined)).toBeCloseTo(0.1, 2)
    expect(share(({ delayMs, abort }) => delayMs > 0 && abort !== undefined)).toBeCloseTo(0.025, 2)
    expect(share(({ reset }) => reset)).toBeCloseTo(0.45, 2)
    expect(share(({ reset, abort }) => reset && abort !== undefined)).toBe(0)
  })

  it('take every request at 100 % and none at 0', () => {
    const by = { kind: 'http', status: 503 } as const
    expect(draws({ abort: { share: always, by } }, 1000).every((one) => one?.abort?.status === 503)).toBe(true)
    expect(draws({ abort: { share: 0, by } }, 1000).every((one) => one === undefined)).toBe(true)
  })

  it('are for requests with all of the headers', () => {
    const injector = new FaultInjector({
      headers: [
        { name: 'x-test', kind: 'exact', value: 'on' },
        { name: 'x-user', kind: 'regex', value: 'a.*' },
      ],
      delay: { share: always, by: { kind: 'fixed', delayMs: 5 } },
    })
    expect(injector.draw(request(['X-Test', 'on']), random, clock)).toBeUndefined()
    expect(injector.draw(request(['x-test', 'on'], ['x-user', 'bob']), random, clock)).toBeUndefined()
    expect(seen(injector.draw(request(['X-Test', 'on'], ['x-user', 'alice']), random, clock))).toEqual({
      ...nothing,
      delayMs: 5,
    })
  })

  it('are no more at a time than allowed', () => {
    const injector = new FaultInjector({
      headers: [],
      maxActiveFaults: 2,
      delay: { share: always, by: { kind: 'fixed', delayMs: 5 } },
    })
    const first = injector.draw(request(), random, clock)
    expect(injector.draw(request(), random, clock)).toBeDefined()
    expect(injector.draw(request(), random, clock)).toBeUndefined()
    first?.release()
    expect(injector.draw(request(), random, clock)).toBeDefined()
    expect(injector.draw(request(), random, clock)).toBeUndefined()
  })

  it('say a gRPC status to others as the HTTP status that stands for it', () => {
    const injector = new FaultInjector({ headers: [], abort: { share: always, by: { kind: 'grpc', status: 14 } } })
    expect(injector.draw(request(), random, clock)?.abort).toEqual({ status: 503, grpcStatus: 14 })
  })

  it('leave it to the request where the policy says so, and no farther than it says', () => {
    const byHeader = new FaultInjector({
      headers: [],
      delay: { share: always, by: { kind: 'header' } },
      abort: { share: always, by: { kind: 'header' } },
      responseRateLimit: { share: 0, by: { kind: 'header' } },
    })
    const asked: [string, string][] = [
      ['x-envoy-fault-delay-request', '70'],
      ['x-envoy-fault-abort-grpc-request', '8'],
      ['x-envoy-fault-throughput-response', '1'],
      ['x-envoy-fault-throughput-response-percentage', '100'],
    ]
    expect(seen(byHeader.draw(request(...asked), random, clock))).toEqual({
      ...nothing,
      delayMs: 70,
      abort: { status: 429, grpcStatus: 8 },
    })
    expect(byHeader.draw(request(), random, clock)).toBeUndefined()
    expect(byHeader.draw(request(['x-envoy-fault-delay-request', '-1']), random, clock)).toBeUndefined()
    const lowered = request(['x-envoy-fault-abort-request', '500'], ['x-envoy-fault-abort-request-percentage', '0'])
    expect(byHeader.draw(lowered, random, clock)).toBeUndefined()
    const fixed = new FaultInjector({ headers: [], delay: { share: 0, by: { kind: 'fixed', delayMs: 5 } } })
    expect(fixed.draw(request(...asked), random, clock)).toBeUndefined()
  })

  it('slow the response down', () => {
    const injector = new FaultInjector({
      headers: [],
      responseRateLimit: { share: always, by: { kind: 'fixed', limitKbps: 64 } },
    })
    expect(injector.draw(request(), random, clock)?.responseBytesPerSecond).toBe(65_536)
  })

  it('are over when nobody has renewed them in time', () => {
    const untilMs = clock.nowMs() + 60_000
    const injector = new FaultInjector({ headers: [], reset: { share: always }, untilMs })
    clock.advance(59_999)
    expect(injector.draw(request(), random, clock)).toBeDefined()
    clock.advance(1)
    expect(injector.draw(request(), random, clock)).toBeUndefined()
  })
})
