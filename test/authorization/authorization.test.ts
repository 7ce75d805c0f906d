// Every authorization case, on the engine and on the reference; and random ones, on which the two must agree.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { arbitrarySituation } from './arbitrary-authorization.ts'
import type { AuthorizationCase } from './authorization-case.ts'
import { authorizationCases } from './cases.ts'
import { applied, evaluateByEngine } from './engine.ts'
import { evaluateByReference } from './reference.ts'

const long = process.env['HEDDLE_LONG'] === '1'
const timeout = long ? 3_600_000 : 60_000

describe.each([
  ['engine', evaluateByEngine],
  ['reference', (policies, request, settings) => evaluateByReference(specs(policies), request, settings)],
] as [string, (...facts: Facts) => Verdict][])('the %s', (_, evaluate) => {
  it.each(authorizationCases.map((one) => [one.name, one] as const))('%s', (_name, one) => {
    const verdict = evaluate(one.policies, one.request, one.settings)
    expect({ allowed: verdict.allowed, policy: verdict.policy }).toEqual({ policy: undefined, ...pick(one.expect) })
    if (one.expect.audited !== undefined) expect(verdict.audited).toEqual(one.expect.audited)
    expect(verdict.shadow).toEqual(one.expect.shadow && { policy: undefined, ...one.expect.shadow })
  })
})

type Facts = [AuthorizationCase['policies'], AuthorizationCase['request'], AuthorizationCase['settings']]
type Verdict = AuthorizationCase['expect']

function pick({ allowed, policy }: Verdict): Verdict {
  return { allowed, ...(policy === undefined ? {} : { policy }) }
}

function specs(policies: AuthorizationCase['policies']): Parameters<typeof evaluateByReference>[0] {
  return policies.map((policy) => ({ ...policy, spec: applied(policy).spec }))
}

it('has more than 300 cases, each with its own name', () => {
  expect(authorizationCases.length).toBeGreaterThan(300)
  expect(new Set(authorizationCases.map(({ name }) => name)).size).toBe(authorizationCases.length)
})

it('lets no bytes pass that it would refuse as a request', { timeout }, () => {
  fc.assert(
    fc.property(arbitrarySituation, ({ policies, request, settings }) => {
      const bytes = evaluateByEngine(policies, { ...request, protocol: 'tcp' }, settings)
      const asRequest = evaluateByEngine(policies, { ...request, protocol: 'http' }, settings)
      expect(bytes.allowed && !asRequest.allowed).toBe(false)
    }),
    { numRuns: long ? 20_000 : 500 },
  )
})

it('says the same by engine and by reference', { timeout }, () => {
  fc.assert(
    fc.property(arbitrarySituation, ({ policies, request, settings }) => {
      const verdict = evaluateByEngine(policies, request, settings)
      const reference = evaluateByReference(specs(policies), request, settings)
      expect(verdict).toMatchObject({ policy: undefined, ...reference })
      expect(verdict.shadow === undefined).toBe(reference.shadow === undefined)
    }),
    { numRuns: long ? 100_000 : 2_000 },
  )
})
