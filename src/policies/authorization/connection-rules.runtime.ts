// Rules that ask for something of a request, where there are only connections.
import type { Permission, Principal, RbacPolicy, RbacRules } from './authorization.spec.ts'
import { asksForRequest } from './condition-test.runtime.ts'
import type { Rule } from './rule-test.runtime.ts'

const httpKinds: ReadonlySet<Rule['kind']> = new Set(['header', 'path', 'template', 'claim'])

/** Whether it can be said without a request that the rules match. */
export function needsRequest({ policies }: RbacRules): boolean {
  return policies.some(
    ({ permissions, principals, condition }) =>
      permissions.some(asksRequest) ||
      principals.some(asksRequest) ||
      (condition !== undefined && asksForRequest(condition)),
  )
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
    policies: policies.flatMap((policy): RbacPolicy[] => {
      const { condition, ...others } = policy
      const unknown = condition !== undefined && asksForRequest(condition)
      if (unknown && !assumed) return []
      return [
        {
          ...(unknown ? others : policy),
          permissions: policy.permissions.map((rule) => assume(rule, assumed) as Permission),
          principals: policy.principals.map((rule) => assume(rule, assumed) as Principal),
        },
      ]
    }),
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
