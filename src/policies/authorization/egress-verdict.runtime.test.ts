import { expect, it } from 'vitest'

import type { AuthorizationRecord } from '../../contracts/decision-record.ts'
import { joinVerdicts } from './egress-verdict.runtime.ts'

function verdict(policy: string, changes: Partial<AuthorizationRecord> = {}): AuthorizationRecord {
  return { allowed: true, policy, source: undefined, reason: policy, audited: [], shadow: undefined, ...changes }
}

function dryRun(policy: string, allowed: boolean | undefined): AuthorizationRecord {
  return verdict(policy, { shadow: allowed === undefined ? undefined : { allowed, policy } })
}

it('decides by the last one, and reports the audits of both', () => {
  const joined = joinVerdicts(verdict('in', { audited: ['a'] }), verdict('out', { allowed: false, audited: ['b'] }))
  expect(joined).toEqual(verdict('out', { allowed: false, audited: ['a', 'b'] }))
})

it('is the only one there is', () => {
  const only = verdict('out')
  expect(joinVerdicts(undefined, only)).toBe(only)
})

it.each([
  [false, undefined, 'in'],
  [true, undefined, 'in'],
  [false, true, 'in'],
  [true, false, 'out'],
  [true, true, 'out'],
  [undefined, false, 'out'],
])('of dry runs (%s, %s) reports what would refuse', (before, last, reported) => {
  expect(joinVerdicts(dryRun('in', before), dryRun('out', last)).shadow?.policy).toBe(reported)
})
