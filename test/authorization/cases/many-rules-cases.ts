// Many rules that ask for different things: the first that matches is named, however it is found.
import type { AuthorizationRule } from '../../../src/policies/authorization/authorization.spec.ts'
import { allow, cases, deny } from '../authorization-case.ts'
import type { AuthorizationCase, RequestChanges, Row } from '../authorization-case.ts'

const to = (...paths: string[]): AuthorizationRule => ({ to: [{ operation: { paths } }] })
const from = (...accounts: string[]): AuthorizationRule => ({
  from: [{ source: { principals: accounts.map((account) => `mesh.local/ns/${account}`) } }],
})
const namespace = (...namespaces: string[]): AuthorizationRule => ({ from: [{ source: { namespaces } }] })
const as = (account: string, path: string): RequestChanges => ({ principal: `spiffe://mesh.local/ns/${account}`, path })

const rules: readonly AuthorizationRule[] = [
  { ...to('/a'), ...from('x/sa/a') },
  to('/b', '/c'),
  { ...to('/b'), ...namespace('y') },
  from('x/sa/b'),
  to('/deep/*'),
  to('/deep/er/*', '/deep/est'),
  namespace('y'),
  { from: [{ source: { serviceAccounts: ['z/one'] } }] },
  to('*/tail'),
  { to: [{ operation: { methods: ['POST'] } }, { operation: { paths: ['/post'] } }] },
  { ...to('/a', '/open/*'), ...from('x/sa/c', 'x/sa/d') },
  to('/t/{*}/x'),
  to('/a'),
  namespace('z', 'w'),
]

const rows = (sign: '+' | '-', otherwise: '+' | '-'): Row[] => [
  ['path and principal', as('x/sa/a', '/a'), `${sign}p/0`],
  ['the path with another principal', as('x/sa/z', '/a'), `${sign}p/12`],
  ['one of two paths', as('x/sa/z', '/c'), `${sign}p/1`],
  ['a path before a path with a namespace', as('y/sa/q', '/b'), `${sign}p/1`],
  ['a principal before a later path', as('x/sa/b', '/a'), `${sign}p/3`],
  ['a path before a principal', as('x/sa/b', '/b'), `${sign}p/1`],
  ['a principal before the beginning of a path', as('x/sa/b', '/deep/x'), `${sign}p/3`],
  ['the shorter beginning, written first', as('x/sa/z', '/deep/er/x'), `${sign}p/4`],
  ['the beginning that is the path', as('x/sa/z', '/deep/'), `${sign}p/4`],
  ['less than the beginning', as('x/sa/z', '/deep'), otherwise],
  ['a namespace', as('y/sa/q', '/other'), `${sign}p/6`],
  ['the beginning of a path before a namespace', as('y/sa/q', '/deep/x'), `${sign}p/4`],
  ['a namespace before the end of a path', as('y/sa/q', '/x/tail'), `${sign}p/6`],
  ['a service account', as('z/sa/one', '/other'), `${sign}p/7`],
  ['another account of its namespace', as('z/sa/two', '/other'), `${sign}p/13`],
  ['the end of a path', as('x/sa/z', '/x/tail'), `${sign}p/8`],
  ['the end of a path before a path', as('w/sa/z', '/x/tail'), `${sign}p/8`],
  ['a method, which no index knows', { ...as('x/sa/z', '/other'), method: 'POST' }, `${sign}p/9`],
  ['a method before a path', { ...as('x/sa/c', '/a'), method: 'POST' }, `${sign}p/9`],
  ['a path before a method', { ...as('x/sa/c', '/c'), method: 'POST' }, `${sign}p/1`],
  ['a path beside a method', as('x/sa/z', '/post'), `${sign}p/9`],
  ['one of several principals on one of several paths', as('x/sa/d', '/a'), `${sign}p/10`],
  ['the same below the beginning of a path', as('x/sa/d', '/open/1'), `${sign}p/10`],
  ['another principal there', as('x/sa/e', '/open/1'), otherwise],
  ['a template', as('x/sa/z', '/t/1/x'), `${sign}p/11`],
  ['nearly a template', as('x/sa/z', '/t/1/y'), otherwise],
  ['one of several namespaces', as('w/sa/q', '/other'), `${sign}p/13`],
  ['without principal', { principal: undefined, path: '/other' }, otherwise],
  ['without principal, by path', { principal: undefined, path: '/a' }, `${sign}p/12`],
]

export const manyRulesCases: readonly AuthorizationCase[] = [
  ...cases('many rules that allow', [allow('p', ...rules)], rows('+', '-')),
  ...cases('many rules that deny', [deny('p', ...rules)], rows('-', '+')),
]
