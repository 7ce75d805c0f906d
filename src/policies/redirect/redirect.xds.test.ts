import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { pathMatch, redirect } from '../../../test/kit/arbitrary-specs.ts'
import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { RedirectActionSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { decodeRedirect, encodeRedirect } from './redirect.xds.ts'

const anyPath = { kind: 'prefix', value: '/' } as const

describe('redirect over xDS', () => {
  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(redirect, pathMatch, (spec, match) => {
        expect(decodeRedirect(overTheWire(RedirectActionSchema, encodeRedirect(spec, match)), match)).toEqual(spec)
      }),
    )
  })

  it('takes https_redirect and the default status of other control planes', () => {
    const init = { schemeRewriteSpecifier: { case: 'httpsRedirect' as const, value: true } }
    expect(decodeRedirect(overTheWire(RedirectActionSchema, init), anyPath)).toEqual({
      scheme: 'https',
      statusCode: 301,
    })
  })

  it.each([
    [{ stripQuery: true }, 'strip_query'],
    [{ responseCode: 77 }, 'response code 77'],
    [{ schemeRewriteSpecifier: { case: 'schemeRedirect', value: 'ftp' } }, 'scheme "ftp"'],
  ])('refuses %j by name', (init, reason) => {
    expect(() => decodeRedirect(overTheWire(RedirectActionSchema, init as never), anyPath)).toThrow(reason)
  })
})
