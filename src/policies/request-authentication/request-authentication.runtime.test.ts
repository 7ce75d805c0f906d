// What becomes of requests with good tokens, without any, and with those that have had their time.
import { generateKeyPairSync, sign } from 'node:crypto'

import type { JWK } from 'jose'
import { describe, expect, it } from 'vitest'

import {
  bearer,
  ed25519,
  filterOf,
  goodClaims,
  issuer,
  jwks,
  jwt,
  nowSeconds,
  p256,
  p384,
  p521,
  publicJwk,
  request,
  rsa,
  stranger,
} from '../../../test/kit/json-web-tokens.ts'
import type { FilteredRequest, FilterResult } from '../../contracts/http-filter.ts'
import { parseJwks } from './jwks.runtime.ts'
import type { JwtRule } from './request-authentication.spec.ts'

const base64url = (text: string): string => Buffer.from(text).toString('base64url')

function expectRefused(result: FilterResult, detail: string | RegExp): void {
  expect(result).toMatchObject({ status: 401, flags: [], detail: expect.stringMatching(detail) as string })
  expect(result?.headers).toEqual(['www-authenticate', 'Bearer realm="shop.example", error="invalid_token"'])
}

describe('a good token', () => {
  it.each([
    ['RS256', 'rsa', rsa.privateKey],
    ['RS384', 'rsa', rsa.privateKey],
    ['RS512', 'rsa', rsa.privateKey],
    ['PS256', 'rsa', rsa.privateKey],
    ['PS384', 'rsa', rsa.privateKey],
    ['PS512', 'rsa', rsa.privateKey],
    ['RS256', 'only-rs256', rsa.privateKey],
    ['ES256', 'p256', p256.privateKey],
    ['ES384', 'p384', p384.privateKey],
    ['ES512', 'p521', p521.privateKey],
    ['EdDSA', 'ed25519', ed25519.privateKey],
  ])('of %s by the key %s says whom the request is from', async (alg, kid, key) => {
    const one = bearer(await jwt(goodClaims, { alg, kid }, key))
    expect(await filterOf({}).filter.apply(one)).toBeUndefined()
    expect(one.token).toEqual({ issuer, subject: 'alice', audiences: ['shop'], claims: goodClaims })
    expect(one.head.headers.has('authorization')).toBe(false)
  })
})

describe('a request without token', () => {
  it.each([
    [[]],
    [[['authorization', 'Basic YTpi']]],
    [[['authorization', 'Bearer']]],
    [[['x-other', 'Bearer a.b.c']]],
  ] as (readonly [string, string])[][][])('goes on at once: %j', (headers) => {
    const one = request(headers)
    expect(filterOf({}).filter.apply(one)).toBeUndefined()
    expect(one.token).toBeUndefined()
  })
})

describe('times', () => {
  it.each([
    [{ exp: nowSeconds - 59 }, undefined],
    [{ exp: nowSeconds - 60 }, 'Jwt is expired'],
    [{ exp: 0 }, 'Jwt is expired'],
    [{ exp: -1 }, 'Jwt is expired'],
    [{ exp: undefined }, undefined],
    [{ nbf: nowSeconds + 60 }, undefined],
    [{ nbf: nowSeconds + 60.5 }, 'Jwt not yet valid'],
  ])('are off by a minute at most: %j', async (times, detail) => {
    const result = await filterOf({}).filter.apply(bearer(await jwt({ ...goodClaims, ...times })))
    expect(result?.detail).toBe(detail)
  })
})

describe('audiences', () => {
  it.each([
    [[], undefined, true],
    [['shop'], undefined, false],
    [['shop', 'pay'], 'pay', true],
    [['shop'], ['other', 'shop'], true],
    [['shop'], 'SHOP', false],
    [['shop'], [], false],
    [['shop'], 'shop/', false],
  ])('%j take a token for %j: %s', async (audiences, aud, good) => {
    const result = await filterOf({ audiences }).filter.apply(bearer(await jwt({ ...goodClaims, aud })))
    if (good) expect(result).toBeUndefined()
    else expectRefused(result, 'Audiences in Jwt are not allowed')
  })
})

