// Conditions in CEL: attributes, what is not there, claims, what cannot be told, and bytes.
import type { AuthorizationCase, CaseRequest, CaseToken, FieldRow, RequestChanges } from '../authorization-case.ts'
import { allow, cases, deny, policy } from '../authorization-case.ts'

const claims = (own: Record<string, unknown>): { token: CaseToken } => ({
  token: { issuer: 'https://issuer.example', subject: 'alice', audiences: ['api'], claims: own },
})
const headers = (...all: [string, string][]): RequestChanges => ({ headers: all })
const tcp: Pick<CaseRequest, 'protocol'> = { protocol: 'tcp' }

type ExpressionRow = readonly [title: string, changes: RequestChanges, told: boolean | 'untold']

/** Allowed and denied by it; what cannot be told is neither allowed nor let pass by a denial. */
function expressionCases(condition: string, rows: readonly ExpressionRow[]): AuthorizationCase[] {
  return [
    ...cases(
      `ALLOW by CEL ${condition}`,
      [allow('p', { condition })],
      rows.map(([title, changes, told]) => [title, changes, told === true ? '+p/0' : '-']),
    ),
    ...cases(
      `DENY by CEL ${condition}`,
      [deny('p', { condition })],
      rows.map(([title, changes, told]) => [title, changes, told === false ? '+' : '-p/0']),
    ),
  ]
}

const get: FieldRow = ['GET', { method: 'GET' }, true]
const post: FieldRow = ['POST', { method: 'POST' }, false]

