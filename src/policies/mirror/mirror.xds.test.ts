import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { mirror } from '../../../test/kit/arbitrary-specs.ts'
import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { RouteAction_RequestMirrorPolicySchema as MirrorPolicySchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { decodeMirror, encodeMirror } from './mirror.xds.ts'

describe('mirror over xDS', () => {
  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(mirror, (spec) => {
        expect(decodeMirror(overTheWire(MirrorPolicySchema, encodeMirror(spec)))).toEqual(spec)
      }),
    )
  })

  it('keeps a fraction that Envoy cannot say to a millionth', () => {
    const denominator = fc.integer({ min: 1, max: 2 ** 31 - 1 })
    const fraction = denominator.chain((of) => fc.tuple(fc.integer({ min: 0, max: of }), fc.constant(of)))
    fc.assert(
      fc.property(fraction, ([numerator, of]) => {
        const init = encodeMirror({ cluster: 'a', numerator, denominator: of })
        const decoded = decodeMirror(overTheWire(MirrorPolicySchema, init))
        expect(decoded.numerator / decoded.denominator).toBeCloseTo(numerator / of, 6)
      }),
    )
  })

  it('mirrors every request when no fraction is given', () => {
    expect(decodeMirror(overTheWire(MirrorPolicySchema, { cluster: 'a' }))).toEqual({
      cluster: 'a',
      numerator: 100,
      denominator: 100,
    })
  })

  it('refuses a mirror without a cluster', () => {
    expect(() => decodeMirror(overTheWire(MirrorPolicySchema, {}))).toThrow('the cluster is missing')
  })
})
