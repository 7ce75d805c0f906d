// What of a request decides where it goes.
import { describe, expect, it } from 'vitest'

import type { RequestHead } from '../../contracts/http-message.ts'
import { HeaderList } from '../../core/header-list.ts'
import { createRandom } from '../../core/random.ts'
import { compileHashPolicies, type RequestKey } from './hash-policy.runtime.ts'
import type { HashPolicySpec } from './load-balancing.spec.ts'

const caller = { address: '10.1.2.3', spiffeId: 'spiffe://mesh.local/ns/default/sa/web' }

function request(path: string, ...headers: [string, string][]): RequestHead {
  return { method: 'GET', scheme: 'http', authority: 'app', path, headers: HeaderList.of(...headers) }
}

function keyOf(policies: HashPolicySpec[], head = request('/'), who = caller): RequestKey {
  return compileHashPolicies(policies)(head, who, createRandom(1))
}

describe('the key of a request', () => {
  it.each<[HashPolicySpec, RequestHead, RequestHead]>([
    [{ kind: 'header', name: 'x-user' }, request('/', ['X-User', 'a']), request('/', ['x-user', 'b'])],
    [{ kind: 'cookie', name: 'id' }, request('/', ['cookie', 'x=1; id=a']), request('/', ['cookie', 'id="b"; idx=a'])],
    [{ kind: 'query-parameter', name: 'u' }, request('/x?u=a&uu=b'), request('/x?uu=a&u=b')],
  ])('is from %j alone', (policy, a, b) => {
    expect(keyOf([policy], a).hash).not.toBe(keyOf([policy], b).hash)
    expect(keyOf([policy], a)).toEqual(keyOf([policy], { ...a, method: 'POST', authority: 'other' }))
    expect(keyOf([policy])).toEqual({ hash: undefined, setCookies: undefined })
  })

  it('is from the caller', () => {
    const other = { address: '10.1.2.4', spiffeId: 'spiffe://mesh.local/ns/default/sa/other' }
    for (const kind of ['source-address', 'source-identity'] as const)
      expect(keyOf([{ kind }]).hash).not.toBe(keyOf([{ kind }], request('/'), other).hash)
    expect(keyOf([{ kind: 'source-identity' }], request('/'), { ...caller, spiffeId: undefined } as never).hash).toBe(
      undefined,
    )
  })

  it('is of all parts, in their order, up to a terminal one that is there', () => {
    const head = request('/?u=a', ['x-user', 'b'])
    const user = { kind: 'header', name: 'x-user' } as const
    const parameter = { kind: 'query-parameter', name: 'u' } as const
    const both = keyOf([user, parameter], head).hash
    expect(both).not.toBe(keyOf([parameter, user], head).hash)
    expect(both).not.toBe(keyOf([user], head).hash)
    expect(keyOf([{ ...user, terminal: true }, parameter], head)).toEqual(keyOf([user], head))
    expect(keyOf([{ ...user, terminal: true }, parameter], request('/?u=a'))).toEqual(
      keyOf([parameter], request('/?u=a')),
    )
  })

  it('is a new cookie where the caller has none, which leads to the same place the next time', () => {
    const policy = { kind: 'cookie', name: 'id', path: '/app', ttlMs: 90_500 } as const
    const { hash, setCookies } = keyOf([policy])
    expect(setCookies).toEqual([expect.stringMatching(/^id=[0-9a-f]{16}; Max-Age=91; Path=\/app; HttpOnly$/)])
    const cookie = setCookies?.[0]?.split(';')[0] ?? ''
    expect(keyOf([policy], request('/', ['cookie', cookie]))).toEqual({ hash, setCookies: undefined })
    expect(keyOf([{ ...policy, ttlMs: 0 }]).setCookies?.[0]).not.toContain('Max-Age')
  })
})
