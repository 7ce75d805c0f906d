// Permissions and principals, compiled to closures on the facts of a request and of the connection that it came by.
import type { FilteredRequest, PeerFacts, VerifiedToken } from '../../contracts/http-filter.ts'
import type { RequestHead } from '../../contracts/http-message.ts'
import type { HeaderList } from '../../core/header-list.ts'
import type { ClaimMatch, ClaimValueMatch, HeaderMatch, Permission, Principal } from './authorization.spec.ts'
import { AddressReader, compileIpBlock } from './ip-block.runtime.ts'
import { compileTemplate, compileText } from './text-match.runtime.ts'
import type { TextTest } from './text-match.runtime.ts'

export type Rule = Permission | Principal

/** `request` is undefined for a connection: rules for connections do not ask for it. */
export type RuleTest = (peer: PeerFacts, request: FilteredRequest | undefined) => boolean

/** Throws an Error that names what cannot be compiled. */
export function compileRule(rule: Rule): RuleTest {
  switch (rule.kind) {
    case 'any':
      return () => true
    case 'and':
      return compileAll(rule.rules)
    case 'or':
      return compileAny(rule.rules)
    case 'not': {
      const test = compileRule(rule.rule)
      return (peer, request) => !test(peer, request)
    }
    case 'header':
      return compileHeader(rule)
    case 'path':
      return ofPath(compileText(rule.match))
    case 'template':
      return ofPath(compileTemplate(rule.template))
    case 'claim':
      return compileClaim(rule)
    case 'authenticated':
      return ofPrincipal(compileText(rule.match))
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

function compileAll(rules: readonly Rule[]): RuleTest {
  const tests = rules.map(compileRule)
  const [first, second] = tests
  if (first !== undefined && second === undefined) return first
  return (peer, request) => {
    for (let i = 0; i < tests.length; i++) if (!(tests[i] as RuleTest)(peer, request)) return false
    return true
  }
}

export function compileAny(rules: readonly Rule[]): RuleTest {
  const paths = new Set<string>()
  const principals = new Set<string>()
  const tests: RuleTest[] = []
  for (const rule of rules) {
    const exact =
      'match' in rule && typeof rule.match === 'object' && rule.match.kind === 'exact' ? rule.match : undefined
    if (rule.kind === 'path' && exact?.ignoreCase === false) paths.add(exact.value)
    else if (rule.kind === 'authenticated' && exact?.ignoreCase === false) principals.add(exact.value)
    else tests.push(compileRule(rule))
  }
  if (principals.size > 0) tests.unshift(ofPrincipal((principal) => principals.has(principal)))
  if (paths.size > 0) tests.unshift(ofPath((path) => paths.has(path)))
  const [first, second] = tests
  if (first !== undefined && second === undefined) return first
  return (peer, request) => {
    for (let i = 0; i < tests.length; i++) if ((tests[i] as RuleTest)(peer, request)) return true
    return false
  }
}

function known(request: FilteredRequest | undefined): FilteredRequest {
  if (request === undefined) throw new Error('a rule for connections asks for something of a request')
  return request
}

function ofPath(test: TextTest): RuleTest {
  return (_, request) => test(known(request).path)
}

function ofPrincipal(test: TextTest): RuleTest {
  return ({ principal }) => principal !== undefined && test(principal)
}

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
      return ({ authority }) => (authority === '' ? undefined : authority)
    default:
      return ({ headers }) => joinedValue(headers, name)
  }
}

/** Repeated lines are joined without blank, as Envoy compares them. */
function joinedValue(headers: HeaderList, name: string): string | undefined {
  const value = headers.get(name)
  // A list with ", " may be one line as well as several.
  if (value === undefined || !value.includes(', ')) return value
  let joined: string | undefined
  for (let line = 0; line < headers.size; line++) {
    if (headers.nameAt(line).toLowerCase() !== name) continue
    joined = joined === undefined ? headers.valueAt(line) : `${joined},${headers.valueAt(line)}`
  }
  return joined
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

function compileClaim({ path, value }: ClaimMatch): RuleTest {
  const test = compileClaimValue(value)
  const [name, ...inner] = path
  const read = claimReader(name ?? '', inner.length === 0)
  return (_, request) => {
    const token = known(request).token
    if (token === undefined) return false
    let claim = read(token)
    for (const key of inner) {
      if (!isObject(claim) || !Object.hasOwn(claim, key)) return false
      claim = claim[key]
    }
    return claim !== undefined && test(claim)
  }
}

function claimReader(name: string, last: boolean): (token: VerifiedToken) => unknown {
  const own = ({ claims }: VerifiedToken): unknown => (Object.hasOwn(claims, name) ? claims[name] : undefined)
  if (!last) return own
  switch (name) {
    case 'iss':
      return ({ issuer }) => issuer
    case 'sub':
      return ({ subject }) => subject
    case 'aud':
      return ({ audiences }) => audiences
    case 'scope':
    case 'permission':
      // Lists in one text (RFC 8693 section 4.2).
      return (token) => {
        const claim = own(token)
        return typeof claim === 'string' ? claim.split(' ') : claim
      }
    default:
      return own
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function compileClaimValue(value: ClaimValueMatch): (claim: unknown) => boolean {
  switch (value.kind) {
    case 'present':
      return () => true
    case 'text': {
      const test = compileText(value.match)
      return (claim) => typeof claim === 'string' && test(claim)
    }
    case 'element': {
      const test = compileClaimValue(value.value)
      return (claim) => Array.isArray(claim) && claim.some(test)
    }
    case 'or':
    default: {
      const tests = value.values.map(compileClaimValue)
      return (claim) => tests.some((test) => test(claim))
    }
  }
}
