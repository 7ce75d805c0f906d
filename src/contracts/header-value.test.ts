import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { parseHeaderValue } from './header-value.ts'

describe('header values with command operators', () => {
  it.each([
    ['plain', [{ kind: 'text', text: 'plain' }]],
    ['', []],
    [
      '100 %% of %REQ(X-User)%',
      [
        { kind: 'text', text: '100 % of ' },
        { kind: 'request-header', names: ['x-user'] },
      ],
    ],
    ['%REQ(x-a?:authority):20%', [{ kind: 'request-header', names: ['x-a', ':authority'], maxLength: 20 }]],
    ['%RESP(etag)%', [{ kind: 'response-header', names: ['etag'] }]],
    ['%RESPONSE_CODE%', [{ kind: 'status' }]],
    ['%QUERY_PARAM(user id)%', [{ kind: 'query-parameter', name: 'user id' }]],
    ['%PATH(NQ)%', [{ kind: 'path', query: false }]],
    ['%DOWNSTREAM_PEER_URI_SAN:100%', [{ kind: 'caller', maxLength: 100 }]],
    [
      '%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:realm:tenant)%',
      [{ kind: 'claim', path: ['realm', 'tenant'] }],
    ],
  ])('reads %j', (text, parts) => {
    expect(parseHeaderValue(text)).toEqual(parts)
  })

  it.each([
    ['a %', 2, 'no second "%"'],
    ['a %REQ(x)', 2, 'no second "%"'],
    ['%REQ%', 0, '%REQ% needs an argument'],
    ['x%REQ()%', 1, '"" is no header name'],
    ['%REQ(:status)%', 0, '":status" is no header name'],
    ['%REQ(a?b?c)%', 0, 'one name and one for when it is missing'],
    ['%RESP(:path)%', 0, '":path" is no header name'],
    ['%PATH(X)%', 0, 'WQ (with query) or NQ'],
    ['%RESPONSE_CODE(x)%', 0, 'takes no argument'],
    ['ab%START_TIME%', 2, '%START_TIME% is not known; known are REQ, RESP'],
    ['%constructor%', 0, 'is no operator'],
    ['%DYNAMIC_METADATA(other:x:y)%', 0, 'only claims are known'],
  ])('refuses %j and says where', (text, offset, message) => {
    expect(parseHeaderValue(text)).toEqual({ offset, message: expect.stringContaining(message) as string })
  })

  it('takes any text whose "%" are doubled as it is', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const expected = text === '' ? [] : [{ kind: 'text', text }]
        expect(parseHeaderValue(text.replaceAll('%', '%%'))).toEqual(expected)
      }),
    )
  })
})