describe('a token is found and taken out', () => {
  const places: Partial<JwtRule> = {
    fromHeaders: [
      { name: 'X-Token', prefix: 'Token ' },
      { name: 'X-Plain', prefix: '' },
    ],
    fromParams: ['t'],
    fromCookies: ['session'],
  }
  it.each<[string, Partial<JwtRule>, [string, string][], string, [string, string][], string]>([
    ['from Authorization', {}, [['authorization', 'Bearer $']], '/', [], '/'],
    ['whatever case the scheme has', {}, [['AUTHORIZATION', 'bearer  $']], '/', [], '/'],
    ['from access_token', {}, [], '/a?x=1&access_token=$&y=%20', [], '/a?x=1&y=%20'],
    ['from access_token alone', {}, [], '/a?access_token=$', [], '/a'],
    ['from an encoded parameter', {}, [], '/a?access%5Ftoken=$', [], '/a'],
    [
      'from a header',
      places,
      [
        ['x-token', 'Token $'],
        ['a', 'b'],
      ],
      '/',
      [['a', 'b']],
      '/',
    ],
    ['from a header without prefix', places, [['x-plain', '$']], '/', [], '/'],
    ['from a parameter', places, [], '/?t=$', [], '/'],
    ['from a cookie', places, [['cookie', 'a=b; session=$;c=d']], '/', [['cookie', 'a=b; c=d']], '/'],
    ['from a quoted cookie', places, [['cookie', 'session="$"']], '/', [], '/'],
    [
      'from one of several lines of cookies',
      places,
      [
        ['cookie', 'a=b'],
        ['cookie', 'session=$'],
      ],
      '/',
      [['cookie', 'a=b']],
      '/',
    ],
  ])('%s', async (_, rule, headers, path, headersAfter, pathAfter) => {
    const token = await jwt()
    const put = (text: string): string => text.replace('$', token)
    const make = (): FilteredRequest =>
      request(
        headers.map(([name, value]) => [name, put(value)]),
        put(path),
      )

    const taken = make()
    expect(await filterOf(rule).filter.apply(taken)).toBeUndefined()
    expect(taken.token?.subject).toBe('alice')
    expect([...taken.head.headers]).toEqual(headersAfter)
    expect(taken.head.path).toBe(pathAfter)

    const left = make()
    expect(await filterOf({ ...rule, forwardOriginalToken: true }).filter.apply(left)).toBeUndefined()
    expect([...left.head.headers]).toEqual(headers.map(([name, value]) => [name, put(value)]))
    expect(left.head.path).toBe(put(path))
  })

  it.each<[[string, string][], string]>([
    [[['authorization', 'Bearer $']], '/?access_token=$'],
    [[['x-token', '$']], '/'],
    [[['cookie', 'other=$']], '/?other=$#t=$'],
  ])('only where the rule looks: %j %s', async (headers, path) => {
    const token = await jwt()
    const one = request(
      headers.map(([name, value]) => [name, value.replace('$', token)]),
      path.replaceAll('$', token),
    )
    expect(filterOf(places).filter.apply(one)).toBeUndefined()
    expect(one.token).toBeUndefined()
  })

  it.each<[[string, string][], string]>([
    [
      [
        ['authorization', 'Bearer $'],
        ['authorization', 'Bearer $'],
      ],
      '/',
    ],
    [[['authorization', 'Bearer $']], '/?access_token=$'],
    [
      [
        ['authorization', 'Bearer $'],
        ['Authorization', 'Bearer e30.e30.e30'],
      ],
      '/',
    ],
    [[], '/?access_token=$&access_token=$'],
    [[], '/?access_token=$&access%5ftoken=e30.e30.e30'],
    [
      [
        ['x-token', 'Token $'],
        ['x-plain', '$'],
      ],
      '/',
    ],
    [[['cookie', 'session=$; session=$']], '/'],
  ])('never beside another: %j %s', async (headers, path) => {
    const token = await jwt()
    const one = request(
      headers.map(([name, value]) => [name, value.replace('$', token)]),
      path.replaceAll('$', token),
    )
    const { filter } = filterOf({}, { ...places, issuer: 'https://other.example' })
    expectRefused(await filter.apply(one), 'Jwt occurs more than once')
    expect(one.token).toBeUndefined()
  })

  it('whatever is encoded in a parameter', async () => {
    const one = request([], `/?access_token=${(await jwt()).replaceAll('.', '%2E')}`)
    expect(await filterOf({}).filter.apply(one)).toBeUndefined()
    expect(one.token).toBeDefined()
  })

  it('by the longest prefix of several', async () => {
    const fromHeaders = ['', 'Long ', 'Long prefix '].map((prefix) => ({ name: 'x', prefix }))
    const one = request([['x', `long prefix ${await jwt()}`]])
    expect(await filterOf({ fromHeaders }).filter.apply(one)).toBeUndefined()
    expect(one.token).toBeDefined()
  })

  it('for the rule of that place and issuer alone', async () => {
    const other = 'https://other.example'
    const rules = [{ fromParams: ['a'] }, { issuer: other, fromParams: ['b'] }]
    const theirs = await jwt({ ...goodClaims, iss: other })
    expectRefused(await filterOf(...rules).filter.apply(request([], `/?a=${theirs}`)), 'issuer is not configured')
    const one = request([], `/?b=${theirs}`)
    expect(await filterOf(...rules).filter.apply(one)).toBeUndefined()
    expect(one.token?.issuer).toBe(other)
  })
})

