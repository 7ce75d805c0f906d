import { expect, it } from 'vitest'

import { compileFullMatch } from '../../policies/route-match/full-match.runtime.ts'
import { boundExpressions } from './linear-expressions.ts'

it('bounds what an expression can cost', () => {
  boundExpressions()
  const beganMs = performance.now()
  expect(compileFullMatch('(a+)+')(`${'a'.repeat(40)}b`)).toBe(false)
  expect(performance.now() - beganMs).toBeLessThan(1_000)
})
