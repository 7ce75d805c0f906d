import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { hashPolicy } from '../../../test/kit/arbitrary-specs.ts'
import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import type { RequestHead } from '../../contracts/http-message.ts'
import { MetadataSchema } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import { HeaderList } from '../../core/header-list.ts'
import { createRandom } from '../../core/random.ts'
import { compileStickySplit } from './sticky-split.runtime.ts'
import { toStickySplit, trafficSplitSchema } from './sticky-split.schema.ts'
import { decodeStickySplit, encodeStickySplit } from './sticky-split.xds.ts'

const callers = 20_000
const random = createRandom(11)
const byUser = toStickySplit(trafficSplitSchema.parse({ stickyOn: [{ type: 'Header', name: 'X-User' }] }))

function request(...headers: [string, string][]): RequestHead {
  return { method: 'GET', scheme: 'http', authority: 'a', path: '/', headers: HeaderList.of(...headers) }
}

/** Whom each caller gets. */
function spread(weights: Readonly<Record<string, number>>): (string | undefined)[] {
  const items = Object.entries(weights).map(([name, weight]) => ({ name, weight }))
  const split = compileStickySplit(items, byUser, ({ name }) => name)
  return Array.from({ length: callers }, (_, user) => split(request(['x-user', `user-${user}`]), random)?.item.name)
}

function moved(before: readonly unknown[], after: readonly unknown[]): number {
  return before.filter((one, caller) => one !== after[caller]).length / callers
}

describe('a sticky split', () => {
  it.each([
    { a: 90, b: 10 },
    { a: 1, b: 1, c: 1 },
    { a: 1, b: 999, c: 0 },
    { a: 5, b: 15, c: 30, d: 50 },
  ])('gives each its share, %o', (weights: Record<string, number>) => {
    const chosen = spread(weights)
    const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0)
    for (const [name, weight] of Object.entries(weights)) {
      const share = weight / total
      const bound = 4 * Math.sqrt((share * (1 - share)) / callers)
      expect(Math.abs(chosen.filter((one) => one === name).length / callers - share)).toBeLessThanOrEqual(bound)
    }
  })

  it.each([
    [{ a: 90, b: 10 }, { a: 80, b: 20 }, 0.1],
    [{ a: 1, b: 1, c: 1 }, { a: 1, b: 2, c: 2 }, 2 / 15],
    [{ a: 1, b: 1 }, { a: 1, b: 1, c: 1 }, 1 / 3],
    [{ a: 90, b: 10 }, { b: 10, a: 90 }, 0],
    [{ a: 9, b: 1 }, { a: 900, b: 100 }, 0],
  ])('moves no more than it must from %o to %o', (before, after, least) => {
    expect(moved(spread(before), spread(after))).toBeLessThanOrEqual(1.1 * least)
  })

  it('moves nobody back when a share grows', () => {
    const before = spread({ old: 90, canary: 10 })
    const after = spread({ old: 50, canary: 50 })
    expect(before.filter((one, caller) => one === 'canary' && after[caller] === 'old')).toEqual([])
  })

  it('gives a cookie to whoever has none, which decides from then on', () => {
    const policies = toStickySplit(
      trafficSplitSchema.parse({ stickyOn: [{ type: 'Cookie', name: 'bucket', path: '/', ttl: '1h' }] }),
    )
    const items = ['a', 'b', 'c'].map((name) => ({ name, weight: 1 }))
    const split = compileStickySplit(items, policies, ({ name }) => name)
    const seen = new Set<string>()
    for (let i = 0; i < 50; i++) {
      const first = split(request(), random)
      const line = first?.setCookies?.[0] ?? ''
      expect(line).toMatch(/^bucket=[0-9a-f]{16}; Max-Age=3600; Path=\/; HttpOnly$/)
      const again = split(request(['cookie', line.slice(0, line.indexOf(';'))]), random)
      expect(again).toEqual({ item: first?.item, setCookies: undefined })
      seen.add(first?.item.name ?? '')
    }
    expect(seen.size).toBe(3)
  })

  it('gives those of one name their shares as well', () => {
    const items = [9, 1].map((weight) => ({ name: 'a', weight }))
    const split = compileStickySplit(items, byUser, ({ name }) => name)
    const few = Array.from({ length: callers }, (_, user) => split(request(['x-user', `${user}`]), random)?.item.weight)
    expect(few.filter((weight) => weight === 1).length / callers).toBeCloseTo(0.1, 1)
  })

  it('leaves the draw to others where a request has nothing that decides', () => {
    const split = compileStickySplit([{ name: 'a', weight: 1 }], byUser, ({ name }) => name)
    expect(split(request(), random)).toBeUndefined()
  })
})

describe('a sticky split over xDS', () => {
  it('is decoded as it was encoded', () => {
    fc.assert(
      fc.property(fc.array(hashPolicy, { maxLength: 4 }), (policies) => {
        const metadata = overTheWire(MetadataSchema, { typedFilterMetadata: encodeStickySplit(policies) })
        expect(decodeStickySplit(metadata)).toEqual(policies)
      }),
    )
  })
})

it.each([
  { stickyOn: [] },
  { stickyOn: [{ type: 'Header' }] },
  { stickyOn: [{ type: 'SourceAddress' }] },
  { stickyOn: [{ type: 'Header', name: 'a', ttl: '1h' }] },
  {},
])('refuses %o', (settings) => {
  expect(trafficSplitSchema.safeParse(settings).success).toBe(false)
})
