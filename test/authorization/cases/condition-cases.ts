// Conditions: headers, addresses, peers, tokens and their claims, server names.
import { allow, cases, conditionCases } from '../authorization-case.ts'
import type { AuthorizationCase, CaseToken } from '../authorization-case.ts'

const header = (...values: string[]): { headers: [string, string][] } => ({
  headers: values.map((value) => ['X-Key', value]),
})
const claims = (own: Record<string, unknown>, changes: Partial<CaseToken> = {}): { token: CaseToken } => ({
  token: { issuer: 'https://issuer.example', subject: 'alice', audiences: ['api', 'web'], claims: own, ...changes },
})

export const conditionFieldCases: readonly AuthorizationCase[] = [
  ...conditionCases(
    'request.headers[x-key]',
    ['one', 'two'],
    [
      ['one', header('one'), true],
      ['the other', header('two'), true],
      ['in another case', header('One'), false],
      ['longer', header('ones'), false],
      ['empty', header(''), false],
      ['missing', {}, false],
      ['repeated lines are one value', header('one', 'two'), false],
    ],
  ),
  ...conditionCases(
    'request.headers[X-Key]',
    ['one,*'],
    [
      ['repeated lines, joined', header('one', 'two'), true],
      ['one line', header('one'), false],
    ],
  ),
  ...conditionCases(
    'request.headers[x-key]',
    ['*'],
    [
      ['present', header('x'), true],
      ['present, though empty', header(''), true],
      ['missing', {}, false],
    ],
  ),
  ...conditionCases(
    'request.headers[x-key]',
    ['*bc'],
    [
      ['a suffix', header('abc'), true],
      ['another', header('bcd'), false],
    ],
  ),
  ...conditionCases(
    'request.headers[host]',
    ['shop.example'],
    [
      ['the authority', {}, true],
      ['another', { host: 'other.example' }, false],
    ],
  ),
  ...conditionCases(
    'source.ip',
    ['192.0.2.0/25', '2001:db8::/32'],
    [
      ['inside', {}, true],
      ['outside', { address: '192.0.2.128' }, false],
      ['inside the other', { address: '2001:db8::7' }, true],
    ],
  ),
  ...conditionCases(
    'remote.ip',
    ['203.0.113.5'],
    [
      ['it', { remoteAddress: '203.0.113.5' }, true],
      ['only the peer', { address: '203.0.113.5', remoteAddress: '192.0.2.1' }, false],
    ],
  ),
  ...conditionCases(
    'source.namespace',
    ['default', 'shop*'],
    [
      ['exactly', {}, true],
      ['a prefix', { principal: 'spiffe://mesh.local/ns/shop-eu/sa/x' }, true],
      ['another', { principal: 'spiffe://mesh.local/ns/other/sa/x' }, false],
      ['none', { principal: undefined }, false],
    ],
  ),
  ...conditionCases(
    'source.principal',
    ['old.local/ns/default/sa/web'],
    [
      ['by alias', {}, true],
      ['another', { principal: 'spiffe://mesh.local/ns/default/sa/x' }, false],
      ['none', { principal: undefined }, false],
    ],
    { trustDomains: ['mesh.local', 'old.local'] },
  ),
  ...conditionCases(
    'source.serviceAccount',
    ['default/web'],
    [
      ['it', {}, true],
      ['another', { principal: 'spiffe://mesh.local/ns/default/sa/x' }, false],
    ],
  ),
  ...conditionCases(
    'request.auth.principal',
    ['https://issuer.example/alice'],
    [
      ['it', claims({}), true],
      ['another', claims({}, { subject: 'bob' }), false],
      ['none', {}, false],
    ],
  ),
  ...conditionCases(
    'request.auth.audiences',
    ['api', 'shop*'],
    [
      ['one of several', claims({}), true],
      ['a prefix of one', claims({}, { audiences: ['x', 'shop-eu'] }), true],
      ['others', claims({}, { audiences: ['x'] }), false],
      ['none', claims({}, { audiences: [] }), false],
      ['no token', {}, false],
    ],
  ),
  ...conditionCases(
    'request.auth.presenter',
    ['app-1'],
    [
      ['it', claims({ azp: 'app-1' }), true],
      ['another', claims({ azp: 'app-2' }), false],
      ['not said', claims({}), false],
    ],
  ),
  ...conditionCases(
    'request.auth.claims[role]',
    ['admin', 'ops*'],
    [
      ['a text', claims({ role: 'admin' }), true],
      ['an element of a list', claims({ role: ['user', 'ops-eu'] }), true],
      ['others', claims({ role: ['user'] }), false],
      ['a text of several words', claims({ role: 'admin user' }), false],
      ['in another case', claims({ role: 'Admin' }), false],
      ['an empty list', claims({ role: [] }), false],
      ['not a text', claims({ role: { admin: true } }), false],
      ['elements that are not texts', claims({ role: [1, null, ['admin']] }), false],
      ['missing', claims({}), false],
      ['no token', {}, false],
    ],
  ),
  ...conditionCases(
    'request.auth.claims[role]',
    ['*'],
    [
      ['a text', claims({ role: 'x' }), true],
      ['an empty text', claims({ role: '' }), false],
      ['a list', claims({ role: ['x'] }), true],
      ['missing', claims({}), false],
    ],
  ),
  ...conditionCases(
    'request.auth.claims[realm][roles]',
    ['admin'],
    [
      ['nested', claims({ realm: { roles: ['admin'] } }), true],
      ['nested text', claims({ realm: { roles: 'admin' } }), true],
      ['at the top', claims({ roles: ['admin'] }), false],
      ['another nesting', claims({ realm: ['roles', 'admin'] }), false],
      ['missing', claims({ realm: {} }), false],
    ],
  ),
  ...conditionCases(
    'request.auth.claims[https://claims.example/group]',
    ['a'],
    [
      ['a name with dots and slashes', claims({ 'https://claims.example/group': 'a' }), true],
      ['missing', claims({}), false],
    ],
  ),
  ...conditionCases(
    'request.auth.claims[scope]',
    ['read'],
    [
      ['a word of the text', claims({ scope: 'write read' }), true],
      ['a part of a word', claims({ scope: 'reader' }), false],
      ['a list', claims({ scope: ['read'] }), true],
    ],
  ),
  ...conditionCases('request.auth.claims[toString]', ['*'], [['what no token says', claims({}), false]]),
  ...conditionCases(
    'request.auth.claims[iss]',
    ['https://issuer.example'],
    [
      ['it', claims({}), true],
      ['another', claims({}, { issuer: 'x' }), false],
    ],
  ),
  ...conditionCases(
    'destination.ip',
    ['192.0.2.80', '2001:db8::/32'],
    [
      ['it', {}, true],
      ['another', { localAddress: '192.0.2.81' }, false],
      ['in the block', { localAddress: '2001:db8::5' }, true],
    ],
  ),
  ...conditionCases(
    'destination.port',
    ['8080', '9090'],
    [
      ['one', {}, true],
      ['another', { port: 80 }, false],
    ],
  ),
  ...conditionCases(
    'connection.sni',
    ['shop.example', '*.test'],
    [
      ['exactly', { sni: 'shop.example' }, true],
      ['a suffix', { sni: 'a.test' }, true],
      ['another', { sni: 'x' }, false],
      ['none', {}, false],
    ],
  ),
  ...cases(
    'values and notValues',
    [allow('a', { when: [{ key: 'request.headers[x-key]', values: ['a*'], notValues: ['ab'] }] })],
    [
      ['one of these', header('ac'), '+a/0'],
      ['one of those', header('ab'), '-'],
      ['neither', header('b'), '-'],
      ['missing', {}, '-'],
    ],
  ),
  ...cases(
    'several conditions',
    [
      allow('a', {
        when: [
          { key: 'request.headers[x-key]', values: ['1'] },
          { key: 'source.namespace', notValues: ['other'] },
          { key: 'destination.port', values: ['8080'] },
        ],
      }),
    ],
    [
      ['all', header('1'), '+a/0'],
      ['not the first', header('2'), '-'],
      ['not the second', { ...header('1'), principal: 'spiffe://mesh.local/ns/other/sa/x' }, '-'],
      ['not the third', { ...header('1'), port: 80 }, '-'],
    ],
  ),
]
