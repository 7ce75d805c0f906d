// Whether a request or a connection may go on: RBAC filters, compiled when configuration changes (envoy.config.rbac.v3).
import type { AuthorizationRecord } from '../../contracts/decision-record.ts'
import type { FilteredRequest, FilterRefusal, HttpFilter, PeerFacts } from '../../contracts/http-filter.ts'
import type { RbacFilterSpec, RbacPolicy, RbacRules } from './authorization.spec.ts'
import { connectionRules, needsRequest } from './connection-rules.runtime.ts'
import { createPolicyIndex } from './policy-index.runtime.ts'
import type { PolicyIndex } from './policy-index.runtime.ts'
import type { Rule } from './rule-test.runtime.ts'

export interface Authorizer {
  /** What fails is refused, with the error as reason. */
  authorize(request: FilteredRequest): AuthorizationRecord
  /** What a rule asks of requests counts against the connection. */
  authorizeConnection(peer: PeerFacts): AuthorizationRecord
}

/** Throws an Error that names a regular expression or a block of addresses that is none. */
export function createAuthorizer(filters: readonly RbacFilterSpec[]): Authorizer {
  const needsHttp = filters.some(({ enforced, shadow }) => asks(enforced) || asks(shadow))
  const requests = compileFilters(filters, (rules) => rules)
  let connections = needsHttp ? undefined : requests
  return {
    authorize: (request) => guarded(requests, request.peer, request),
    authorizeConnection(peer) {
      // Seldom asked of such rules, and nothing new can be wrong with them.
      connections ??= compileFilters(filters, connectionRules)
      return guarded(connections, peer, undefined)
    },
  }
}

/** Throws as `createAuthorizer` does, and compiles only what can be wrong. */
export function checkCompilable({ enforced, shadow }: RbacFilterSpec): void {
  for (const rules of [enforced, shadow])
    if (rules !== undefined) createPolicyIndex(rules.policies.filter(mayBeWrong), () => undefined)
}

function mayBeWrong({ permissions, principals, condition }: RbacPolicy): boolean {
  return condition !== undefined || permissions.some(mayFail) || principals.some(mayFail)
}

function mayFail(rule: Rule): boolean {
  if (rule.kind === 'and' || rule.kind === 'or') return rule.rules.some(mayFail)
  if (rule.kind === 'not') return mayFail(rule.rule)
  const isExpression = 'match' in rule && typeof rule.match === 'object' && rule.match.kind === 'regex'
  return isExpression || 'block' in rule || rule.kind === 'claim'
}

function asks(rules: RbacRules | undefined): boolean {
  return rules !== undefined && needsRequest(rules)
}

interface CompiledRules {
  readonly action: RbacRules['action']
  /** A matching policy's verdict. */
  readonly index: PolicyIndex<AuthorizationRecord>
  /** Of ALLOW, where none matches. */
  readonly otherwise: AuthorizationRecord
}

interface CompiledFilters {
  readonly audits: readonly CompiledRules[]
  readonly enforced: readonly CompiledRules[]
  readonly shadows: readonly CompiledRules[]
}

function compileFilters(filters: readonly RbacFilterSpec[], adapt: (rules: RbacRules) => RbacRules): CompiledFilters {
  const compiled = (rules: readonly (RbacRules | undefined)[]): CompiledRules[] =>
    rules.filter((present) => present !== undefined).map((present) => compileRules(adapt(present)))
  const enforced = compiled(filters.map((filter) => filter.enforced))
  return {
    audits: enforced.filter(isLog),
    enforced: enforced.filter((rules) => !isLog(rules)),
    shadows: compiled(filters.map((filter) => filter.shadow)).filter((rules) => !isLog(rules)),
  }
}

function isLog({ action }: CompiledRules): boolean {
  return action === 'LOG'
}