describe('headers for the application', () => {
  const outputs: Partial<JwtRule> = {
    outputPayloadToHeader: 'X-Payload',
    outputClaimToHeaders: [
      'text',
      'number',
      'flag',
      'list',
      'object',
      'object.inner',
      'dotted.name',
      'missing',
      'nothing',
    ].map((claim) => ({ header: `X-${claim}`, claim })),
  }
  const claims = {
    ...goodClaims,
    text: 'Zoë\r\nx-forged: 1',
    number: 1.5,
    flag: false,
    list: ['a'],
    object: { inner: 'deep' },
    'dotted.name': 'own',
    nothing: null,
  }

  it('hold what the token says, and are left out where a header cannot say it', async () => {
    const token = await jwt(claims)
    const one = bearer(token)
    expect(await filterOf(outputs).filter.apply(one)).toBeUndefined()
    expect(Object.fromEntries(one.head.headers)).toEqual({
      'X-Payload': token.split('.')[1],
      'X-number': '1.5',
      'X-flag': 'false',
      'X-list': base64url('["a"]'),
      'X-object': base64url('{"inner":"deep"}'),
      'X-object.inner': 'deep',
      'X-dotted.name': 'own',
    })
  })

  it('have no blanks that would be lost, and are not forged by another spelling', async () => {
    const one = request([
      ['x_text', 'forged'],
      ['authorization', `Bearer ${await jwt({ ...claims, text: ' admin' })}`],
    ])
    expect(await filterOf(outputs).filter.apply(one)).toBeUndefined()
    expect([...one.head.headers].filter(([name]) => /^x.text$/i.test(name))).toEqual([])
    const plain = bearer(await jwt({ ...claims, text: 'Zoë' }))
    expect(await filterOf(outputs).filter.apply(plain)).toBeUndefined()
    expect(plain.head.headers.get('x-text')).toBe(Buffer.from('Zoë').toString('latin1'))
  })

  it('are never those of the caller', async () => {
    const forged: [string, string][] = [
      ['x-payload', 'forged'],
      ['X-TEXT', 'forged'],
      ['x-text', 'forged'],
      ['x-missing', 'forged'],
    ]
    const { filter } = filterOf({}, { ...outputs, issuer: 'https://other.example' })
    const without = request(forged)
    expect(filter.apply(without)).toBeUndefined()
    expect(without.head.headers.size).toBe(0)
    const withToken = request([...forged, ['authorization', `Bearer ${await jwt(claims)}`]])
    expect(await filter.apply(withToken)).toBeUndefined()
    expect(withToken.head.headers.size).toBe(0)
    const refused = request([...forged, ['authorization', 'Bearer a']])
    expectRefused(filter.apply(refused) as FilterResult, 'two dots')
    expect([...refused.head.headers]).toEqual([['authorization', 'Bearer a']])
  })

  it('come from the members of the claims, not of what they are made of', async () => {
    const one = bearer(await jwt())
    const outputClaimToHeaders = ['constructor', '__proto__', 'toString.name'].map((claim) => ({ header: 'x', claim }))
    expect(await filterOf({ outputClaimToHeaders }).filter.apply(one)).toBeUndefined()
    expect(one.head.headers.size).toBe(0)
  })
})

