import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { routeMatch } from '../../../test/kit/arbitrary-specs.ts'
import { match } from '../../../test/kit/mesh-builder.ts'
import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { RouteMatchSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { decodeRouteMatch, encodeRouteMatch } from './route-match.xds.ts'

describe('route match over xDS', () => {
  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(routeMatch, (spec) => {
        expect(decodeRouteMatch(overTheWire(RouteMatchSchema, encodeRouteMatch(spec)))).toEqual(spec)
      }),
    )
  })

  it('says a prefix of whole path elements as Envoy does', () => {
    expect(encodeRouteMatch(match({ path: { kind: 'prefix', value: '/' } })).pathSpecifier).toEqual({
      case: 'prefix',
      value: '/',
    })
    expect(encodeRouteMatch(match({ path: { kind: 'prefix', value: '/v2' } })).pathSpecifier).toEqual({
      case: 'pathSeparatedPrefix',
      value: '/v2',
    })
    const below = match({ path: { kind: 'prefix', value: '/shop.Cart/' } })
    const said = overTheWire(RouteMatchSchema, encodeRouteMatch(below))
    expect(said.pathSpecifier).toEqual({ case: 'prefix', value: '/shop.Cart/' })
    expect(decodeRouteMatch(said)).toEqual(below)
  })

  it('takes a prefix of characters, as other control planes send it, for the expression it means', () => {
    const message = overTheWire(RouteMatchSchema, { pathSpecifier: { case: 'prefix', value: '/a.b' } })
    expect(decodeRouteMatch(message).path).toEqual({ kind: 'regex', value: String.raw`/a\.b.*` })
  })

  it.each([
    [{ caseSensitive: false }, 'ignores case'],
    [{ runtimeFraction: {} }, 'runtimeFraction'],
    [{ grpc: {} }, 'grpc'],
    [{ headers: [{ name: 'x', invertMatch: true }] }, 'header "x": invert_match'],
    [
      { headers: [{ name: 'x', headerMatchSpecifier: { case: 'presentMatch', value: false } }] },
      'header "x": presentMatch',
    ],
    [{ headers: [{ name: 'x', headerMatchSpecifier: { case: 'rangeMatch', value: {} } }] }, 'header "x": rangeMatch'],
    [{ pathSpecifier: { case: 'connectMatcher', value: {} } }, 'path connectMatcher'],
  ] as const)('refuses %j by name', (changes, reason) => {
    const init = { pathSpecifier: { case: 'prefix' as const, value: '/' }, ...changes }
    expect(() => decodeRouteMatch(overTheWire(RouteMatchSchema, init as never))).toThrow(reason)
  })
})
