import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { cors } from '../../../test/kit/arbitrary-specs.ts'
import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { RouteSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { CorsPolicySchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts'
import { RouterSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/router/v3/router_pb.ts'
import { typedConfig } from '../typed-config.xds.ts'
import { corsFilter, decodeCors, encodeCors } from './cors.xds.ts'

describe('CORS over xDS', () => {
  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(cors, (spec) => {
        const message = overTheWire(RouteSchema, { typedPerFilterConfig: encodeCors(spec) })
        expect(decodeCors(message.typedPerFilterConfig)).toEqual(spec)
      }),
    )
  })

  it('is absent when the route has none', () => {
    expect(encodeCors(undefined)).toEqual({})
    expect(decodeCors({})).toBeUndefined()
  })

  it('takes a policy of another control plane, with its defaults', () => {
    const policy = typedConfig(CorsPolicySchema, {
      allowOriginStringMatch: [{ matchPattern: { case: 'safeRegex', value: { regex: '.*' } } }],
      allowMethods: 'GET, PUT',
    })
    expect(decodeCors({ [corsFilter]: policy })).toEqual({
      allowOrigins: ['*'],
      allowCredentials: false,
      allowMethods: ['GET', 'PUT'],
      allowHeaders: [],
      exposeHeaders: [],
      maxAgeSeconds: 5,
    })
  })

  it.each([
    [typedConfig(RouterSchema, {}), 'expected a envoy.extensions.filters.http.cors.v3.CorsPolicy'],
    [typedConfig(CorsPolicySchema, { maxAge: 'soon' }), 'max_age "soon"'],
    [
      typedConfig(CorsPolicySchema, {
        allowOriginStringMatch: [{ matchPattern: { case: 'safeRegex', value: { regex: 'https://(a|b)' } } }],
      }),
      'origin pattern "https://(a|b)"',
    ],
  ])('refuses what it cannot serve, by name', (config, reason) => {
    expect(() => decodeCors({ [corsFilter]: config })).toThrow(reason)
  })
})
