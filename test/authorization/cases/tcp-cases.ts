// Bytes over TCP: rules about requests allow nothing there, and deny as if they did not ask.
import { allow, cases, conditionCases, deny, policy, ruleName, sourceCases } from '../authorization-case.ts'
import type { AuthorizationCase } from '../authorization-case.ts'

const tcp = { protocol: 'tcp' } as const
const other = { ...tcp, principal: 'spiffe://mesh.local/ns/other/sa/x' }
const overTcp = (all: readonly AuthorizationCase[]): AuthorizationCase[] =>
  all.map((one) => ({ ...one, name: `TCP: ${one.name}`, request: { ...one.request, protocol: 'tcp' } }))

const httpSources = [{ requestPrincipals: ['*'] }, { notRequestPrincipals: ['*'] }]
const httpOperations = [
  { methods: ['GET'] },
  { notMethods: ['GET'] },
  { paths: ['/api'] },
  { notPaths: ['/api'] },
  { hosts: ['shop.example'] },
  { notHosts: ['shop.example'] },
]
const httpConditions = [
  { key: 'request.headers[x]', values: ['a'] },
  { key: 'request.headers[x]', notValues: ['a'] },
  { key: 'request.auth.principal', values: ['*'] },
  { key: 'request.auth.audiences', notValues: ['a'] },
  { key: 'request.auth.presenter', values: ['a'] },
  { key: 'request.auth.claims[a]', values: ['a'] },
]
const httpRules = [
  ...httpSources.map((source) => ({ from: [{ source }] })),
  ...httpOperations.map((operation) => ({ to: [{ operation }] })),
  ...httpConditions.map((condition) => ({ when: [condition] })),
]
const says = (rule: object): string => JSON.stringify(rule).replaceAll(/[{}[\]"]/g, '')

export const tcpCases: readonly AuthorizationCase[] = [
  ...httpRules.flatMap((rule) => [
    ...cases(`TCP: ALLOW by ${says(rule)}`, [allow('a', rule)], [['is never', tcp, '-']]),
    ...cases(`TCP: DENY by ${says(rule)}`, [deny('d', rule)], [['is always', tcp, '-d/0']]),
  ]),
  ...cases(
    'TCP: ALLOW by one field of requests among others',
    [allow('a', { from: [{ source: { namespaces: ['default'] } }], to: [{ operation: { methods: ['GET'] } }] })],
    [['is never', tcp, '-']],
  ),
  ...cases(
    'TCP: ALLOW by one operation of requests beside another',
    [allow('a', { to: [{ operation: { methods: ['GET'] } }, { operation: { ports: ['8080'] } }] })],
    [['is never', tcp, '-']],
  ),
  ...cases(
    'TCP: DENY by fields of requests and of connections',
    [
      deny('d', {
        from: [{ source: { namespaces: ['other'] } }],
        to: [{ operation: { methods: ['GET'], ports: ['8080'] } }],
      }),
    ],
    [
      ['those of connections match', other, '-d/0'],
      ['another namespace', tcp, '+'],
      ['another port', { ...other, port: 80 }, '+'],
    ],
  ),
  ...cases(
    'TCP: another rule of the same policy',
    [allow('a', { to: [{ operation: { methods: ['GET'] } }] }, { from: [{ source: { namespaces: ['default'] } }] })],
    [
      ['matches', tcp, '+a/1'],
      ['does not match', other, '-'],
    ],
  ),
  ...cases(
    'TCP: AUDIT by a method',
    [policy('log', { action: 'AUDIT', rules: [{ to: [{ operation: { methods: ['GET'] } }] }] })],
    [['is never', tcp, '+', { audited: [] }]],
  ),
  ...cases(
    'TCP: DENY in dry run by a method',
    [policy('d', { action: 'DENY', dryRun: true, rules: [{ to: [{ operation: { methods: ['PUT'] } }] }] })],
    [['is always', tcp, '+', { shadow: { allowed: false, policy: ruleName('d/0') } }]],
  ),
  ...cases('TCP: no policy', [], [['a connection', tcp, '+']]),
  ...cases('TCP: no policy, default deny', [], [['a connection', tcp, '-']], { default: 'DENY' }),
  ...cases('TCP: ALLOW without rules', [policy('a', {})], [['a connection', tcp, '-']]),
  ...cases('TCP: ALLOW with one empty rule', [allow('a', {})], [['a connection', tcp, '+a/0']]),
  ...cases(
    'TCP: DENY before ALLOW',
    [allow('a', {}), deny('d', { to: [{ operation: { ports: ['8080'] } }] })],
    [
      ['the port', tcp, '-d/0'],
      ['another', { ...tcp, port: 80 }, '+a/0'],
    ],
  ),
  ...overTcp([
    ...sourceCases(
      'principals',
      ['mesh.local/ns/default/sa/web'],
      [
        ['it', {}, true],
        ['another', { principal: 'spiffe://mesh.local/ns/default/sa/x' }, false],
        ['none', { principal: undefined }, false],
      ],
    ),
    ...sourceCases(
      'namespaces',
      ['default'],
      [
        ['it', {}, true],
        ['none', { principal: undefined }, false],
      ],
    ),
    ...sourceCases(
      'remoteIpBlocks',
      ['192.0.2.0/24'],
      [
        ['inside', {}, true],
        ['outside', { address: '203.0.113.1' }, false],
      ],
    ),
    ...conditionCases(
      'connection.sni',
      ['*.example'],
      [
        ['it', { sni: 'shop.example' }, true],
        ['none', {}, false],
      ],
    ),
    ...conditionCases(
      'destination.ip',
      ['192.0.2.80'],
      [
        ['it', {}, true],
        ['another', { localAddress: '192.0.2.81' }, false],
      ],
    ),
  ]),
]
