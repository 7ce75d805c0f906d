// What authorization policies mean, as plainly as it can be said: slow, straight from the documents, and sharing nothing with the engine.
import type {
  AuthorizationCondition,
  AuthorizationOperation,
  AuthorizationPolicySpec,
  AuthorizationRule,
  AuthorizationSource,
} from '../../src/policies/authorization/authorization.spec.ts'
import type { CaseExpectation, CaseRequest, CaseSettings } from './authorization-case.ts'
import { holdsByReference } from './reference-expression.ts'

export interface ReferencePolicy {
  readonly name: string
  readonly namespace: string
  readonly spec: AuthorizationPolicySpec
}

interface Situation {
  readonly request: CaseRequest
  readonly settings: CaseSettings
  /** Of the policy. */
  readonly namespace: string
}

export function evaluateByReference(
  policies: readonly ReferencePolicy[],
  request: CaseRequest,
  settings: CaseSettings,
): Required<Pick<CaseExpectation, 'allowed' | 'audited'>> & Pick<CaseExpectation, 'policy' | 'shadow'> {
  const enforced = policies.filter(({ spec }) => !spec.dryRun)
  const shadow = policies.filter(({ spec }) => spec.dryRun && (spec.action === 'ALLOW' || spec.action === 'DENY'))
  return {
    ...decide(enforced, request, settings, settings.default),
    audited: matchingRules(enforced, 'AUDIT', request, settings),
    ...(shadow.length === 0 ? {} : { shadow: decide(shadow, request, settings, 'ALLOW') }),
  }
}

function decide(
  policies: readonly ReferencePolicy[],
  request: CaseRequest,
  settings: CaseSettings,
  byDefault: 'ALLOW' | 'DENY',
): { allowed: boolean; policy?: string } {
  const [denying] = matchingRules(policies, 'DENY', request, settings)
  if (denying !== undefined) return { allowed: false, policy: denying }
  if (!policies.some(({ spec }) => spec.action === 'ALLOW')) return { allowed: byDefault === 'ALLOW' }
  const [allowing] = matchingRules(policies, 'ALLOW', request, settings)
  return allowing === undefined ? { allowed: false } : { allowed: true, policy: allowing }
}

function matchingRules(
  policies: readonly ReferencePolicy[],
  action: AuthorizationPolicySpec['action'],
  request: CaseRequest,
  settings: CaseSettings,
): string[] {
  const names: string[] = []
  for (const { name, namespace, spec } of policies) {
    if (spec.action !== action) continue
    for (const [index, rule] of (spec.rules ?? []).entries()) {
      if (ruleMatches(rule, action, { request, settings, namespace })) {
        names.push(`AuthorizationPolicy/${namespace}/${name}/${index}`)
      }
    }
  }
  return names
}

function ruleMatches(rule: AuthorizationRule, action: string, situation: Situation): boolean {
  const onlyHttp = { source: /requestPrincipals$/i, operation: /(hosts|methods|paths)$/i, condition: /^request\./ }
  let { from = [{ source: {} }], to = [{ operation: {} }], when = [], condition = 'true' } = rule
  if (situation.request.protocol === 'tcp') {
    const before = JSON.stringify([from, to, when, condition])
    from = from.map(({ source }) => ({ source: without(source, onlyHttp.source) }))
    to = to.map(({ operation }) => ({ operation: without(operation, onlyHttp.operation) }))
    when = when.filter(({ key }) => !onlyHttp.condition.test(key))
    if (/request\.|metadata\./.test(condition)) condition = 'true'
    const asksForRequests = before !== JSON.stringify([from, to, when, condition])
    if (asksForRequests && action !== 'DENY') return false
  }
  return (
    from.some(({ source }) => sourceMatches(source, situation)) &&
    to.some(({ operation }) => operationMatches(operation, situation)) &&
    when.every((one) => conditionMatches(one, situation)) &&
    (holdsByReference(condition, situation.request) ?? action === 'DENY')
  )
}

