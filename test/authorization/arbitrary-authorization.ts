// Random policies and requests from few words, so that matches are frequent.
import * as fc from 'fast-check'

import type { AuthorizationPolicySpec, AuthorizationRule } from '../../src/policies/authorization/authorization.spec.ts'
import type { CasePolicy, CaseRequest, CaseSettings } from './authorization-case.ts'

const trustDomains = ['mesh.local', 'old.local', 'else.where']
const namespaces = ['a', 'ab', 'b']
const accounts = ['x', 'xy']
const principal = fc
  .tuple(fc.constantFrom(...trustDomains), fc.constantFrom(...namespaces), fc.constantFrom(...accounts))
  .map(([domain, namespace, account]) => `spiffe://${domain}/ns/${namespace}/sa/${account}`)
const addresses = ['192.0.2.1', '192.0.2.129', '10.0.0.1', '::ffff:192.0.2.1', '2001:db8::1', '2001:db8:8000::1']
const paths = ['/', '/a', '/a/', '/a/b', '/a/b/c', '/ab', '/b', '/b/b', '/a//b']
const words = ['a', 'ab', 'b', 'ba', 'a b']

/** A word as it is, at one end of a value, or any. */
function pattern(texts: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(texts, fc.constantFrom('exact', 'exact', 'prefix', 'suffix', 'any'), fc.nat(4))
    .map(([text, kind, cut]) => {
      if (kind === 'exact') return text
      if (kind === 'any') return '*'
      const rest = kind === 'prefix' ? text.slice(0, text.length - cut) : text.slice(cut)
      if (rest === '') return '*'
      return kind === 'prefix' ? `${rest}*` : `*${rest}`
    })
}

