// What a rule says about requests and not about connections: bytes over TCP cannot be asked for it.
import { isRequestAttribute } from '../../contracts/condition-attributes.ts'
import { dottedName, rewriteCel } from '../../core/cel/expression.ts'
import { parseCel } from '../../core/cel/library.ts'
import type { AuthorizationRule } from './authorization.spec.ts'

type Fields = Readonly<Record<string, unknown>>

const httpFields: ReadonlySet<string> = new Set([
  'requestPrincipals',
  'notRequestPrincipals',
  'hosts',
  'notHosts',
  'methods',
  'notMethods',
  'paths',
  'notPaths',
])

export function hasHttpFields(rule: AuthorizationRule): boolean {
  const parts = [...(rule.from ?? []).map(({ source }) => source), ...(rule.to ?? []).map(({ operation }) => operation)]
  return (
    parts.some((part) => Object.keys(part).some((field) => httpFields.has(field))) ||
    rule.when?.some(isHttp) === true ||
    (rule.condition !== undefined && asksForRequest(rule.condition))
  )
}

/** What cannot be parsed asks for everything. */
function asksForRequest(condition: string): boolean {
  const parsed = parseCel(condition)
  if ('message' in parsed) return true
  let asks = false
  rewriteCel(parsed.expression, (part) => {
    const name = dottedName(part)
    asks ||= name !== undefined && (isRequestAttribute(name) || name === 'request' || name === 'metadata')
    return undefined
  })
  return asks
}

/** The rule without them: it matches more. */
export function withoutHttpFields({ from, to, when, condition }: AuthorizationRule): AuthorizationRule {
  return {
    ...(from === undefined ? {} : { from: from.map(({ source }) => ({ source: strip(source) })) }),
    ...(to === undefined ? {} : { to: to.map(({ operation }) => ({ operation: strip(operation) })) }),
    ...(when === undefined ? {} : { when: when.filter((one) => !isHttp(one)) }),
    ...(condition === undefined || asksForRequest(condition) ? {} : { condition }),
  }
}

function isHttp({ key }: { readonly key: string }): boolean {
  return key.startsWith('request.')
}

function strip(part: object): Fields {
  return Object.fromEntries(Object.entries(part).filter(([field]) => !httpFields.has(field)))
}
