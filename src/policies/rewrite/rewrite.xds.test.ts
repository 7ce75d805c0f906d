import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { pathMatch, rewrite } from '../../../test/kit/arbitrary-specs.ts'
import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { RouteActionSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { decodeRewrite, encodeRewrite } from './rewrite.xds.ts'

const underV1 = { kind: 'prefix', value: '/v1' } as const
const underRoot = { kind: 'prefix', value: '/' } as const

describe('rewrite over xDS', () => {
  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(rewrite, pathMatch, (spec, match) => {
        const message = overTheWire(RouteActionSchema, encodeRewrite(spec, match))
        expect(decodeRewrite(message, match)).toEqual(spec)
      }),
    )
  })

  it('is absent when nothing is rewritten', () => {
    expect(decodeRewrite(overTheWire(RouteActionSchema, encodeRewrite(undefined, underV1)), underV1)).toBeUndefined()
  })

  /** What Envoy does with a path under the prefix. */
  it.each([
    [underV1, '/v2', '/v1/x', '/v2/x'],
    [underV1, '/v2/', '/v1/x', '/v2/x'],
    [underV1, '/', '/v1/x', '/x'],
    [underV1, '/', '/v1', '/'],
    [underRoot, '/v2', '/x', '/v2/x'],
    [underRoot, '/', '/x', '/x'],
  ])('under %j, %s means the same to Envoy: %s becomes %s', (match, value, path, expected) => {
    const { prefixRewrite, regexRewrite } = encodeRewrite({ path: { kind: 'prefix', value } }, match)
    const pattern = regexRewrite?.pattern?.regex
    const rewritten =
      pattern === undefined
        ? `${prefixRewrite}${path.slice(match.value.length)}`
        : path.replace(new RegExp(pattern), regexRewrite?.substitution ?? '')
    expect(rewritten).toBe(expected)
  })

  it.each([
    [{ pathRewritePolicy: {} }, 'path_rewrite_policy'],
    [{ hostRewriteSpecifier: { case: 'autoHostRewrite', value: { value: true } } }, 'autoHostRewrite'],
  ])('refuses %j by name', (init, reason) => {
    expect(() => decodeRewrite(overTheWire(RouteActionSchema, init as never), underV1)).toThrow(reason)
  })
})