function compileRules({ action, policies }: RbacRules): CompiledRules {
  const toVerdict = (policy: RbacPolicy): AuthorizationRecord => policyVerdict(policy, action !== 'DENY')
  const index = createPolicyIndex(policies, toVerdict, action === 'DENY')
  return { action, index, otherwise: plainVerdict(false, `no ALLOW policy matched${namesOf(policies)}`) }
}

/** The documents that allow others, with where each begins to. */
function namesOf(policies: readonly RbacPolicy[]): string {
  const places = new Map<string, string>()
  for (const { source } of policies)
    if (source?.file !== undefined && !places.has(source.document) && places.size <= namedPolicies)
      places.set(source.document, `${source.document} (${source.file}:${source.line})`)
  const names = [...places.values()]
  if (names.length === 0) return ''
  return `: ${names.slice(0, namedPolicies).join(', ')}${names.length > namedPolicies ? ', …' : ''}`
}

const namedPolicies = 3

function policyVerdict({ name, source }: RbacPolicy, allowed: boolean): AuthorizationRecord {
  const reason = `${allowed ? 'allowed' : 'denied'} by ${ruleTitle(name)}`
  return { allowed, policy: name, source, reason, audited: [], shadow: undefined }
}

/** People count rules from one. */
function ruleTitle(name: string): string {
  const [, document, index] = /^(.*)\/(\d+)$/s.exec(name) ?? []
  return document === undefined ? name : `${document}, rule ${Number(index) + 1}`
}

function plainVerdict(allowed: boolean, reason: string): AuthorizationRecord {
  return { allowed, policy: undefined, source: undefined, reason, audited: [], shadow: undefined }
}

const notForbidden = plainVerdict(true, 'no policy forbids it')

function guarded(filters: CompiledFilters, peer: PeerFacts, request: FilteredRequest | undefined): AuthorizationRecord {
  try {
    const verdict = decide(filters.enforced, peer, request)
    if (filters.audits.length === 0 && filters.shadows.length === 0) return verdict
    const audited = allMatches(filters.audits, peer, request)
    if (filters.shadows.length === 0) return audited.length === 0 ? verdict : { ...verdict, audited }
    const { allowed, policy } = decide(filters.shadows, peer, request)
    return { ...verdict, audited, shadow: { allowed, policy } }
  } catch (error) {
    return failure(error)
  }
}

function decide(
  rules: readonly CompiledRules[],
  peer: PeerFacts,
  request: FilteredRequest | undefined,
): AuthorizationRecord {
  let verdict = notForbidden
  for (let i = 0; i < rules.length; i++) {
    const { action, index, otherwise } = rules[i] as CompiledRules
    const match = index.first(peer, request, -1)
    if (action === 'DENY') {
      if (match !== undefined) return match.value
      continue
    }
    if (match === undefined) return otherwise
    verdict = match.value
  }
  return verdict
}

const none: readonly string[] = []

function allMatches(
  rules: readonly CompiledRules[],
  peer: PeerFacts,
  request: FilteredRequest | undefined,
): readonly string[] {
  let names: string[] | undefined
  for (const { index } of rules) {
    for (
      let match = index.first(peer, request, -1);
      match !== undefined;
      match = index.first(peer, request, match.order)
    ) {
      names ??= []
      names.push(match.value.policy as string)
    }
  }
  return names ?? none
}

function failure(error: unknown): AuthorizationRecord {
  return plainVerdict(false, `authorization failed: ${error instanceof Error ? error.message : String(error)}`)
}

/** Envoy's words; nothing of the policy is for the caller. */
export const authorizationRefusal: FilterRefusal = { status: 403, flags: ['UAEX'], detail: 'RBAC: access denied' }

/** Leaves the verdict in the request. */
export function authorizationFilter(authorizer: Authorizer): HttpFilter {
  return {
    name: 'envoy.filters.http.rbac',
    apply(request) {
      const verdict = authorizer.authorize(request)
      request.authorization = verdict
      return verdict.allowed ? undefined : authorizationRefusal
    },
  }
}