function without(part: object, fields: RegExp): object {
  return Object.fromEntries(Object.entries(part).filter(([name]) => !fields.test(name)))
}

type Matches = (value: string) => boolean

/** One of the values must match, if there are any, and none of the others. */
function both(
  values: readonly string[] | undefined,
  notValues: readonly string[] | undefined,
  matches: Matches,
): boolean {
  return (values === undefined || values.some(matches)) && (notValues === undefined || !notValues.some(matches))
}

function sourceMatches(source: AuthorizationSource, situation: Situation): boolean {
  const { request } = situation
  return (
    both(source.principals, source.notPrincipals, (value) => isPrincipal(value, situation)) &&
    both(source.requestPrincipals, source.notRequestPrincipals, (value) => isRequestPrincipal(value, request)) &&
    both(source.namespaces, source.notNamespaces, (value) => like(value, peer(request)?.namespace)) &&
    both(source.serviceAccounts, source.notServiceAccounts, (value) => isServiceAccount(value, situation)) &&
    both(source.ipBlocks, source.notIpBlocks, (value) => inBlock(value, peerAddress(request))) &&
    both(source.remoteIpBlocks, source.notRemoteIpBlocks, (value) => inBlock(value, remoteAddress(request)))
  )
}

function operationMatches(operation: AuthorizationOperation, { request }: Situation): boolean {
  const path = request.path.split('?')[0] as string
  return (
    both(operation.hosts, operation.notHosts, (value) => like(value.toLowerCase(), request.host.toLowerCase())) &&
    both(operation.ports, operation.notPorts, (value) => value === String(request.port)) &&
    both(operation.methods, operation.notMethods, (value) => like(value, request.method)) &&
    both(operation.paths, operation.notPaths, (value) => isPath(value, path))
  )
}

function conditionMatches({ key, values, notValues }: AuthorizationCondition, situation: Situation): boolean {
  return both(values, notValues, conditionTest(key, situation))
}

function conditionTest(key: string, situation: Situation): Matches {
  const { request } = situation
  if (key.startsWith('request.headers[')) {
    const name = key.slice('request.headers['.length, -1).toLowerCase()
    const lines =
      name === 'host' ? [request.host] : request.headers.filter(([n]) => n.toLowerCase() === name).map(([, v]) => v)
    return (value) => lines.length > 0 && (value === '*' || like(value, lines.join(',')))
  }
  const payload = {
    ...request.token?.claims,
    iss: request.token?.issuer,
    sub: request.token?.subject,
    aud: request.token?.audiences,
  }
  if (key.startsWith('request.auth.claims[')) {
    const texts = claimTexts(payload, key.slice('request.auth.claims['.length, -1).split(']['))
    return (value) => texts.some((text) => like(value, text))
  }
  switch (key) {
    case 'source.ip':
      return (value) => inBlock(value, peerAddress(request))
    case 'remote.ip':
      return (value) => inBlock(value, remoteAddress(request))
    case 'source.namespace':
      return (value) => like(value, peer(request)?.namespace)
    case 'source.principal':
      return (value) => isPrincipal(value, situation)
    case 'source.serviceAccount':
      return (value) => isServiceAccount(value, situation)
    case 'request.auth.principal':
      return (value) => isRequestPrincipal(value, request)
    case 'request.auth.audiences':
      return (value) => claimTexts(payload, ['aud']).some((text) => like(value, text))
    case 'request.auth.presenter':
      return (value) => claimTexts(payload, ['azp']).some((text) => like(value, text))
    case 'destination.ip':
      return (value) => inBlock(value, request.localAddress ?? '192.0.2.80')
    case 'destination.port':
      return (value) => value === String(request.port)
    case 'connection.sni':
      return (value) => like(value, request.sni)
    default:
      throw new Error(`unknown condition ${key}`)
  }
}

