// What is asked, and what an answer, or none, does to the request.
import { describe, expect, it } from 'vitest'

import { request } from '../../../test/kit/json-web-tokens.ts'
import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { FilteredRequest, FilterResult } from '../../contracts/http-filter.ts'
import { externalAuthorizationFilter } from './external-authorization.runtime.ts'
import type {
  AskAuthorization,
  AuthorizationAnswer,
  AuthorizationCheck,
  ExternalAuthorizationSpec,
  HeaderChange,
  HttpAuthorizationService,
} from './external-authorization.spec.ts'

const grpc: ExternalAuthorizationSpec = {
  service: { kind: 'grpc', cluster: 'auth' },
  timeoutMs: 1000,
  failOpen: false,
  statusOnError: 403,
  headersInCheck: [],
}

function http(
  changes: Partial<ExternalAuthorizationSpec> = {},
  service: Partial<HttpAuthorizationService> = {},
): ExternalAuthorizationSpec {
  const base = { kind: 'http', cluster: 'auth', pathPrefix: '' } as const
  return {
    ...grpc,
    service: { ...base, headersToUpstreamOnAllow: [], headersToDownstreamOnDeny: [], ...service },
    ...changes,
  }
}

const callerHeaders: [string, string][] = [
  ['Authorization', 'secret'],
  ['X-User', 'forged'],
  ['X-A', '1'],
  ['x-a', '2'],
  ['cookie', 'c'],
]

function run(
  spec: ExternalAuthorizationSpec,
  ask: AskAuthorization,
  one: FilteredRequest = request(callerHeaders, '/a?b=c'),
): Promise<FilterResult> {
  const deps = { clock: new ManualClock(), ask, principal: 'spiffe://mesh.local/ns/shop/sa/shop' }
  return Promise.resolve(externalAuthorizationFilter(spec, deps).apply(one))
}

const allow = (changes: HeaderChange[] = [], remove: string[] = []): AuthorizationAnswer => ({
  kind: 'allowed',
  changes,
  remove,
})

async function asked(spec: ExternalAuthorizationSpec): Promise<AuthorizationCheck> {
  let asking: AuthorizationCheck | undefined
  await run(spec, async (check) => {
    asking = check
    return allow()
  })
  return asking as AuthorizationCheck
}

describe('a question', () => {
  it('says who asks whom for what', async () => {
    expect(await asked(grpc)).toEqual({
      source: { address: '127.0.0.1', principal: undefined },
      destination: { address: '127.0.0.1', port: 80, principal: 'spiffe://mesh.local/ns/shop/sa/shop' },
      sni: undefined,
      timeMs: 1_700_000_000_000,
      method: 'GET',
      scheme: 'http',
      authority: 'shop.example',
      path: '/a?b=c',
      headers: new Map([
        ['authorization', 'secret'],
        ['x-user', 'forged'],
        ['x-a', '1, 2'],
        ['cookie', 'c'],
      ]),
    })
  })

  it.each<[string, ExternalAuthorizationSpec, string[]]>([
    ['all by gRPC', grpc, ['authorization', 'x-user', 'x-a', 'cookie']],
    ['those that are named by gRPC', { ...grpc, headersInCheck: ['X-*'] }, ['x-user', 'x-a']],
    ['Authorization by HTTP', http(), ['authorization']],
    ['those that are named by HTTP', http({ headersInCheck: ['*-a', 'cookie'] }), ['authorization', 'x-a', 'cookie']],
    ['all by HTTP', http({ headersInCheck: ['*'] }), ['authorization', 'x-user', 'x-a', 'cookie']],
  ])('holds of the headers %s', async (_, spec, names) => {
    expect([...(await asked(spec)).headers.keys()]).toEqual(names)
  })
})

describe('an answer that allows', () => {
  it('lets the request go on as it is', async () => {
    const one = request(callerHeaders)
    expect(await run(grpc, async () => allow(), one)).toBeUndefined()
    expect([...one.head.headers]).toEqual(callerHeaders)
  })

  it('changes the headers of the request', async () => {
    const changes: HeaderChange[] = [
      { name: 'x-user', value: 'alice', how: 'set' },
      { name: 'x-a', value: '3', how: 'add' },
      { name: 'x-b', value: 'b', how: 'add-if-absent' },
      { name: 'x-a', value: 'no', how: 'add-if-absent' },
      { name: 'x-c', value: 'no', how: 'set-if-present' },
      { name: 'authorization', value: 'other', how: 'set-if-present' },
    ]
    const one = request(callerHeaders)
    expect(await run(grpc, async () => allow(changes, ['cookie']), one)).toBeUndefined()
    expect([...one.head.headers]).toEqual([
      ['authorization', 'other'],
      ['x-user', 'alice'],
      ['X-A', '1'],
      ['x-a', '2'],
      ['x-a', '3'],
      ['x-b', 'b'],
    ])
  })

  it.each([':path', ':authority', 'host', 'content-length', 'transfer-encoding', 'connection', 'x a', 'x\r\ny', ''])(
    'counts as none when it touches %j',
    async (name) => {
      const one = request(callerHeaders)
      const good: HeaderChange = { name: 'x-user', value: 'alice', how: 'set' }
      const change: HeaderChange = { name, value: 'a', how: 'set' }
      expect((await run(grpc, async () => allow([good, change]), one))?.status).toBe(403)
      expect((await run(grpc, async () => allow([good], [name]), one))?.status).toBe(403)
      expect([...one.head.headers]).toEqual(callerHeaders)
    },
  )

  it('by HTTP is 200, and gives the headers that are named', async () => {
    const one = request(callerHeaders)
    const spec = http({}, { headersToUpstreamOnAllow: ['x-*', 'content-length'] })
    const headers: [string, string][] = [
      ['x-user', 'alice'],
      ['x-group', 'a'],
      ['x-group', 'b'],
      ['set-cookie', 's'],
      ['content-length', '3'],
    ]
    expect(await run(spec, async () => ({ kind: 'http', status: 200, headers, body: 'yes' }), one)).toBeUndefined()
    expect([...one.head.headers].filter(([name]) => name.startsWith('x-') || name.includes('t'))).toEqual([
      ['Authorization', 'secret'],
      ['x-user', 'alice'],
      ['x-a', '2'],
      ['x-group', 'a'],
      ['x-group', 'b'],
    ])
  })
})

