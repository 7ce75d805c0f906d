// Rules that ask for something of a request, where there are only connections.
import type { Permission, Principal, RbacRules } from './authorization.spec.ts'
import type { Rule } from './rule-test.runtime.ts'

const httpKinds: ReadonlySet<Rule['kind']> = new Set(['header', 'path', 'template', 'claim'])

/** Whether it can be said without a request that the rules match. */
export function needsRequest({ policies }: RbacRules): boolean {
  return policies.some(({ permissions, principals }) => permissions.some(asksRequest) || principals.some(asksRequest))
}

function asksRequest(rule: Rule): boolean {
  if (rule.kind === 'and' || rule.kind === 'or') return rule.rules.some(asksRequest)
  return rule.kind === 'not' ? asksRequest(rule.rule) : httpKinds.has(rule.kind)
}

/** What is not known counts against the connection: as no match of what allows, as a match of what denies. */
export function connectionRules({ action, policies }: RbacRules): RbacRules {
  const assumed = action === 'DENY'
  return {
    action,
    policies: policies.map((policy) => ({
      ...policy,
      permissions: policy.permissions.map((rule) => assume(rule, assumed) as Permission),
      principals: policy.principals.map((rule) => assume(rule, assumed) as Principal),
    })),
  }
}

function assume(rule: Rule, assumed: boolean): Rule {
  if (rule.kind === 'and' || rule.kind === 'or') {
    return { kind: rule.kind, rules: rule.rules.map((inner) => assume(inner, assumed)) } as Rule
  }
  if (rule.kind === 'not') return { kind: 'not', rule: assume(rule.rule, !assumed) } as Rule
  if (!httpKinds.has(rule.kind)) return rule
  return assumed ? { kind: 'any' } : { kind: 'not', rule: { kind: 'any' } }
}
