import { describe, expect, it } from 'vitest'

import type { FilteredRequest } from '../../contracts/http-filter.ts'
import { HeaderList } from '../../core/header-list.ts'
import { transformationFilter } from './transformation.runtime.ts'
import type { TransformationSpec } from './transformation.spec.ts'

const nothing = { set: [], add: [], remove: [] }

function filtered(headers: Record<string, string> = {}, path = '/orders/7?user=ann%20b&user=x'): FilteredRequest {
  return {
    head: {
      method: 'GET',
      scheme: 'http',
      authority: 'shop.example',
      path,
      headers: HeaderList.of(...Object.entries(headers)),
    },
    path: '/orders/7',
    peer: {
      principal: 'spiffe://mesh.local/ns/default/sa/web',
      address: '10.0.0.1',
      port: 1234,
      remoteAddress: '192.0.2.7',
      localAddress: '10.0.0.2',
      localPort: 80,
      sni: 'shop.example',
    },
    body: undefined,
    token: {
      issuer: 'i',
      subject: 's',
      audiences: [],
      claims: { sub: 's', realm: { tenant: 'acme' }, roles: ['a', 'b'] },
    },
    authorization: undefined,
  }
}

function changed(request: Partial<TransformationSpec['request']>, of = filtered()): [string, string][] {
  void transformationFilter({ request: { ...nothing, ...request }, response: nothing }).apply(of)
  return [...of.head.headers].map(([name, value]) => [name, value])
}

function valueOf(value: string, of?: FilteredRequest): string | undefined {
  return new Map(changed({ set: [{ name: 'x-out', value }] }, of)).get('x-out')
}

describe('transformation', () => {
  it.each([
    ['as it is 100%%', 'as it is 100%'],
    ['%REQ(x-in)%', 'in'],
    ['%REQ(x-missing?x-in)%!', 'in!'],
    ['%REQ(:authority)% %REQ(:method)% %REQ(:scheme)%', 'shop.example GET http'],
    ['%REQ(:path)%', '/orders/7?user=ann%20b&user=x'],
    ['%PATH(NQ)%', '/orders/7'],
    ['%PATH(WQ):7%', '/orders'],
    ['%QUERY_PARAM(user)%', 'ann b'],
    ['%DOWNSTREAM_PEER_URI_SAN%', 'spiffe://mesh.local/ns/default/sa/web'],
    ['%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%', '192.0.2.7'],
    ['%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%', '10.0.0.1'],
    ['%REQUESTED_SERVER_NAME%', 'shop.example'],
    ['%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:realm:tenant)%', 'acme'],
    ['%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:roles)%', '["a","b"]'],
  ])('makes of %s %s', (value, expected) => {
    expect(valueOf(value, filtered({ 'x-in': 'in' }))).toBe(expected)
  })

  it.each([
    '%REQ(x-missing)%',
    '%QUERY_PARAM(other)%',
    '%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:constructor)%',
    '%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:sub:length)%',
  ])('sets nothing where %s is nothing, and leaves nothing of what the caller claims', (value) => {
    expect(valueOf(value, filtered({ 'x-out': 'forged' }))).toBeUndefined()
  })

  it('knows no claim without a token', () => {
    const anonymous = { ...filtered({ 'x-out': 'forged' }), token: undefined }
    expect(valueOf('%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:sub)%', anonymous)).toBeUndefined()
  })

  it('sets, then adds, then removes, each seeing what came before it: a header is renamed by that', () => {
    const lines = changed(
      {
        set: [{ name: 'x-new', value: '%REQ(x-old)%' }],
        add: [
          { name: 'x-list', value: '%REQ(x-new)%' },
          { name: 'x-list', value: '%REQ(x-missing)%' },
        ],
        remove: ['X-Old'],
      },
      filtered({ 'x-old': '1', 'x-list': '0' }),
    )
    expect(lines).toEqual([
      ['x-list', '0'],
      ['x-new', '1'],
      ['x-list', '1'],
    ])
  })

  it('changes responses by what is known of both', () => {
    const filter = transformationFilter({
      request: nothing,
      response: {
        set: [{ name: 'x-out', value: '%RESPONSE_CODE% %RESP(x-a)% for %REQ(x-in)%' }],
        add: [],
        remove: ['server'],
      },
    })
    const request = filtered({ 'x-in': 'in' })
    expect(filter.apply(request)).toBeUndefined()
    const response = { status: 404, headers: HeaderList.of(['server', 'x'], ['x-a', 'a']) }
    filter.respond?.(request, response)
    expect([...response.headers]).toEqual([
      ['x-a', 'a'],
      ['x-out', '404 a for in'],
    ])
  })

  it('cannot be made to write a line of its own by what a caller sends', () => {
    expect(valueOf('%QUERY_PARAM(user)%', filtered({}, '/?user=a%0d%0aset-cookie:%20x'))).toBe('a??set-cookie: x')
  })

  it('sees no responses where it changes none', () => {
    expect(transformationFilter({ request: nothing, response: nothing }).respond).toBeUndefined()
  })
})
