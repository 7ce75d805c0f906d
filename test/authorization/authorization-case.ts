// One authorization case as plain data, and short ways to write many of them.
import type { AuthorizationPolicySpec, AuthorizationRule } from '../../src/policies/authorization/authorization.spec.ts'

/** The `spec` as in a document: what has a default may be missing. */
export interface CasePolicy {
  readonly name: string
  readonly namespace: string
  readonly spec: Partial<AuthorizationPolicySpec>
}

export interface CaseToken {
  readonly issuer: string
  readonly subject: string
  readonly audiences: readonly string[]
  /** Beside those above. */
  readonly claims: Readonly<Record<string, unknown>>
}

export interface CaseRequest {
  readonly method: string
  /** With query. */
  readonly path: string
  readonly host: string
  /** Names and values. */
  readonly headers: readonly (readonly [string, string])[]
  /** SPIFFE ID. */
  readonly principal?: string
  readonly address?: string
  /** As `address` when missing. */
  readonly remoteAddress?: string
  /** 192.0.2.80 when missing. */
  readonly localAddress?: string
  readonly token?: CaseToken
  /** Of the application. */
  readonly port: number
  readonly sni?: string
  readonly protocol: 'http' | 'tcp'
}

export interface CaseSettings {
  readonly default: 'ALLOW' | 'DENY'
  readonly trustDomains: readonly string[]
}

export interface CaseExpectation {
  readonly allowed: boolean
  /** "AuthorizationPolicy/default/name/0"; missing: none decided. */
  readonly policy?: string
  readonly audited?: readonly string[]
  readonly shadow?: { readonly allowed: boolean; readonly policy?: string }
}

export interface AuthorizationCase {
  readonly name: string
  readonly policies: readonly CasePolicy[]
  readonly request: CaseRequest
  readonly settings: CaseSettings
  readonly expect: CaseExpectation
}

export const defaultRequest: CaseRequest = {
  method: 'GET',
  path: '/api',
  host: 'shop.example',
  headers: [],
  principal: 'spiffe://mesh.local/ns/default/sa/web',
  address: '192.0.2.1',
  port: 8080,
  protocol: 'http',
}

export const defaultSettings: CaseSettings = { default: 'ALLOW', trustDomains: ['mesh.local'] }

export type RequestChanges = Partial<{ [K in keyof CaseRequest]: CaseRequest[K] | undefined }>

/** "+" allowed, "-" denied, then the deciding "policy/rule" of namespace default. */
export type Outcome = `${'+' | '-'}${string}`

export type Row = readonly [
  title: string,
  changes: RequestChanges,
  outcome: Outcome,
  more?: Pick<CaseExpectation, 'audited' | 'shadow'>,
]

export function policy(name: string, spec: Partial<AuthorizationPolicySpec>, namespace = 'default'): CasePolicy {
  return { name, namespace, spec }
}

export function allow(name: string, ...rules: AuthorizationRule[]): CasePolicy {
  return policy(name, { action: 'ALLOW', rules })
}

export function deny(name: string, ...rules: AuthorizationRule[]): CasePolicy {
  return policy(name, { action: 'DENY', rules })
}

export function ruleName(short: string): string {
  return `AuthorizationPolicy/default/${short}`
}

/** Cases on the same policies. */
export function cases(
  feature: string,
  policies: readonly CasePolicy[],
  rows: readonly Row[],
  settings: Partial<CaseSettings> = {},
): AuthorizationCase[] {
  return rows.map(([title, changes, outcome, more]) => ({
    name: `${feature}: ${title}`,
    policies,
    request: changed(changes),
    settings: { ...defaultSettings, ...settings },
    expect: {
      allowed: outcome.startsWith('+'),
      ...(outcome.length === 1 ? {} : { policy: ruleName(outcome.slice(1)) }),
      ...more,
    },
  }))
}

function changed(changes: RequestChanges): CaseRequest {
  const entries = Object.entries({ ...defaultRequest, ...changes }).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as unknown as CaseRequest
}

export type FieldRow = readonly [title: string, changes: RequestChanges, matches: boolean]

/** A field and its negation, in a policy that allows and in one that denies. */
export function fieldCases(
  feature: string,
  toRule: (not: boolean) => AuthorizationRule,
  rows: readonly FieldRow[],
  settings: Partial<CaseSettings> = {},
): AuthorizationCase[] {
  return [false, true].flatMap((not) => {
    const outcomes = (matching: Outcome, other: Outcome): Row[] =>
      rows.map(([title, changes, matches]) => [title, changes, matches === not ? other : matching])
    const what = not ? `not ${feature}` : feature
    return [
      ...cases(`ALLOW by ${what}`, [allow('p', toRule(not))], outcomes('+p/0', '-'), settings),
      ...cases(`DENY by ${what}`, [deny('p', toRule(not))], outcomes('-p/0', '+'), settings),
    ]
  })
}

/** "principals" or "notPrincipals". */
export function fieldName(field: string, not: boolean): string {
  return not ? `not${field.charAt(0).toUpperCase()}${field.slice(1)}` : field
}

export function sourceCases(
  field: string,
  values: readonly string[],
  rows: readonly FieldRow[],
  settings: Partial<CaseSettings> = {},
): AuthorizationCase[] {
  const toRule = (not: boolean): AuthorizationRule => ({ from: [{ source: { [fieldName(field, not)]: values } }] })
  return fieldCases(`${field} ${values.join(', ')}`, toRule, rows, settings)
}

export function operationCases(
  field: string,
  values: readonly string[],
  rows: readonly FieldRow[],
  settings: Partial<CaseSettings> = {},
): AuthorizationCase[] {
  const toRule = (not: boolean): AuthorizationRule => ({ to: [{ operation: { [fieldName(field, not)]: values } }] })
  return fieldCases(`${field} ${values.join(', ')}`, toRule, rows, settings)
}

export function conditionCases(
  key: string,
  values: readonly string[],
  rows: readonly FieldRow[],
  settings: Partial<CaseSettings> = {},
): AuthorizationCase[] {
  const toRule = (not: boolean): AuthorizationRule => ({ when: [{ key, [fieldName('values', not)]: values }] })
  return fieldCases(`${key} ${values.join(', ')}`, toRule, rows, settings)
}