export const expressionFieldCases: readonly AuthorizationCase[] = [
  ...expressionCases("request.method == 'GET'", [get, post]),
  ...expressionCases("request.method in ['GET', 'HEAD']", [get, ['HEAD', { method: 'HEAD' }, true], post]),
  ...expressionCases("request.url_path.startsWith('/api')", [
    ['below it', { path: '/api/a?b=/x' }, true],
    ['elsewhere', { path: '/x?/api' }, false],
  ]),
  ...expressionCases("request.path == '/api?a=b'", [
    ['with the query', { path: '/api?a=b' }, true],
    ['without', { path: '/api' }, false],
  ]),
  ...expressionCases("request.query.contains('debug')", [
    ['there', { path: '/api?a&debug' }, true],
    ['in the path', { path: '/debug' }, false],
    ['no query', { path: '/api' }, false],
  ]),
  ...expressionCases("request.url_path.matches('^/v[0-9]+/')", [
    ['it', { path: '/v12/a' }, true],
    ['not from the beginning', { path: '/a/v12/' }, false],
  ]),
  ...expressionCases("request.url_path.matches('b')", [
    ['anywhere', { path: '/abc' }, true],
    ['nowhere', { path: '/ac' }, false],
  ]),
  ...expressionCases("request.host == 'shop.example'", [
    ['it', {}, true],
    ['another', { host: 'other.example' }, false],
  ]),
  ...expressionCases("request.headers['x-key'] == 'one'", [
    ['one', headers(['X-Key', 'one']), true],
    ['another', headers(['x-key', 'two']), false],
    ['repeated lines are one value', headers(['x-key', 'one'], ['x-key', 'two']), false],
    ['missing: cannot be told', {}, 'untold'],
  ]),
  ...expressionCases("'x-key' in request.headers && request.headers['x-key'] == 'one'", [
    ['one', headers(['x-key', 'one']), true],
    ['missing', {}, false],
  ]),
  ...expressionCases("request.headers.exists(name, name.startsWith('x-internal-'))", [
    ['one of them', headers(['x-a', '1'], ['X-Internal-B', '2']), true],
    ['none of them', headers(['x-a', '1']), false],
  ]),
  ...expressionCases("source.principal == 'spiffe://mesh.local/ns/default/sa/web'", [
    ['it', {}, true],
    ['another', { principal: 'spiffe://mesh.local/ns/default/sa/x' }, false],
    ['none: cannot be told', { principal: undefined }, 'untold'],
  ]),
  ...expressionCases('has(source.principal)', [
    ['some', {}, true],
    ['none', { principal: undefined }, false],
  ]),
  ...expressionCases("!has(source.principal) || source.principal.endsWith('/sa/x')", [
    ['none', { principal: undefined }, true],
    ['a suffix', { principal: 'spiffe://mesh.local/ns/default/sa/x' }, true],
    ['another', {}, false],
  ]),
  ...expressionCases('connection.mtls', [
    ['with a certificate', {}, true],
    ['without', { principal: undefined }, false],
  ]),
  ...expressionCases("connection.requested_server_name.endsWith('.test')", [
    ['a name below it', { sni: 'a.test' }, true],
    ['another', { sni: 'a.example' }, false],
    ['none: cannot be told', {}, 'untold'],
  ]),
  ...expressionCases("source.address.startsWith('192.0.2.')", [
    ['the network', {}, true],
    ['another', { address: '198.51.100.1' }, false],
    ['whom a proxy in front names', { address: '198.51.100.1', remoteAddress: '192.0.2.1' }, true],
  ]),
  ...expressionCases('destination.port == 8080', [
    ['of the application', {}, true],
    ['another', { port: 9090 }, false],
  ]),
  ...expressionCases("request.auth.claims.team == 'blue'", [
    ['it', claims({ team: 'blue' }), true],
    ['another', claims({ team: 'red' }), false],
    ['a list of it', claims({ team: ['blue'] }), false],
    ['missing: cannot be told', claims({}), 'untold'],
    ['no token: cannot be told', {}, 'untold'],
  ]),
  ...expressionCases('has(request.auth.claims)', [
    ['a token', claims({}), true],
    ['none', {}, false],
  ]),
  ...expressionCases("request.auth.claims.iss == 'https://issuer.example' && request.auth.claims.sub == 'alice'", [
    ['it', claims({}), true],
    ['no token: cannot be told', {}, 'untold'],
  ]),
  ...expressionCases("'api' in request.auth.claims.aud", [['it', claims({}), true]]),
  ...expressionCases("request.auth.claims.groups.exists(group, group in ['staff', 'admin'])", [
    ['one of several', claims({ groups: ['x', 'staff'] }), true],
    ['others', claims({ groups: ['x'] }), false],
    ['no list: cannot be told', claims({ groups: 3 }), 'untold'],
  ]),
  ...expressionCases("request.auth.claims['https://a.example/level'] >= 3", [
    ['as much', claims({ 'https://a.example/level': 3 }), true],
    ['less', claims({ 'https://a.example/level': 2 }), false],
    ['a text: cannot be told', claims({ 'https://a.example/level': '3' }), 'untold'],
  ]),
  ...expressionCases('request.auth.claims.toString == 1', [['what no token says', claims({}), 'untold']]),
  ...expressionCases('request.auth.claims.admin', [
    ['yes', claims({ admin: true }), true],
    ['no', claims({ admin: false }), false],
    ['no truth value: cannot be told', claims({ admin: 'yes' }), 'untold'],
  ]),
  ...expressionCases("metadata.filter_metadata['envoy.filters.http.jwt_authn'].payload.team == 'blue'", [
    ['as the wire says it', claims({ team: 'blue' }), true],
    ['another', claims({ team: 'red' }), false],
  ]),
  ...expressionCases("request.method == 'GET' || request.headers['x-key'] == 'one'", [
    ['told by one side alone', {}, true],
    ['told by the other', { method: 'PUT', ...headers(['x-key', 'one']) }, true],
    ['by neither: cannot be told', { method: 'PUT' }, 'untold'],
  ]),
  ...expressionCases('destination.port / (destination.port - 8080) == 1', [
    ['a division by zero: cannot be told', {}, 'untold'],
    ['another port', { port: 8081 }, false],
  ]),
  ...cases(
    'a condition beside from, to and when',
    [
      allow('a', {
        from: [{ source: { namespaces: ['default'] } }],
        to: [{ operation: { methods: ['GET'] } }],
        when: [{ key: 'request.headers[x-key]', values: ['one'] }],
        condition: "request.url_path == '/api'",
      }),
    ],
    [
      ['all hold', headers(['x-key', 'one']), '+a/0'],
      ['not the source', { ...headers(['x-key', 'one']), principal: 'spiffe://mesh.local/ns/b/sa/web' }, '-'],
      ['not the operation', { ...headers(['x-key', 'one']), method: 'PUT' }, '-'],
      ['not what is asked by key', headers(['x-key', 'two']), '-'],
      ['not the condition', { ...headers(['x-key', 'one']), path: '/b' }, '-'],
    ],
  ),
  ...cases(
    'a condition that cannot be told',
    [allow('a', { condition: 'request.auth.claims.admin' }, { to: [{ operation: { methods: ['GET'] } }] })],
    [
      ['leaves the other rules', {}, '+a/1'],
      ['leaves nothing else', { method: 'PUT' }, '-'],
    ],
  ),
  ...cases(
    'a condition of an AUDIT policy',
    [policy('l', { action: 'AUDIT', rules: [{ condition: 'request.auth.claims.admin' }] })],
    [
      ['holds', claims({ admin: true }), '+', { audited: ['AuthorizationPolicy/default/l/0'] }],
      ['cannot be told', {}, '+', { audited: [] }],
    ],
  ),
  ...cases(
    'TCP: ALLOW by a condition about requests',
    [allow('a', { condition: "request.method == 'GET'" })],
    [['is never', tcp, '-']],
  ),
  ...cases(
    'TCP: ALLOW by a condition that could do without the request',
    [allow('a', { condition: "connection.mtls || request.method == 'GET'" })],
    [['is never', tcp, '-']],
  ),
  ...cases(
    'TCP: DENY by a condition about requests',
    [deny('d', { condition: "request.method == 'GET' && false" })],
    [['is always', tcp, '-d/0']],
  ),
  ...cases(
    'TCP: DENY by a condition about claims, beside a source',
    [deny('d', { from: [{ source: { namespaces: ['other'] } }], condition: 'has(request.auth.claims.a)' })],
    [
      ['the source counts', { ...tcp, principal: 'spiffe://mesh.local/ns/other/sa/x' }, '-d/0'],
      ['another source', tcp, '+'],
    ],
  ),
  ...cases(
    'TCP: a condition about the connection',
    [
      allow('a', {
        condition: "has(source.principal) && source.principal.contains('/ns/default/') && destination.port == 8080",
      }),
    ],
    [
      ['holds', tcp, '+a/0'],
      ['another namespace', { ...tcp, principal: 'spiffe://mesh.local/ns/other/sa/x' }, '-'],
      ['nobody', { ...tcp, principal: undefined }, '-'],
      ['another port', { ...tcp, port: 80 }, '-'],
    ],
  ),
]
