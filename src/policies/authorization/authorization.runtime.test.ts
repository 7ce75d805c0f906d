// What the filter answers, what is said of it, and what holds where there are only connections.
import { describe, expect, it } from 'vitest'

import type { FilteredRequest, PeerFacts } from '../../contracts/http-filter.ts'
import { HeaderList } from '../../core/header-list.ts'
import { authorizationFilter, checkCompilable, createAuthorizer } from './authorization.runtime.ts'
import type { Permission, Principal, RbacFilterSpec, RbacRules } from './authorization.spec.ts'
import { needsRequest } from './connection-rules.runtime.ts'

const peer: PeerFacts = {
  principal: 'spiffe://mesh.local/ns/default/sa/web',
  address: '192.0.2.1',
  port: 40_000,
  remoteAddress: '192.0.2.1',
  localAddress: '192.0.2.2',
  localPort: 80,
  sni: undefined,
}
function request(method = 'GET', from = peer): FilteredRequest {
  const head = { method, scheme: 'http' as const, authority: 'a', path: '/a?b', headers: HeaderList.of() }
  return { head, path: '/a', peer: from, body: undefined, token: undefined, authorization: undefined }
}

const any: { kind: 'any' } = { kind: 'any' }
const get: Permission = { kind: 'header', name: ':method', match: { kind: 'exact', value: 'GET', ignoreCase: false } }
function not(rule: Permission): Permission {
  return { kind: 'not', rule }
}
const inBlock: Principal = { kind: 'directRemoteIp', block: { address: '192.0.2.0', prefixLength: 24 } }

function rules(action: RbacRules['action'], permission: Permission = any, principal: Principal = any): RbacFilterSpec {
  const source = { document: 'AuthorizationPolicy/default/p', rule: '1', file: 'a.yaml', line: 3, column: 5 }
  const name = 'AuthorizationPolicy/default/p/1'
  return { enforced: { action, policies: [{ name, source, permissions: [permission], principals: [principal] }] } }
}

describe('the filter', () => {
  it('lets pass, and refuses in words that say nothing of the policy', () => {
    const filter = authorizationFilter(createAuthorizer([rules('ALLOW', get)]))
    const [read, write] = [request(), request('PUT')]
    expect(filter.apply(read)).toBeUndefined()
    expect(filter.apply(write)).toEqual({ status: 403, flags: ['UAEX'], detail: 'RBAC: access denied' })
    expect([read, write].map(({ authorization }) => authorization?.reason)).toEqual([
      'allowed by AuthorizationPolicy/default/p, rule 2',
      'no ALLOW policy matched: AuthorizationPolicy/default/p (a.yaml:3)',
    ])
  })

  it('refuses what it fails on, and says why', () => {
    const broken = { ...peer, address: 'somewhere' }
    for (const spec of [rules('ALLOW', any, { kind: 'not', rule: inBlock }), rules('DENY', any, inBlock)]) {
      const one = request('GET', broken)
      expect(authorizationFilter(createAuthorizer([spec])).apply(one)).toMatchObject({ status: 403 })
      expect(one.authorization?.reason).toBe('authorization failed: "somewhere" is not an IP address')
    }
  })
})

it('takes a host with and without its final dot for the same', () => {
  const match = { kind: 'exact', value: 'admin.example', ignoreCase: true } as const
  const authorizer = createAuthorizer([rules('DENY', { kind: 'header', name: ':authority', match })])
  const asked = (authority: string): boolean => {
    const one = request()
    one.head.authority = authority
    return authorizer.authorize(one).allowed
  }
  expect(['admin.example', 'admin.example.', 'other.example'].map(asked)).toEqual([false, false, true])
})

describe('a verdict', () => {
  it('names the rule and where it was written', () => {
    expect(createAuthorizer([rules('DENY')]).authorize(request())).toEqual({
      allowed: false,
      policy: 'AuthorizationPolicy/default/p/1',
      source: { document: 'AuthorizationPolicy/default/p', rule: '1', file: 'a.yaml', line: 3, column: 5 },
      reason: 'denied by AuthorizationPolicy/default/p, rule 2',
      audited: [],
      shadow: undefined,
    })
  })

  it('is the same object each time, where nothing is audited or in dry run', () => {
    const authorizer = createAuthorizer([rules('LOG', { kind: 'not', rule: any }), rules('ALLOW')])
    expect(authorizer.authorize(request())).toBe(authorizer.authorize(request('PUT')))
  })

  it('needs every filter to allow', () => {
    const authorizer = createAuthorizer([rules('ALLOW'), rules('ALLOW', get)])
    expect(authorizer.authorize(request()).allowed).toBe(true)
    expect(authorizer.authorize(request('PUT')).allowed).toBe(false)
  })

  it('allows what no filter speaks of', () => {
    expect(createAuthorizer([{}]).authorize(request())).toMatchObject({ allowed: true, reason: 'no policy forbids it' })
  })
})

describe('a connection', () => {
  it.each([
    ['ALLOW', get, false],
    ['ALLOW', not(get), false],
    ['ALLOW', { kind: 'or', rules: [get, any] }, true],
    ['ALLOW', { kind: 'and', rules: [get, any] }, false],
    ['DENY', get, false],
    ['DENY', not(get), false],
    ['DENY', { kind: 'and', rules: [get, not(any)] }, true],
    ['DENY', not({ kind: 'or', rules: [get, any] }), true],
  ] as const)('with a rule that must %s by %j is allowed: %s', (action, permission, allowed) => {
    expect(createAuthorizer([rules(action, permission)]).authorizeConnection(peer).allowed).toBe(allowed)
  })

  it('can be told apart unless a rule asks for something of a request', () => {
    expect(needsRequest(rules('ALLOW', any, inBlock).enforced as RbacRules)).toBe(false)
    expect(needsRequest(rules('ALLOW', not({ kind: 'or', rules: [any, get] })).enforced as RbacRules)).toBe(true)
    expect(needsRequest(rules('DENY', get).enforced as RbacRules)).toBe(true)
  })
})

it('is not built from what cannot be compiled', () => {
  const expression: Permission = { kind: 'path', match: { kind: 'regex', value: '(' } }
  expect(() => createAuthorizer([rules('ALLOW', expression)])).toThrow('not a regular expression')
  const block: Principal = { kind: 'remoteIp', block: { address: 'x', prefixLength: 8 } }
  expect(() => createAuthorizer([rules('ALLOW', any, block)])).toThrow('not a block of IP addresses')
  for (const spec of [
    rules('ALLOW', { kind: 'not', rule: expression }),
    rules('DENY', any, { kind: 'or', rules: [block] }),
  ])
    expect(() => checkCompilable(spec)).toThrow('not a')
  expect(() => checkCompilable(rules('ALLOW', get))).not.toThrow()
})
