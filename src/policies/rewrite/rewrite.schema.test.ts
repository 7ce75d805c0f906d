import { expect, it } from 'vitest'

import { toRewriteSpec, urlRewriteSchema } from './rewrite.schema.ts'

it.each([
  [{ hostname: 'a.example' }, { hostname: 'a.example' }],
  [{ path: { type: 'ReplaceFullPath', replaceFullPath: '/x' } }, { path: { kind: 'full', value: '/x' } }],
  [{ path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/x' } }, { path: { kind: 'prefix', value: '/x' } }],
  [{ path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '' } }, { path: { kind: 'prefix', value: '/' } }],
])('translates %j', (filter, spec) => {
  expect(toRewriteSpec(urlRewriteSchema.parse(filter))).toEqual(spec)
})

it.each([
  [{ path: { type: 'ReplaceFullPath' } }],
  [{ path: { type: 'ReplaceFullPath', replacePrefixMatch: '/x' } }],
  [{ path: { type: 'ReplaceFullPath', replaceFullPath: 'x' } }],
  [{ path: { type: 'ReplaceFullPath', replaceFullPath: '/x?y=1' } }],
  [{ path: { type: 'ReplaceFullPath', replaceFullPath: '/x\r\ny' } }],
  [{ hostname: '*.example' }],
  [{ hostname: 'a.example:80' }],
])('refuses %j', (filter) => {
  expect(urlRewriteSchema.safeParse(filter).success).toBe(false)
})