describe('an answer that denies', () => {
  it.each<[number, number]>([
    [401, 401],
    [302, 302],
    [0, 403],
    [99, 403],
    [600, 403],
  ])('with status %i ends the request with %i', async (status, expected) => {
    const changes: HeaderChange[] = [
      { name: 'location', value: '/login', how: 'set' },
      { name: 'content-length', value: '99', how: 'set' },
      { name: 'a b', value: 'c', how: 'set' },
    ]
    expect(await run(grpc, async () => ({ kind: 'denied', status, changes, body: 'no' }))).toEqual({
      status: expected,
      flags: ['UAEX'],
      detail: 'no',
      headers: ['location', '/login'],
    })
  })

  it('says so itself when the server says nothing', async () => {
    expect(await run(grpc, async () => ({ kind: 'denied', status: 403, changes: [], body: '' }))).toEqual({
      status: 403,
      flags: ['UAEX'],
      detail: 'denied by external authorization',
    })
  })

  it.each([201, 204, 301, 401, 403, 429, 499])('by HTTP is anything but 200, such as %i', async (status) => {
    const result = await run(http({ failOpen: true }), async () => ({ kind: 'http', status, headers: [], body: '' }))
    expect(result?.status).toBe(status)
  })

  it.each<[string[], string[]]>([
    [[], ['x-why', 'policy', 'set-cookie', 's', 'www-authenticate', 'Basic']],
    [['x-*'], ['x-why', 'policy', 'www-authenticate', 'Basic']],
  ])('by HTTP gives the caller the headers of %j', async (headersToDownstreamOnDeny, headers) => {
    const answer: AuthorizationAnswer = {
      kind: 'http',
      status: 401,
      headers: [
        ['x-why', 'policy'],
        ['set-cookie', 's'],
        ['www-authenticate', 'Basic'],
        ['content-length', '4'],
        ['transfer-encoding', 'chunked'],
      ],
      body: 'no',
    }
    const result = await run(http({}, { headersToDownstreamOnDeny }), async () => answer)
    expect(result).toEqual({ status: 401, flags: ['UAEX'], detail: 'no', headers })
  })
})

describe('no answer', () => {
  const faults: [string, AskAuthorization][] = [
    ['the server is not there', () => Promise.reject(new Error('refused'))],
    [
      'asking fails at once',
      () => {
        throw new Error('closed')
      },
    ],
    ['the server fails', async () => ({ kind: 'http', status: 503, headers: [], body: '' })],
  ]
  it.each(faults)('ends the request: %s', async (_, ask) => {
    expect(await run(http({ statusOnError: 503 }), ask)).toEqual({
      status: 503,
      flags: ['UAEX'],
      detail: 'no answer from external authorization',
    })
  })

  it.each(faults)('lets it pass where the policy says so: %s', async (_, ask) => {
    expect(await run(http({ failOpen: true }), ask)).toBeUndefined()
  })

  it('within the time is none, and nobody waits for it any more', async () => {
    const clock = new ManualClock()
    let told: AbortSignal | undefined
    const ask: AskAuthorization = (_, signal) => {
      told = signal
      return new Promise(() => undefined)
    }
    const filter = externalAuthorizationFilter(grpc, { clock, ask, principal: undefined })
    const result = Promise.resolve(filter.apply(request([])))
    clock.advance(999)
    await Promise.resolve()
    expect(told?.aborted).toBe(false)
    clock.advance(1)
    expect((await result)?.status).toBe(403)
    expect(told?.aborted).toBe(true)
    expect(clock.pendingCount).toBe(0)
  })

  it('leaves no timer when there is one', async () => {
    const clock = new ManualClock()
    await externalAuthorizationFilter(grpc, { clock, ask: async () => allow(), principal: undefined }).apply(
      request([]),
    )
    expect(clock.pendingCount).toBe(0)
  })
})
