import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { hedging } from '../../../test/kit/arbitrary-traffic-specs.ts'
import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { MetadataSchema } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import { HeaderList } from '../../core/header-list.ts'
import { createRandom } from '../../core/random.ts'
import { HedgeDelay, mayBeHedged } from './hedging.runtime.ts'
import { defaultHedging, hedgingSchema, toHedgingSpec } from './hedging.schema.ts'
import { decodeHedging, encodeHedging } from './hedging.xds.ts'

describe('hedging over xDS', () => {
  it('is decoded as it was encoded', () => {
    fc.assert(
      fc.property(hedging, (spec) => {
        const metadata = overTheWire(MetadataSchema, { typedFilterMetadata: encodeHedging(spec) })
        expect(decodeHedging(metadata)).toEqual(spec)
      }),
    )
  })

  it('is none where a cluster says nothing', () => {
    expect(decodeHedging(undefined)).toBeUndefined()
    expect(decodeHedging(overTheWire(MetadataSchema, {}))).toBeUndefined()
  })
})

describe('hedging as written', () => {
  it('is, with nothing in it, what holds without a policy', () => {
    expect(toHedgingSpec(hedgingSchema.parse({}))).toEqual(defaultHedging)
  })

  it('can be turned off', () => {
    expect(toHedgingSpec(hedgingSchema.parse({ mode: 'Off' }))).toBeUndefined()
  })

  it.each([{ percentile: 100 }, { percentile: 1 }, { factor: 0.5 }, { minDelay: '0s' }])('refuses %o', (settings) => {
    expect(hedgingSchema.safeParse(settings).success).toBe(false)
  })
})

describe('the delay before another endpoint is asked', () => {
  const spec = { percentile: 99, factor: 3, minDelayMs: 100 }

  it('is the least while little is known, and for whoever answers fast', () => {
    const delay = new HedgeDelay(spec)
    for (let i = 0; i < 64; i++) delay.responded(5_000)
    expect(delay.delayMs).toBe(100)
    const fast = new HedgeDelay(spec)
    for (let i = 0; i < 1_000; i++) fast.responded(0.2)
    expect(fast.delayMs).toBe(100)
  })

  it('is three times the time that 99 of 100 need, within 10 %', () => {
    const delay = new HedgeDelay(spec)
    const random = createRandom(3)
    // uniform between 0 and 1,000 ms: 99 of 100 need 990 ms at most
    for (let i = 0; i < 4_000; i++) delay.responded(1_000 * random.next())
    expect(delay.delayMs).toBeGreaterThan(0.9 * 2_970)
    expect(delay.delayMs).toBeLessThan(1.1 * 2_970)
  })

  it('follows when times change', () => {
    const delay = new HedgeDelay(spec)
    for (let i = 0; i < 4_000; i++) delay.responded(1_000)
    expect(delay.delayMs).toBeGreaterThan(2_900)
    for (let i = 0; i < 40_000; i++) delay.responded(10)
    expect(delay.delayMs).toBe(100)
  })

  it('holds times without bound in its last bucket', () => {
    const delay = new HedgeDelay(spec)
    for (let i = 0; i < 200; i++) delay.responded(Number.MAX_VALUE)
    expect(delay.delayMs).toBeGreaterThan(3_600_000)
  })
})

it.each([
  ['GET', true],
  ['HEAD', true],
  ['PUT', false],
  ['POST', false],
])('%s may be hedged: %s', (method, expected) => {
  const head = { method, scheme: 'http', authority: 'a', path: '/', headers: new HeaderList() } as const
  expect(mayBeHedged(head)).toBe(expected)
})
