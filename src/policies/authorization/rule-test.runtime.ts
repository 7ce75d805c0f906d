// Permissions and principals, compiled to closures on the facts of a request and of the connection that it came by.
import type { FilteredRequest, PeerFacts } from '../../contracts/http-filter.ts'
import type { RequestHead } from '../../contracts/http-message.ts'
import type { HeaderMatch, Permission, Principal, TextMatch, WorkloadMatch } from './authorization.spec.ts'
import { compileClaim } from './claim-test.runtime.ts'
import { AddressReader, compileIpBlock } from './ip-block.runtime.ts'
import { compileTemplate, compileText } from './text-match.runtime.ts'
import type { TextTest } from './text-match.runtime.ts'

export type Rule = Permission | Principal

/** `request` is undefined for a connection: rules for connections do not ask for it. */
export type RuleTest = (peer: PeerFacts, request: FilteredRequest | undefined) => boolean

type Leaf = Exclude<Rule, { readonly kind: 'and' | 'or' | 'not' }>

/** What many rules say alike is compiled once, and stays in the processor's cache. */
export type CompiledLeaves = Map<string, RuleTest>

/** Throws an Error that names what cannot be compiled. */
export function compileRule(rule: Rule, leaves: CompiledLeaves): RuleTest {
  if (rule.kind === 'and') return compileAll(rule.rules, leaves)
  if (rule.kind === 'or') return compileAny(rule.rules, leaves)
  if (rule.kind === 'not') {
    const test = compileRule(rule.rule, leaves)
    return (peer, request) => !test(peer, request)
  }
  const key = JSON.stringify(rule)
  const test = leaves.get(key) ?? compileLeaf(rule)
  leaves.set(key, test)
  return test
}

export function compileAll(rules: readonly Rule[], leaves: CompiledLeaves): RuleTest {
  const tests = rules.flatMap(conjuncts).map((rule) => compileRule(rule, leaves))
  const [first, second, third] = tests
  if (first === undefined) return () => true
  if (second === undefined) return first
  if (third === undefined) return (peer, request) => first(peer, request) && second(peer, request)
  return (peer, request) => {
    for (let i = 0; i < tests.length; i++) if (!(tests[i] as RuleTest)(peer, request)) return false
    return true
  }
}

/** What must hold for the rule to match, each by itself. */
function conjuncts(rule: Rule): Rule[] {
  if (rule.kind === 'any') return []
  if (rule.kind === 'and' || (rule.kind === 'or' && rule.rules.length === 1)) return rule.rules.flatMap(conjuncts)
  return [rule]
}

function compileAny(rules: readonly Rule[], leaves: CompiledLeaves): RuleTest {
  const paths = new Set<string>()
  const principals = new Set<string>()
  const tests: RuleTest[] = []
  for (const rule of rules) {
    const match = 'match' in rule && typeof rule.match === 'object' ? rule.match : undefined
    const isExact = match?.kind === 'exact' && !match.ignoreCase
    if (rule.kind === 'path' && isExact) paths.add(match.value)
    else if (rule.kind === 'authenticated' && isExact) principals.add(match.value)
    else tests.push(compileRule(rule, leaves))
  }
  if (principals.size > 0) tests.unshift(ofPrincipal((principal) => principals.has(principal)))
  if (paths.size > 0) tests.unshift(ofPath((path) => paths.has(path)))
  return (peer, request) => {
    for (let i = 0; i < tests.length; i++) if ((tests[i] as RuleTest)(peer, request)) return true
    return false
  }
}

