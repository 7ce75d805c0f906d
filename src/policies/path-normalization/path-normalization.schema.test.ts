import { expect, it } from 'vitest'

import { pathNormalizationSchema, toPathNormalizationSpec } from './path-normalization.schema.ts'

it.each([
  ['none', false, false, 'keep'],
  ['base', true, false, 'keep'],
  ['merge-slashes', true, true, 'keep'],
  ['decode-and-merge-slashes', true, true, 'decode'],
])('%s', (normalization, normalize, mergeSlashes, escapedSlashes) => {
  const spec = toPathNormalizationSpec(pathNormalizationSchema.parse({ normalization }))
  expect(spec).toEqual({ normalize, mergeSlashes, escapedSlashes })
})

it('is base unless told otherwise', () => {
  expect(pathNormalizationSchema.parse({})).toEqual({ normalization: 'base' })
  expect(pathNormalizationSchema.safeParse({ normalization: 'BASE' }).success).toBe(false)
})
