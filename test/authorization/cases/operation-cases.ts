// What is asked: hosts, ports, methods, paths and their templates.
import { cases, allow, deny, operationCases } from '../authorization-case.ts'
import type { AuthorizationCase } from '../authorization-case.ts'

const path = (text: string): { path: string } => ({ path: text })
const host = (text: string): { host: string } => ({ host: text })

export const operationFieldCases: readonly AuthorizationCase[] = [
  ...operationCases(
    'methods',
    ['GET', 'HEAD'],
    [
      ['one', {}, true],
      ['the other', { method: 'HEAD' }, true],
      ['neither', { method: 'POST' }, false],
      ['in another case', { method: 'get' }, false],
    ],
  ),
  ...operationCases(
    'methods',
    ['P*'],
    [
      ['POST', { method: 'POST' }, true],
      ['GET', {}, false],
    ],
  ),
  ...operationCases(
    'methods',
    ['*T'],
    [
      ['PUT', { method: 'PUT' }, true],
      ['HEAD', { method: 'HEAD' }, false],
    ],
  ),
  ...operationCases('methods', ['*'], [['any', { method: 'BREW' }, true]]),
  ...operationCases(
    'paths',
    ['/api', '/info'],
    [
      ['one', {}, true],
      ['the other, with query', path('/info?x=/api'), true],
      ['a longer one', path('/api/'), false],
      ['a shorter one', path('/ap'), false],
      ['in another case', path('/API'), false],
      ['the root', path('/'), false],
    ],
  ),
  ...operationCases(
    'paths',
    ['/api/*'],
    [
      ['below', path('/api/v1'), true],
      ['with nothing below', path('/api/'), true],
      ['without the slash', path('/api'), false],
      ['in the query', path('/x?/api/v1'), false],
    ],
  ),
  ...operationCases(
    'paths',
    ['/api*'],
    [
      ['the same', path('/api'), true],
      ['in the middle of a segment', path('/apis'), true],
      ['another', path('/a'), false],
    ],
  ),
  ...operationCases(
    'paths',
    ['*/info'],
    [
      ['at the end', path('/a/b/info'), true],
      ['alone', path('/info'), true],
      ['before the query', path('/a/info?q'), true],
      ['at the end of the query', path('/a?q=/info'), false],
      ['not at the end', path('/info/x'), false],
    ],
  ),
  ...operationCases(
    'paths',
    ['*'],
    [
      ['any', path('/anything'), true],
      ['the root', path('/'), true],
    ],
  ),
  ...operationCases(
    'paths',
    ['/v1/{*}/items'],
    [
      ['one segment', path('/v1/eu/items'), true],
      ['with query', path('/v1/eu/items?x'), true],
      ['two segments', path('/v1/eu/de/items'), false],
      ['an empty segment', path('/v1//items'), false],
      ['no segment', path('/v1/items'), false],
      ['more behind', path('/v1/eu/items/7'), false],
      ['a slash behind', path('/v1/eu/items/'), false],
    ],
  ),
  ...operationCases(
    'paths',
    ['/{*}/{*}'],
    [
      ['two segments', path('/a/b'), true],
      ['one segment', path('/a'), false],
      ['one and a slash', path('/a/'), false],
      ['three', path('/a/b/c'), false],
    ],
  ),
  ...operationCases(
    'paths',
    ['/v1/{**}'],
    [
      ['several segments', path('/v1/a/b/c'), true],
      ['one', path('/v1/a'), true],
      ['none', path('/v1/'), true],
      ['none, without slash', path('/v1'), false],
      ['another beginning', path('/v2/a'), false],
    ],
  ),
  ...operationCases(
    'paths',
    ['/v1/{**}/edit'],
    [
      ['several segments', path('/v1/a/b/edit'), true],
      ['one', path('/v1/a/edit'), true],
      ['an overlap', path('/v1/edit'), false],
      ['another end', path('/v1/a/edits'), false],
    ],
  ),
  ...operationCases(
    'paths',
    ['/{*}/docs/{**}'],
    [
      ['both', path('/a/docs/b/c'), true],
      ['no first', path('/docs/b/c'), false],
      ['another middle', path('/a/doc/b'), false],
    ],
  ),
  ...operationCases(
    'hosts',
    ['shop.example', '*.test'],
    [
      ['exactly', {}, true],
      ['in another case', host('SHOP.Example'), true],
      ['with a port', host('shop.example:8080'), false],
      ['a suffix', host('a.b.test'), true],
      ['a suffix in another case', host('A.TEST'), true],
      ['a suffix and a port', host('a.test:80'), false],
      ['another', host('x.shop.example'), false],
    ],
  ),
  ...operationCases(
    'hosts',
    ['Shop.Example:*', 'api.example:8443'],
    [
      ['any port', host('shop.example:1'), true],
      ['no port', host('shop.example'), false],
      ['the port', host('api.example:8443'), true],
      ['another port', host('api.example:80'), false],
    ],
  ),
  ...operationCases(
    'hosts',
    ['shop.*'],
    [
      ['a prefix', host('shop.other:80'), true],
      ['another', host('a.shop.example'), false],
    ],
  ),
  ...operationCases('hosts', ['*'], [['any', host('x'), true]]),
  ...operationCases(
    'ports',
    ['8080', '9090'],
    [
      ['one', {}, true],
      ['the other', { port: 9090 }, true],
      ['neither', { port: 80 }, false],
      ['digits of it', { port: 808 }, false],
    ],
  ),
  ...cases(
    'a port beside another field',
    [allow('a', { to: [{ operation: { ports: ['80'], methods: ['GET'] } }] })],
    [
      ['both', { port: 80 }, '+a/0'],
      ['another port', {}, '-'],
      ['another method', { port: 80, method: 'POST' }, '-'],
    ],
  ),
  ...cases(
    'operations for two ports',
    [deny('d', { to: [{ operation: { ports: ['80'] } }, { operation: { ports: ['81'], paths: ['/x'] } }] })],
    [
      ['the first', { port: 80 }, '-d/0'],
      ['the second', { port: 81, path: '/x' }, '-d/0'],
      ['the second with another path', { port: 81 }, '+'],
      ['a third', { port: 82, path: '/x' }, '+'],
    ],
  ),
  ...cases(
    'ports and notPorts of the same',
    [allow('a', { to: [{ operation: { ports: ['80'], notPorts: ['80'] } }] })],
    [
      ['the port', { port: 80 }, '-'],
      ['another', {}, '-'],
    ],
  ),
]