describe('a token that was verified', () => {
  it('waits for nothing the next time, and says the same', async () => {
    const token = await jwt()
    const { filter } = filterOf({ outputPayloadToHeader: 'x-payload' })
    const [first, next] = [bearer(token), bearer(token)]
    expect(filter.apply(first)).toBeInstanceOf(Promise)
    await filter.apply(first)
    expect(filter.apply(next)).toBeUndefined()
    expect(next.token).toEqual(first.token)
    expect([...next.head.headers]).toEqual([['x-payload', token.split('.')[1]]])
  })

  it('is forgotten when it expires', async () => {
    const { filter, clock } = filterOf({})
    const token = await jwt()
    await filter.apply(bearer(token))
    clock.advance(659_999)
    expect(filter.apply(bearer(token))).toBeUndefined()
    clock.advance(1)
    expectRefused(await filter.apply(bearer(token)), 'Jwt is expired')
  })

  it('is forgotten when the keys are others', async () => {
    const { filter, source } = filterOf({})
    const token = await jwt()
    await filter.apply(bearer(token))
    const jwk = await publicJwk(p384.publicKey, { kid: 'p384' })
    source.keys = source.next = parseJwks(JSON.stringify({ keys: [jwk] }))
    expectRefused(await filter.apply(bearer(token)), "doesn't have key")
    source.keys = source.next = undefined
    expectRefused(await filter.apply(bearer(token)), 'remote fetch is failed')
  })

  it('counts only in the places of its rule', async () => {
    const { filter } = filterOf({ fromParams: ['a'] }, { issuer: 'https://other.example', fromParams: ['b'] })
    const token = await jwt()
    expect(await filter.apply(request([], `/?a=${token}`))).toBeUndefined()
    expectRefused(await filter.apply(request([], `/?b=${token}`)), 'issuer is not configured')
  })

  it('is one of a thousand, the least recently used goes first', async () => {
    const { filter } = filterOf({})
    const tokens = await Promise.all(Array.from({ length: 1001 }, (_, n) => jwt({ ...goodClaims, n })))
    for (const token of tokens.slice(0, 1000)) await filter.apply(bearer(token))
    expect(filter.apply(bearer(tokens[0] as string))).toBeUndefined()
    await filter.apply(bearer(tokens[1000] as string))
    expect(filter.apply(bearer(tokens[0] as string))).toBeUndefined()
    expect(filter.apply(bearer(tokens[1] as string))).toBeInstanceOf(Promise)
  })

  it('is no way in for a bad one', async () => {
    const { filter } = filterOf({})
    const bad = await jwt(goodClaims, {}, stranger.privateKey)
    for (let times = 0; times < 3; times++) expectRefused(await filter.apply(bearer(bad)), 'verification fails')
  })
})

describe('keys', () => {
  it('are loaded when there are none, and asked for anew when one is missing', async () => {
    const { filter, source } = filterOf({})
    source.keys = undefined
    expect(await filter.apply(bearer(await jwt()))).toBeUndefined()
    expect(source.calls).toEqual(['load'])
    const keys = [...JSON.parse(jwks).keys, await publicJwk(stranger.publicKey, { kid: 'new' })] as JWK[]
    source.next = parseJwks(JSON.stringify({ keys }))
    expect(await filter.apply(bearer(await jwt(goodClaims, { kid: 'new' }, stranger.privateKey)))).toBeUndefined()
    expect(source.calls).toEqual(['load', 'reload'])
  })

  it('that are not to be had let nobody pass', async () => {
    const { filter, source } = filterOf({})
    source.keys = source.next = undefined
    expectRefused(await filter.apply(bearer(await jwt())), 'Jwks remote fetch is failed')
  })

  it('without kid are for tokens without', async () => {
    const { filter, source } = filterOf({})
    const two = [await publicJwk(stranger.publicKey, {}), await publicJwk(p256.publicKey, {})]
    source.keys = source.next = parseJwks(JSON.stringify({ keys: two }))
    expect(await filter.apply(bearer(await jwt(goodClaims, { kid: undefined })))).toBeUndefined()
    expectRefused(await filter.apply(bearer(await jwt())), "doesn't have key")
  })

  it('that are damaged or weak verify nothing', async () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const { filter, source } = filterOf({})
    const damaged = { ...(await publicJwk(p256.publicKey, { kid: 'damaged' })), x: 'AAAA' }
    const keys = [damaged, { ...weak.publicKey.export({ format: 'jwk' }), kid: 'weak' }]
    source.keys = source.next = parseJwks(JSON.stringify({ keys }))
    expectRefused(await filter.apply(bearer(await jwt(goodClaims, { kid: 'damaged' }))), 'verification fails')
    const header = JSON.stringify({ alg: 'RS256', kid: 'weak' })
    const input = `${base64url(header)}.${base64url(JSON.stringify(goodClaims))}`
    const weakly = `${input}.${sign('sha256', Buffer.from(input), weak.privateKey).toString('base64url')}`
    expectRefused(await filter.apply(bearer(weakly)), 'verification fails')
  })
})

it('names the authority as the realm, whatever it holds', () => {
  const one = bearer('a')
  one.head.authority = 'a"\\b'
  expect(filterOf({}).filter.apply(one)).toMatchObject({
    headers: ['www-authenticate', 'Bearer realm="ab", error="invalid_token"'],
  })
})
