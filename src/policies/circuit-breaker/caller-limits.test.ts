import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { MetadataSchema } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import { CallerLimits } from './caller-limits.runtime.ts'
import { decodeCallerLimits, encodeCallerLimits } from './caller-limits.xds.ts'

function sent(maxRequests: number): unknown {
  return decodeCallerLimits(overTheWire(MetadataSchema, { typedFilterMetadata: encodeCallerLimits({ maxRequests }) }))
}

describe('limits of a caller', () => {
  it('are decoded as they were encoded, and are above 0', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4_294_967_295 }), (maxRequests) => {
        expect(sent(maxRequests)).toEqual({ maxRequests })
      }),
    )
    expect(() => sent(0)).toThrow('max_requests is 0')
    expect(decodeCallerLimits(undefined)).toBeUndefined()
  })

  it('are for each caller apart, and forget who has nothing under way', () => {
    const limits = new CallerLimits({ maxRequests: 2 })
    expect([limits.enters('a'), limits.enters('a'), limits.enters('a'), limits.enters('b')]).toEqual([
      true,
      true,
      false,
      true,
    ])
    limits.left('a')
    expect([limits.enters('a'), limits.enters('a')]).toEqual([true, false])
    for (const caller of ['a', 'a', 'b']) limits.left(caller)
    expect(limits.callers).toBe(0)
  })

  it('follow a change while requests are under way', () => {
    const limits = new CallerLimits({ maxRequests: 2 })
    limits.enters('a')
    limits.enters('a')
    limits.limits = { maxRequests: 1 }
    limits.left('a')
    expect(limits.enters('a')).toBe(false)
    limits.left('a')
    expect(limits.enters('a')).toBe(true)
  })
})