/** "*": any that is not empty. "*b", "a*", "ab". */
function like(pattern: string, text: string | undefined): boolean {
  if (text === undefined) return false
  if (pattern === '*') return text.length > 0
  if (pattern.startsWith('*')) return text.endsWith(pattern.slice(1))
  if (pattern.endsWith('*')) return text.startsWith(pattern.slice(0, -1))
  return text === pattern
}

function peer(request: CaseRequest): { domain: string; namespace: string; account: string } | undefined {
  const parts = request.principal?.split('/')
  return parts && { domain: parts[2] ?? '', namespace: parts[4] ?? '', account: parts[6] ?? '' }
}

function isPrincipal(value: string, { request, settings }: Situation): boolean {
  const pattern = value.replace(/^spiffe:\/\//, '')
  const known = settings.trustDomains.find((domain) => pattern.startsWith(`${domain}/`))
  const patterns =
    known === undefined ? [pattern] : settings.trustDomains.map((domain) => domain + pattern.slice(known.length))
  return patterns.some((one) => like(one, request.principal?.slice('spiffe://'.length)))
}

function isServiceAccount(value: string, { request, namespace }: Situation): boolean {
  const whole = value.includes('/') ? value : `${namespace}/${value}`
  const caller = peer(request)
  return caller !== undefined && `${caller.namespace}/${caller.account}` === whole
}

function isRequestPrincipal(value: string, { token }: CaseRequest): boolean {
  if (token === undefined || token.issuer === '' || token.subject === '') return false
  return like(value, `${token.issuer}/${token.subject}`)
}

function isPath(value: string, path: string): boolean {
  if (!value.includes('{')) return like(value, path)
  const expression = value
    .split(/(\{\*\*?\})/)
    .map((part) => (part === '{*}' ? '[^/]+' : part === '{**}' ? '.*' : part.replaceAll(/[^\w/]/g, '\\$&')))
  return new RegExp(`^${expression.join('')}$`).test(path)
}

function claimTexts(payload: unknown, path: readonly string[]): string[] {
  let value = payload
  for (const name of path) {
    const found = Object.entries(Array.isArray(value) ? {} : (value ?? {})).find(([key]) => key === name)
    value = found?.[1]
  }
  if (typeof value === 'string') {
    const words = path.length === 1 && ['scope', 'permission'].includes(path[0] as string)
    return words ? value.split(' ') : [value]
  }
  return Array.isArray(value) ? value.filter((element) => typeof element === 'string') : []
}

function peerAddress({ address = '192.0.2.1' }: CaseRequest): string {
  return address
}

function remoteAddress(request: CaseRequest): string {
  return request.remoteAddress ?? peerAddress(request)
}

function inBlock(block: string, address: string): boolean {
  const [start = '', length] = block.split('/')
  const from = toBits(start)
  const asked = toBits(address)
  const mapped = start.includes(':') && from.length === 32
  const bits = length === undefined ? from.length : Number(length) - (mapped ? 96 : 0)
  return from.length === asked.length && from.slice(0, bits) === asked.slice(0, bits)
}

/** 32 or 128 digits; an IPv4 address inside an IPv6 one is itself. */
function toBits(address: string): string {
  if (!address.includes(':'))
    return address
      .split('.')
      .map((part) => binary(Number(part), 8))
      .join('')
  const groups = new URL(`http://[${address}]/`).hostname
    .slice(1, -1)
    .split('::')
    .map((side) => side.split(':').filter(Boolean))
  const [head = [], tail = []] = groups
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0')
  const bits = [...head, ...zeros, ...tail].map((group) => binary(Number.parseInt(group, 16), 16)).join('')
  const mapping = '0'.repeat(80) + '1'.repeat(16)
  return bits.startsWith(mapping) ? bits.slice(96) : bits
}

function binary(number: number, digits: number): string {
  return number.toString(2).padStart(digits, '0')
}
