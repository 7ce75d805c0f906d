// What a policy may not say, and how it is told so.
import { describe, expect, it } from 'vitest'

import { authorizationSpecSchema } from './authorization.schema.ts'

function faults(spec: unknown): [path: string, message: string][] {
  const issues = authorizationSpecSchema.safeParse(spec).error?.issues ?? []
  return issues.map(({ path, message }) => [path.join('.'), message])
}

const source = (fields: object): object => ({ rules: [{ from: [{ source: fields }] }] })
const operation = (fields: object): object => ({ rules: [{ to: [{ operation: fields }] }] })
const condition = (fields: object): object => ({ rules: [{ when: [fields] }] })
const expression = (text: string): object => ({ rules: [{ condition: text }] })
const inExpression = 'rules.0.condition'
const inSource = 'rules.0.from.0.source'
const inOperation = 'rules.0.to.0.operation'
const inCondition = 'rules.0.when.0'

describe('an authorization policy', () => {
  it('allows, in force, unless told otherwise', () => {
    expect(authorizationSpecSchema.parse({})).toEqual({ action: 'ALLOW', dryRun: false, reauthorize: false })
  })

  it.each([
    [{ rules: [] }],
    [{ rules: [{}] }],
    [{ action: 'CUSTOM', provider: { name: 'opa' }, rules: [{}] }],
    [source({ principals: ['*', 'a*', '*a', 'cluster.local/ns/a/sa/b', 'spiffe://a/ns/b/sa/c'] })],
    [source({ serviceAccounts: ['web', 'shop/web'], notIpBlocks: ['10.0.0.0/8', '::1', '::ffff:1.2.3.4'] })],
    [operation({ methods: ['GET', 'P*', '*T', 'M-SEARCH', '*'], ports: ['1', '65535'] })],
    [operation({ hosts: ['a.example', 'a.example:*', '*.example', '[::1]:80', '*'] })],
    [
      operation({
        paths: ['/', '/a*', '*/a', '*', '/{*}', '/{**}', '/a/{*}/{**}/b', '/shop.Cart/Add', '/caf%C3%A9', '/a%2Fb'],
      }),
    ],
    [condition({ key: 'request.headers[X-Key]', values: ['a b*'] })],
    [condition({ key: 'request.auth.claims[https://a.example/b][c]', notValues: ['x'] })],
    [{ rules: [{ condition: "request.auth.claims.groups.exists(g, g == 'a') && size(request.path) < 10" }] }],
  ])('may say %j', (spec) => {
    expect(faults(spec)).toEqual([])
  })

  it.each([
    [{ action: 'BLOCK' }, 'action', 'ALLOW'],
    [{ rule: [] }, '', '"rule"'],
    [{ action: 'CUSTOM' }, 'provider', 'is missing'],
    [{ action: 'CUSTOM', provider: {} }, 'provider.name', 'string'],
    [{ action: 'DENY', provider: { name: 'opa' } }, 'provider', 'does not go with action DENY'],
    [{ rules: [{ from: [] }] }, 'rules.0.from', '1'],
    [{ rules: [{ from: [{}] }] }, inSource, 'object'],
    [source({}), inSource, 'at least one field'],
    [source({ principal: ['a'] }), inSource, '"principal"'],
    [source({ principals: [] }), `${inSource}.principals`, '1'],
    [source({ principals: [''] }), `${inSource}.principals.0`, 'a text'],
    [source({ principals: ['b', 'a*b'] }), `${inSource}.principals.1`, 'at one end'],
    [source({ principals: ['*a*'] }), `${inSource}.principals.0`, 'at one end'],
    [source({ requestPrincipals: ['a/*/b'] }), `${inSource}.requestPrincipals.0`, 'at one end'],
    [source({ namespaces: ['a/b'] }), `${inSource}.namespaces.0`, 'a namespace'],
    [source({ serviceAccounts: ['a/b/c'] }), `${inSource}.serviceAccounts.0`, 'a service account'],
    [source({ serviceAccounts: ['a*'] }), `${inSource}.serviceAccounts.0`, 'a service account'],
    [source({ serviceAccounts: ['a'], namespaces: ['b'] }), `${inSource}.namespaces`, 'exclude each other'],
    [source({ ipBlocks: ['10.0.0.0/33'] }), `${inSource}.ipBlocks.0`, '"10.0.0.0/33" is not an IP address'],
    [source({ notIpBlocks: ['10.0.0'] }), `${inSource}.notIpBlocks.0`, 'not an IP address'],
    [source({ remoteIpBlocks: ['shop.example'] }), `${inSource}.remoteIpBlocks.0`, 'not an IP address'],
    [source({ notRemoteIpBlocks: ['::/129'] }), `${inSource}.notRemoteIpBlocks.0`, 'not an IP address'],
    [operation({}), inOperation, 'at least one field'],
    [operation({ ports: ['0'] }), `${inOperation}.ports.0`, 'a port'],
    [operation({ ports: ['65536'] }), `${inOperation}.ports.0`, 'a port'],
    [operation({ ports: ['http'] }), `${inOperation}.ports.0`, 'a port'],
    [operation({ ports: [80] }), `${inOperation}.ports.0`, 'string'],
    [operation({ methods: ['get'] }), `${inOperation}.methods.0`, 'capital letters'],
    [operation({ methods: ['G*T'] }), `${inOperation}.methods.0`, 'at one end'],
    [operation({ hosts: ['http://a'] }), `${inOperation}.hosts.0`, 'a host'],
    [operation({ hosts: ['a.*.b'] }), `${inOperation}.hosts.0`, 'a host'],
    [operation({ paths: [''] }), `${inOperation}.paths.0`, 'must start with'],
    [operation({ paths: ['a'] }), `${inOperation}.paths.0`, 'must start with'],
    [operation({ paths: ['/a?b'] }), `${inOperation}.paths.0`, 'neither query'],
    [operation({ paths: ['/a/*/b'] }), `${inOperation}.paths.0`, 'try {*}'],
    [operation({ paths: ['/a/{*}b'] }), `${inOperation}.paths.0`, 'whole segments'],
    [operation({ paths: ['/a/{x}'] }), `${inOperation}.paths.0`, 'whole segments'],
    [operation({ paths: ['/a/{*}/b*'] }), `${inOperation}.paths.0`, 'whole segments'],
    [operation({ paths: ['/{**}/{*}'] }), `${inOperation}.paths.0`, 'may follow {**}'],
    [operation({ paths: ['/{**}/{**}'] }), `${inOperation}.paths.0`, 'may follow {**}'],
    [operation({ paths: ['/café'] }), `${inOperation}.paths.0`, 'come escaped'],
    [operation({ paths: ['/caf%c3%a9'] }), `${inOperation}.paths.0`, 'capital hexadecimal'],
    [operation({ paths: ['/%41dmin'] }), `${inOperation}.paths.0`, 'comes as "A"'],
    [operation({ paths: ['/files/../admin'] }), `${inOperation}.paths.0`, 'are resolved'],
    [condition({ key: 'source.port', values: ['1'] }), `${inCondition}.key`, 'expected one of source.ip'],
    [condition({ key: 'request.headers[]', values: ['1'] }), `${inCondition}.key`, 'not a condition'],
    [condition({ key: 'request.headers[:path]', values: ['1'] }), `${inCondition}.key`, 'not a condition'],
    [condition({ key: 'request.auth.claims[a', values: ['1'] }), `${inCondition}.key`, 'not a condition'],
    [condition({ key: 'request.auth.claims[a]x', values: ['1'] }), `${inCondition}.key`, 'not a condition'],
    [condition({ key: 'toString', values: ['1'] }), `${inCondition}.key`, 'not a condition'],
    [condition({ key: 'source.ip' }), `${inCondition}.values`, 'one of "values" and "notValues"'],
    [condition({ key: 'source.ip', values: ['a'] }), `${inCondition}.values.0`, 'not an IP address'],
    [condition({ key: 'destination.port', notValues: ['a'] }), `${inCondition}.notValues.0`, '"a" is not a port'],
    [condition({ key: 'connection.sni', values: [''] }), `${inCondition}.values.0`, '"" is not a text'],
    [expression('request.path =='), inExpression, 'the condition: found = but expecting'],
    [expression(''), inExpression, 'the condition: '],
    [
      expression('request.patch == "x"'),
      inExpression,
      '"request.patch" is not known here: expected one of request.method',
    ],
    [expression('requests'), inExpression, '"requests" is not known here'],
    [expression('request.path'), inExpression, 'is of type string: expected a truth value'],
    [expression('request.path == 1'), inExpression, '== does not take string and int'],
    [expression('request.path + 1 == "x"'), inExpression, '+ does not take string and int'],
    [expression('destination.port.startsWith("8")'), inExpression, 'startsWith does not take int and string'],
    [expression('request.path.lowerAscii() == "x"'), inExpression, 'the function lowerAscii is not known here'],
    [expression('request.path.size == 1'), inExpression, 'a string has no field "size"'],
    [expression('connection.mtls && "a"'), inExpression, '&& does not take bool and string'],
    [expression('request.path.matches("(")'), inExpression, 'not a valid regular expression'],
    [expression('request.path.matches("(?=a)")'), inExpression, 'look-around'],
    [expression('request.path.matches(request.headers["x"])'), inExpression, 'matches takes a literal'],
    [expression('[1].exists(x, [2].exists(y, x == y))'), inExpression, 'a loop within a loop'],
    [expression('["/"].exists(request, request == "/")'), inExpression, '"request" means something else already'],
    [expression('google.protobuf.Struct{} == null'), inExpression, 'messages are not known here'],
    [expression(`request.path == "${'x'.repeat(4_096)}"`), inExpression, 'longer than 4096'],
    [expression(Array.from({ length: 600 }, () => 'true').join('&&')), inExpression, 'more than 1000 parts'],
  ])('must not say %j', (spec, path, message) => {
    expect(faults(spec)).toEqual([[path, expect.stringContaining(message)]])
  })

  it('hears of all faults at once', () => {
    const spec = { rules: [{ from: [{ source: { ipBlocks: ['x'], namespaces: ['a*b'] } }] }, { when: [{ key: 'x' }] }] }
    expect(faults(spec)).toHaveLength(4)
  })
})
