// What a rule says about requests and not about connections: bytes over TCP cannot be asked for it.
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
    parts.some((part) => Object.keys(part).some((field) => httpFields.has(field))) || rule.when?.some(isHttp) === true
  )
}

/** The rule without them: it matches more. */
export function withoutHttpFields({ from, to, when }: AuthorizationRule): AuthorizationRule {
  return {
    ...(from === undefined ? {} : { from: from.map(({ source }) => ({ source: strip(source) })) }),
    ...(to === undefined ? {} : { to: to.map(({ operation }) => ({ operation: strip(operation) })) }),
    ...(when === undefined ? {} : { when: when.filter((condition) => !isHttp(condition)) }),
  }
}

function isHttp({ key }: { readonly key: string }): boolean {
  return key.startsWith('request.')
}

function strip(part: object): Fields {
  return Object.fromEntries(Object.entries(part).filter(([field]) => !httpFields.has(field)))
}