const word = fc.constantFrom(...words)
const host = fc.constantFrom('a.test', 'A.test:80', 'b.a.test', 'b')
const method = fc.constantFrom('GET', 'POST', 'PUT')
const port = fc.constantFrom('80', '81', '8080')
const requestPrincipal = fc.constantFrom('a/b', 'https://a/b', 'https://a/b/a', 'ab/a')
const ipBlock = fc.constantFrom(
  ...addresses,
  '192.0.2.0/25',
  '192.0.0.0/16',
  '0.0.0.0/0',
  '::/0',
  '2001:db8::/33',
  '::ffff:192.0.2.0/120',
)
const pathPattern = fc.oneof(
  { weight: 4, arbitrary: pattern(fc.constantFrom(...paths)).map((text) => (/^[/*]/.test(text) ? text : `/${text}`)) },
  { weight: 1, arbitrary: fc.constantFrom('/{*}', '/{**}', '/a/{*}', '/a/{**}', '/{*}/b', '/a/{**}/c', '/{*}/b/{**}') },
)
const principalPattern = fc.oneof(
  pattern(principal.map((id) => id.slice('spiffe://'.length))),
  pattern(principal).map((text) => (text.startsWith('spiffe://') ? text : '*')),
)
const serviceAccount = fc
  .tuple(fc.constantFrom('', 'a/', 'ab/', 'b/'), fc.constantFrom(...accounts))
  .map(([namespace, account]) => namespace + account)

const values = (value: fc.Arbitrary<string>): fc.Arbitrary<string[]> => fc.array(value, { minLength: 1, maxLength: 3 })

/** Some of the fields, at least one, each as it is or negated. */
function fields(
  byName: Record<string, fc.Arbitrary<string>>,
  maxLength: number,
): fc.Arbitrary<Record<string, string[]>> {
  const field = fc
    .constantFrom(...Object.keys(byName))
    .chain((name) =>
      fc
        .tuple(fc.boolean(), values(byName[name] as fc.Arbitrary<string>))
        .map(([not, list]): [string, string[]] => [not ? `not${name[0]?.toUpperCase()}${name.slice(1)}` : name, list]),
    )
  return fc.array(field, { minLength: 1, maxLength }).map((entries) => Object.fromEntries(entries))
}

const source = fc.oneof(
  {
    weight: 5,
    arbitrary: fields(
      {
        principals: principalPattern,
        requestPrincipals: pattern(requestPrincipal),
        namespaces: pattern(fc.constantFrom(...namespaces)),
        ipBlocks: ipBlock,
        remoteIpBlocks: ipBlock,
      },
      2,
    ),
  },
  { weight: 1, arbitrary: fields({ serviceAccounts: serviceAccount, ipBlocks: ipBlock }, 2) },
)
const operation = fields({ hosts: pattern(host), ports: port, methods: pattern(method), paths: pathPattern }, 3)

const byKey: Record<string, fc.Arbitrary<string>> = {
  'request.headers[x-a]': pattern(word),
  'request.headers[X-B]': pattern(word),
  'source.ip': ipBlock,
  'remote.ip': ipBlock,
  'source.namespace': pattern(fc.constantFrom(...namespaces)),
  'source.principal': principalPattern,
  'source.serviceAccount': serviceAccount,
  'request.auth.principal': pattern(requestPrincipal),
  'request.auth.audiences': pattern(word),
  'request.auth.presenter': pattern(word),
  'request.auth.claims[scope]': pattern(word),
  'request.auth.claims[a]': pattern(word),
  'request.auth.claims[a][b]': pattern(word),
  'request.auth.claims[iss]': pattern(fc.constantFrom('a', 'https://a')),
  'destination.ip': ipBlock,
  'destination.port': port,
  'connection.sni': pattern(host.map((text) => text.toLowerCase())),
}
const condition = fc
  .constantFrom(...Object.keys(byKey))
  .chain((key) => fields({ values: byKey[key] as fc.Arbitrary<string> }, 2).map((given) => ({ key, ...given })))

/** Each of them asks for what may not be there. */
const expression = fc.constantFrom(
  "request.method == 'GET'",
  "request.headers['x-a'] == 'a'",
  "'x-a' in request.headers && request.headers['x-a'].startsWith('a')",
  "request.url_path.startsWith('/a') && !request.url_path.matches('b$')",
  "request.host.contains('a')",
  'has(source.principal)',
  "source.principal.contains('/ns/a/') || request.method == 'PUT'",
  'connection.mtls && destination.port == 80',
  "source.address.startsWith('192.0.2.')",
  "connection.requested_server_name == 'b'",
  "request.auth.claims.a == 'a'",
  "has(request.auth.claims) && request.auth.claims.sub == 'b'",
  "has(request.auth.claims.a.b) && 'a' in request.auth.claims.a.b",
  "request.auth.claims.a.exists(x, x == 'ab')",
  "request.auth.claims.iss == 'a' ? request.auth.claims.azp == 'b' : destination.port == 81",
)

const withoutExpression = fc.record(
  {
    from: fc.array(fc.record({ source }), { minLength: 1, maxLength: 2 }),
    to: fc.array(fc.record({ operation }), { minLength: 1, maxLength: 2 }),
    when: fc.array(condition, { minLength: 1, maxLength: 2 }),
  },
  { requiredKeys: [], noNullPrototype: true },
) as fc.Arbitrary<AuthorizationRule>
// now and then: they take the longest to build
const rule = fc
  .tuple(withoutExpression, fc.constantFrom(true, false, false, false), expression)
  .map(([one, has, text]): AuthorizationRule => (has ? { ...one, condition: text } : one))

const spec = fc.record(
  {
    action: fc.constantFrom('ALLOW', 'ALLOW', 'DENY', 'DENY', 'AUDIT'),
    rules: fc.oneof(
      { weight: 1, arbitrary: fc.constant([]) },
      { weight: 9, arbitrary: fc.array(rule, { minLength: 1, maxLength: 8 }) },
    ),
    dryRun: fc.constantFrom(false, false, false, true),
  },
  { requiredKeys: ['action'], noNullPrototype: true },
) as fc.Arbitrary<Partial<AuthorizationPolicySpec>>

const policies: fc.Arbitrary<CasePolicy[]> = fc
  .array(fc.tuple(fc.constantFrom(...namespaces), spec), { maxLength: 4 })
  .map((all) => all.map(([namespace, one], index) => ({ name: `p${index}`, namespace, spec: one })))

const claim = fc.oneof(
  word,
  fc.array(word, { maxLength: 2 }),
  fc.constant(1),
  fc.record({ b: fc.oneof(word, fc.array(word, { maxLength: 2 })) }),
)
const token = fc.record({
  issuer: fc.constantFrom('a', 'https://a', 'https://a/b', 'ab'),
  subject: fc.constantFrom('b', 'a', 'b/a', ''),
  audiences: fc.array(word, { maxLength: 2 }),
  claims: fc.record({ scope: claim, a: claim, azp: word }, { requiredKeys: [] }),
})

const request = fc.record(
  {
    method,
    path: fc.tuple(fc.constantFrom(...paths), fc.constantFrom('', '?/a')).map(([path, query]) => path + query),
    host,
    headers: fc.array(fc.tuple(fc.constantFrom('x-a', 'X-A', 'x-b'), fc.oneof(word, fc.constant(''))), {
      maxLength: 3,
    }),
    principal,
    address: fc.constantFrom(...addresses),
    remoteAddress: fc.constantFrom(...addresses),
    localAddress: fc.constantFrom(...addresses),
    token,
    port: fc.constantFrom(80, 81),
    sni: host.map((text) => text.toLowerCase()),
    protocol: fc.constantFrom('http', 'http', 'http', 'tcp'),
  },
  { requiredKeys: ['method', 'path', 'host', 'headers', 'port', 'protocol'], noNullPrototype: true },
) as fc.Arbitrary<CaseRequest>

const settings: fc.Arbitrary<CaseSettings> = fc.record({
  default: fc.constantFrom('ALLOW', 'DENY'),
  trustDomains: fc.constantFrom(['mesh.local'], ['mesh.local', 'old.local']),
})

export const arbitrarySituation: fc.Arbitrary<{
  policies: CasePolicy[]
  request: CaseRequest
  settings: CaseSettings
}> = fc.record({ policies, request, settings })
