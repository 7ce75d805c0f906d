// Principals at the proxy of the caller itself: what they ask of the caller is known beforehand, the rest stays.
import type { Principal, TextMatch } from './authorization.spec.ts'

export const never: Principal = { kind: 'not', rule: { kind: 'any' } }
const always: Principal = { kind: 'any' }

/** Those of a rule that can match for this SPIFFE ID, as they remain; none: the rule is not about it. */
export function forCaller(principals: readonly Principal[], caller: string): readonly Principal[] {
  const open = principals.map((principal) => fold(principal, caller)).filter((principal) => principal !== never)
  return open.includes(always) ? [always] : open
}

function fold(principal: Principal, caller: string): Principal {
  switch (principal.kind) {
    case 'any':
      return always
    case 'authenticated':
      return textMatches(principal.match, caller) ? always : never
    case 'workload':
      return isWorkload(caller, principal.namespace, principal.serviceAccount) ? always : never
    case 'not': {
      const rule = fold(principal.rule, caller)
      if (rule === always) return never
      return rule === never ? always : { kind: 'not', rule }
    }
    case 'and':
      return joined('and', principal.rules, caller, always, never)
    case 'or':
      return joined('or', principal.rules, caller, never, always)
    case 'directRemoteIp':
    case 'remoteIp':
    case 'header':
    case 'path':
    case 'claim':
    default:
      return principal
  }
}

/** `neutral` says nothing among others, `decisive` decides for all. */
function joined(
  kind: 'and' | 'or',
  principals: readonly Principal[],
  caller: string,
  neutral: Principal,
  decisive: Principal,
): Principal {
  const rules = principals.map((rule) => fold(rule, caller)).filter((rule) => rule !== neutral)
  if (rules.includes(decisive)) return decisive
  const [first] = rules
  if (first === undefined) return neutral
  return rules.length === 1 ? first : { kind, rules }
}

function textMatches(match: TextMatch, text: string): boolean {
  switch (match.kind) {
    case 'present':
      return text !== ''
    case 'regex':
      // made of a pattern with one "*": no expression that anybody writes comes here
      return new RegExp(`^(?:${match.value})$`, 's').test(text)
    case 'exact':
    case 'prefix':
    case 'suffix':
    case 'contains':
    default: {
      const [wanted, given] = match.ignoreCase ? [match.value.toLowerCase(), text.toLowerCase()] : [match.value, text]
      if (match.kind === 'exact') return given === wanted
      if (match.kind === 'prefix') return given.startsWith(wanted)
      return match.kind === 'suffix' ? given.endsWith(wanted) : given.includes(wanted)
    }
  }
}

function isWorkload(caller: string, namespace: string, serviceAccount: string | undefined): boolean {
  const [, ofNamespace, path = ''] = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/(.+)$/s.exec(caller) ?? []
  return ofNamespace === namespace && (serviceAccount === undefined || path === `sa/${serviceAccount}`)
}
