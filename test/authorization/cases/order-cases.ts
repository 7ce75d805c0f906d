// Which policy decides: actions, order, rules that are empty, defaults, dry run and audit.
import { allow, cases, deny, policy, ruleName } from '../authorization-case.ts'
import type { AuthorizationCase } from '../authorization-case.ts'

const get = { to: [{ operation: { methods: ['GET'] } }] }
const post = { to: [{ operation: { methods: ['POST'] } }] }
const api = { to: [{ operation: { paths: ['/api*'] } }] }
const web = { from: [{ source: { principals: ['mesh.local/ns/default/sa/web'] } }] }
const everything = {}
const asPost = { method: 'POST' }
const asPut = { method: 'PUT' }

export const orderCases: readonly AuthorizationCase[] = [
  ...cases('no policy', [], [['a request', {}, '+']]),
  ...cases('no policy, default deny', [], [['a request', {}, '-']], { default: 'DENY' }),
  ...cases(
    'default deny beside a DENY policy',
    [deny('d', post)],
    [
      ['what it denies', asPost, '-d/0'],
      ['anything else', {}, '-'],
    ],
    { default: 'DENY' },
  ),
  ...cases(
    'default deny beside an ALLOW policy',
    [allow('a', get)],
    [
      ['what it allows', {}, '+a/0'],
      ['anything else', asPost, '-'],
    ],
    { default: 'DENY' },
  ),
  ...cases(
    'default allow beside a DENY policy',
    [deny('d', post)],
    [
      ['what it denies', asPost, '-d/0'],
      ['anything else', {}, '+'],
    ],
  ),
  ...cases(
    'ALLOW without rules',
    [policy('a', { action: 'ALLOW' })],
    [
      ['a request', {}, '-'],
      ['without principal', { principal: undefined }, '-'],
    ],
  ),
  ...cases(
    'ALLOW with an empty list of rules',
    [policy('a', { action: 'ALLOW', rules: [] })],
    [['a request', {}, '-']],
  ),
  ...cases('a policy that says nothing', [policy('a', {})], [['a request', {}, '-']]),
  ...cases(
    'ALLOW with one empty rule',
    [allow('a', everything)],
    [
      ['a request', {}, '+a/0'],
      ['without principal', { principal: undefined, method: 'DELETE', path: '/' }, '+a/0'],
    ],
    { default: 'DENY' },
  ),
  ...cases('DENY without rules', [policy('d', { action: 'DENY' })], [['a request', {}, '+']]),
  ...cases('DENY without rules, default deny', [policy('d', { action: 'DENY' })], [['a request', {}, '-']], {
    default: 'DENY',
  }),
  ...cases('DENY with an empty list of rules', [policy('d', { action: 'DENY', rules: [] })], [['a request', {}, '+']]),
  ...cases('DENY with one empty rule', [deny('d', everything)], [['a request', {}, '-d/0']]),
  ...cases(
    'ALLOW without rules beside one with',
    [policy('none', { action: 'ALLOW' }), allow('a', get)],
    [
      ['what the other allows', {}, '+a/0'],
      ['anything else', asPost, '-'],
    ],
  ),
  ...cases(
    'DENY before ALLOW',
    [allow('a', everything), deny('d', post)],
    [
      ['what both match', asPost, '-d/0'],
      ['what only ALLOW matches', {}, '+a/0'],
    ],
  ),
  ...cases(
    'DENY first in the list',
    [deny('d', get), allow('a', get)],
    [
      ['what both match', {}, '-d/0'],
      ['what none matches', asPost, '-'],
    ],
  ),
  ...cases(
    'DENY of everything beside ALLOW of everything',
    [allow('a', everything), deny('d', everything)],
    [['a request', {}, '-d/0']],
  ),
  ...cases(
    'several rules',
    [allow('a', post, get, everything)],
    [
      ['the first', asPost, '+a/0'],
      ['the second', {}, '+a/1'],
      ['the last', asPut, '+a/2'],
    ],
  ),
  ...cases(
    'several ALLOW policies',
    [allow('a', post), allow('b', get), allow('c', get)],
    [
      ['the first that matches', {}, '+b/0'],
      ['another', asPost, '+a/0'],
      ['none', asPut, '-'],
    ],
  ),
  ...cases(
    'several DENY policies',
    [deny('a', post), deny('b', get), deny('c', everything)],
    [
      ['the first that matches', {}, '-b/0'],
      ['another', asPost, '-a/0'],
      ['the last', asPut, '-c/0'],
    ],
  ),
  ...cases(
    'from and to',
    [allow('a', { ...web, ...get })],
    [
      ['both', {}, '+a/0'],
      ['another method', asPost, '-'],
      ['another principal', { principal: 'spiffe://mesh.local/ns/default/sa/other' }, '-'],
      ['without principal', { principal: undefined }, '-'],
    ],
  ),
  ...cases(
    'from, to and when',
    [allow('a', { ...web, ...get, when: [{ key: 'request.headers[x-key]', values: ['1'] }] })],
    [
      ['all', { headers: [['x-key', '1']] }, '+a/0'],
      ['another method', { headers: [['x-key', '1']], method: 'POST' }, '-'],
      ['another header', { headers: [['x-key', '2']] }, '-'],
      ['another principal', { headers: [['x-key', '1']], principal: 'spiffe://mesh.local/ns/x/sa/web' }, '-'],
    ],
  ),
  ...cases(
    'several sources and operations',
    [
      allow('a', {
        from: [{ source: { namespaces: ['one'] } }, { source: { namespaces: ['two'] } }],
        to: [{ operation: { methods: ['GET'] } }, { operation: { paths: ['/open'] } }],
      }),
    ],
    [
      ['first and first', { principal: 'spiffe://mesh.local/ns/one/sa/x' }, '+a/0'],
      ['second and second', { principal: 'spiffe://mesh.local/ns/two/sa/x', method: 'POST', path: '/open' }, '+a/0'],
      ['second and none', { principal: 'spiffe://mesh.local/ns/two/sa/x', method: 'POST' }, '-'],
      ['none and first', { principal: 'spiffe://mesh.local/ns/three/sa/x' }, '-'],
    ],
  ),
  ...cases(
    'all fields of one operation',
    [allow('a', { to: [{ operation: { methods: ['GET'], paths: ['/a', '/b'] } }] })],
    [
      ['both', { path: '/b' }, '+a/0'],
      ['another path', { path: '/c' }, '-'],
      ['another method', { path: '/a', method: 'POST' }, '-'],
    ],
  ),
  ...cases(
    'a field and its negation',
    [allow('a', { to: [{ operation: { paths: ['/a*'], notPaths: ['/a/private*'] } }] })],
    [
      ['inside', { path: '/a/open' }, '+a/0'],
      ['in the hole', { path: '/a/private/x' }, '-'],
      ['outside', { path: '/b' }, '-'],
    ],
  ),
  ...cases(
    'AUDIT',
    [policy('log', { action: 'AUDIT', rules: [post, api] }), allow('a', get)],
    [
      ['what is allowed', {}, '+a/0', { audited: [ruleName('log/1')] }],
      ['what is denied, by two rules', asPost, '-', { audited: [ruleName('log/0'), ruleName('log/1')] }],
      ['what it does not match', { path: '/other' }, '+a/0', { audited: [] }],
    ],
  ),
  ...cases(
    'AUDIT alone',
    [policy('log', { action: 'AUDIT', rules: [everything] })],
    [['allows', {}, '+', { audited: [ruleName('log/0')] }]],
  ),
  ...cases(
    'AUDIT alone, default deny',
    [policy('log', { action: 'AUDIT', rules: [everything] })],
    [['allows nothing', {}, '-', { audited: [ruleName('log/0')] }]],
    { default: 'DENY' },
  ),
  ...cases('AUDIT without rules', [policy('log', { action: 'AUDIT' })], [['a request', {}, '+', { audited: [] }]]),
  ...cases(
    'AUDIT beside DENY',
    [deny('d', get), policy('log', { action: 'AUDIT', rules: [get] })],
    [['what both match', {}, '-d/0', { audited: [ruleName('log/0')] }]],
  ),
  ...cases(
    'AUDIT in dry run',
    [policy('log', { action: 'AUDIT', dryRun: true, rules: [everything] })],
    [['a request', {}, '+', { audited: [] }]],
  ),
  ...cases(
    'DENY in dry run',
    [policy('d', { action: 'DENY', dryRun: true, rules: [post] })],
    [
      ['what it would deny', asPost, '+', { shadow: { allowed: false, policy: ruleName('d/0') } }],
      ['anything else', {}, '+', { shadow: { allowed: true } }],
    ],
  ),
  ...cases(
    'ALLOW in dry run',
    [policy('a', { action: 'ALLOW', dryRun: true, rules: [get] })],
    [
      ['what it would allow', {}, '+', { shadow: { allowed: true, policy: ruleName('a/0') } }],
      ['anything else', asPost, '+', { shadow: { allowed: false } }],
    ],
  ),
  ...cases(
    'ALLOW in dry run without rules',
    [policy('a', { action: 'ALLOW', dryRun: true })],
    [['a request', {}, '+', { shadow: { allowed: false } }]],
  ),
  ...cases(
    'ALLOW in dry run, default deny',
    [policy('a', { action: 'ALLOW', dryRun: true, rules: [get] })],
    [['what it would allow', {}, '-', { shadow: { allowed: true, policy: ruleName('a/0') } }]],
    { default: 'DENY' },
  ),
  ...cases(
    'both in dry run',
    [
      policy('a', { action: 'ALLOW', dryRun: true, rules: [everything] }),
      policy('d', { action: 'DENY', dryRun: true, rules: [post] }),
    ],
    [
      ['what both match', asPost, '+', { shadow: { allowed: false, policy: ruleName('d/0') } }],
      ['what ALLOW matches', {}, '+', { shadow: { allowed: true, policy: ruleName('a/0') } }],
    ],
  ),
  ...cases(
    'dry run beside policies in force',
    [allow('a', get), policy('try', { action: 'DENY', dryRun: true, rules: [api] })],
    [
      ['allowed, and would be denied', {}, '+a/0', { shadow: { allowed: false, policy: ruleName('try/0') } }],
      ['denied, and would be denied', asPost, '-', { shadow: { allowed: false, policy: ruleName('try/0') } }],
      ['allowed, and would be', { path: '/x' }, '+a/0', { shadow: { allowed: true } }],
    ],
  ),
]