function compileLeaf(rule: Leaf): RuleTest {
  switch (rule.kind) {
    case 'any':
      return () => true
    case 'header':
      return compileHeader(rule)
    case 'path':
      return compilePath(rule.match)
    case 'template':
      return ofPath(compileTemplate(rule.template))
    case 'claim': {
      const test = compileClaim(rule)
      return (_, request) => {
        const { token } = known(request)
        return token !== undefined && test(token)
      }
    }
    case 'authenticated':
      return compilePrincipal(rule.match)
    case 'workload':
      return compileWorkload(rule)
    case 'destinationIp':
    case 'directRemoteIp':
    case 'remoteIp':
      return compileAddress(rule.kind, compileIpBlock(rule.block))
    case 'destinationPort': {
      const { from, to } = rule
      return ({ localPort }) => localPort >= from && localPort <= to
    }
    case 'serverName':
    default: {
      const test = compileText(rule.match)
      return ({ sni }) => test(sni ?? '')
    }
  }
}

function known(request: FilteredRequest | undefined): FilteredRequest {
  if (request === undefined) throw new Error('a rule for connections asks for something of a request')
  return request
}

// The exact ones, of which there may be thousands, are one function each: less to fetch from memory.

function compilePath(match: TextMatch): RuleTest {
  if (match.kind !== 'exact' || match.ignoreCase) return ofPath(compileText(match))
  const { value } = match
  return (_, request) => known(request).path === value
}

function compilePrincipal(match: TextMatch): RuleTest {
  if (match.kind !== 'exact' || match.ignoreCase) return ofPrincipal(compileText(match))
  const { value } = match
  return ({ principal }) => principal === value
}

function ofPath(test: TextTest): RuleTest {
  return (_, request) => test(known(request).path)
}

function ofPrincipal(test: TextTest): RuleTest {
  return ({ principal }) => principal !== undefined && test(principal)
}

function compileWorkload({ namespace, serviceAccount }: WorkloadMatch): RuleTest {
  const wanted = serviceAccount === undefined ? `${namespace}/` : `${namespace}/sa/${serviceAccount}`
  return ({ principal }) => {
    const start = workloadStart(principal)
    if (principal === undefined || start === -1 || !principal.startsWith(wanted, start)) return false
    const isLonger = principal.length > start + wanted.length
    return serviceAccount === undefined ? isLonger : !isLonger
  }
}

/** Where the namespace begins in a SPIFFE ID; -1: it has none. */
export function workloadStart(principal: string | undefined): number {
  if (principal === undefined) return -1
  const slash = principal.indexOf('/', scheme.length)
  const has = principal.startsWith(scheme) && slash > scheme.length && principal.startsWith('/ns/', slash)
  return has ? slash + '/ns/'.length : -1
}

const scheme = 'spiffe://'

function compileHeader({ name, match }: HeaderMatch): RuleTest {
  const read = headerReader(name)
  if (match === 'present') return (_, request) => read(known(request).head) !== undefined
  if (match === 'absent') return (_, request) => read(known(request).head) === undefined
  const test = compileText(match)
  return (_, request) => {
    const value = read(known(request).head)
    return value !== undefined && test(value)
  }
}

function headerReader(name: string): (head: RequestHead) => string | undefined {
  switch (name) {
    case ':method':
      return (head) => head.method
    case ':path':
      return (head) => head.path
    case ':scheme':
      return (head) => head.scheme
    case 'host':
    case ':authority':
      return ({ authority }) => (authority === '' ? undefined : withoutFinalDot(authority))
    default:
      // repeated lines are joined without a blank, as Envoy compares them
      return ({ headers }) => headers.get(name, ',')
  }
}

/** Routes are found without it: "admin.example." and "admin.example.:80" are the host that they look like. */
function withoutFinalDot(authority: string): string {
  return authority.includes('.:') || authority.endsWith('.') ? authority.replace(/\.(?=:|$)/, '') : authority
}

function compileAddress(
  kind: 'destinationIp' | 'directRemoteIp' | 'remoteIp',
  test: (reader: AddressReader) => boolean,
): RuleTest {
  const [reader, field] = addressFacts[kind]
  return (peer) => {
    reader.read(peer[field])
    return test(reader)
  }
}

const addressFacts = {
  destinationIp: [new AddressReader(), 'localAddress'],
  directRemoteIp: [new AddressReader(), 'address'],
  remoteIp: [new AddressReader(), 'remoteAddress'],
} as const
