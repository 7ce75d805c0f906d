// One rule of a policy, for one port, as permissions and principals. The meaning is that of Istio's AuthorizationPolicy.
import { escapeRegex } from '../route-match/string-matcher.xds.ts'
import type {
  AppliedPolicy,
  AuthorizationCondition,
  AuthorizationOperation,
  AuthorizationRule,
  AuthorizationSource,
  ClaimMatch,
  Permission,
  Principal,
  TextMatch,
} from './authorization.spec.ts'
import { hasHttpFields, withoutHttpFields } from './tcp-rule.xds.ts'

export interface AuthorizationPlace {
  /** Port of the application that the listener stands for: the listener's own may be another. */
  readonly port: number
  readonly protocol: 'http' | 'tcp'
  /** What holds where no ALLOW policy applies. */
  readonly defaultAction: 'ALLOW' | 'DENY'
  /** The own one, then its aliases. */
  readonly trustDomains: readonly string[]
}

export interface RuleMatches {
  readonly permissions: readonly Permission[]
  readonly principals: readonly Principal[]
}

/** Undefined when the rule can match nothing at this place. */
export function ruleMatches(
  rule: AuthorizationRule,
  policy: Pick<AppliedPolicy, 'spec' | 'namespace'>,
  place: AuthorizationPlace,
): RuleMatches | undefined {
  // What is unknown on TCP must not widen access: an ALLOW matches nothing, a DENY whatever the rest of the rule says.
  if (place.protocol === 'tcp' && hasHttpFields(rule)) {
    return policy.spec.action === 'DENY' ? ruleMatches(withoutHttpFields(rule), policy, place) : undefined
  }
  const { namespace } = policy
  const conditions = (rule.when ?? []).map((condition) => conditionMatches(condition, namespace, place))
  if (conditions.includes(undefined)) return undefined
  const shared = conditions.flatMap((condition) => condition?.permissions ?? [])
  const about = conditions.flatMap((condition) => condition?.principals ?? [])
  const permissions = (rule.to ?? [{ operation: {} }])
    .map(({ operation }) => operationMatches(operation, place.port))
    .filter((rules) => rules !== undefined)
    .map((rules) => all<Permission>([...rules, ...shared]))
  const principals = (rule.from ?? [{ source: {} }]).map(({ source }) =>
    all<Principal>([...sourceMatches(source, namespace, place.trustDomains), ...about]),
  )
  return permissions.length === 0 ? undefined : { permissions, principals }
}

/** Undefined when the operation is not one of this port. */
function operationMatches(operation: AuthorizationOperation, port: number): Permission[] | undefined {
  if (!portMatches(operation.ports, operation.notPorts, port)) return undefined
  return [
    ...oneOf<Permission>(operation.hosts, operation.notHosts, (host) => headerMatch(':authority', host, true)),
    ...oneOf<Permission>(operation.methods, operation.notMethods, (method) => headerMatch(':method', method)),
    ...oneOf<Permission>(operation.paths, operation.notPaths, pathMatch),
  ]
}

function sourceMatches(source: AuthorizationSource, namespace: string, trustDomains: readonly string[]): Principal[] {
  return [
    ...oneOf(source.principals, source.notPrincipals, (value) => peerPrincipal(value, trustDomains)),
    ...oneOf(source.requestPrincipals, source.notRequestPrincipals, requestPrincipal),
    ...oneOf(source.namespaces, source.notNamespaces, peerNamespace),
    ...oneOf(source.serviceAccounts, source.notServiceAccounts, (value) => peerServiceAccount(value, namespace)),
    ...oneOf(source.ipBlocks, source.notIpBlocks, (value) => ipMatch('directRemoteIp', value)),
    ...oneOf(source.remoteIpBlocks, source.notRemoteIpBlocks, (value) => ipMatch('remoteIp', value)),
  ]
}

/** Undefined when the condition never holds at this place. */
function conditionMatches(
  { key, values, notValues }: AuthorizationCondition,
  namespace: string,
  place: AuthorizationPlace,
): RuleMatches | undefined {
  const permissions = (toRule: (value: string) => Permission): RuleMatches => ({
    permissions: oneOf(values, notValues, toRule),
    principals: [],
  })
  const principals = (toRule: (value: string) => Principal): RuleMatches => ({
    permissions: [],
    principals: oneOf(values, notValues, toRule),
  })
  const [, header] = /^request\.headers\[(.+)\]$/.exec(key) ?? []
  if (header !== undefined) return principals((value) => headerMatch(header.toLowerCase(), value))
  if (key.startsWith('request.auth.claims[')) {
    const path = key.slice('request.auth.claims['.length, -1).split('][')
    return principals((value) => claim(path, textMatch(value)))
  }
  switch (key) {
    case 'source.ip':
      return principals((value) => ipMatch('directRemoteIp', value))
    case 'remote.ip':
      return principals((value) => ipMatch('remoteIp', value))
    case 'source.namespace':
      return principals(peerNamespace)
    case 'source.principal':
      return principals((value) => peerPrincipal(value, place.trustDomains))
    case 'source.serviceAccount':
      return principals((value) => peerServiceAccount(value, namespace))
    case 'request.auth.principal':
      return principals(requestPrincipal)
    case 'request.auth.audiences':
      return principals((value) => claim(['aud'], textMatch(value)))
    case 'request.auth.presenter':
      return principals((value) => claim(['azp'], textMatch(value)))
    case 'destination.ip':
      return permissions((value) => ({ kind: 'destinationIp', block: ipBlock(value) }))
    case 'destination.port':
      return portMatches(values, notValues, place.port) ? { permissions: [], principals: [] } : undefined
    case 'connection.sni':
      return permissions((value) => ({ kind: 'serverName', match: textMatch(value) }))
    default:
      throw new Error(`${key}: the condition is not known; the schema must refuse it`)
  }
}

/** Known when the listener is built: a listener stands for one port. */
function portMatches(
  ports: readonly string[] | undefined,
  notPorts: readonly string[] | undefined,
  port: number,
): boolean {
  const text = String(port)
  return (ports === undefined || ports.includes(text)) && notPorts?.includes(text) !== true
}

function peerPrincipal(value: string, trustDomains: readonly string[]): Principal {
  const name = value.startsWith('spiffe://') ? value.slice('spiffe://'.length) : value
  if (name !== '*' && name.startsWith('*')) {
    // A suffix alone could reach into the scheme: "*/a" is no end of "spiffe://a".
    return { kind: 'authenticated', match: { kind: 'regex', value: `spiffe://.*${escapeRegex(name.slice(1))}` } }
  }
  const domain = name.slice(0, Math.max(0, name.indexOf('/')))
  const same = trustDomains.includes(domain) ? trustDomains : [domain]
  return any(
    same.map((other): Principal => {
      const match = textMatch(other + name.slice(domain.length))
      return { kind: 'authenticated', match: 'value' in match ? { ...match, value: `spiffe://${match.value}` } : match }
    }),
  )
}

function peerNamespace(value: string): Principal {
  if (!value.includes('*')) return { kind: 'workload', namespace: value, serviceAccount: undefined }
  const some = value === '*' ? '[^/]+' : value.split('*').map(escapeRegex).join('[^/]*')
  return { kind: 'authenticated', match: { kind: 'regex', value: `spiffe://[^/]+/ns/${some}/.+` } }
}

/** "namespace/name", or a name in the policy's own namespace. */
function peerServiceAccount(value: string, namespace: string): Principal {
  const [name = '', inNamespace = namespace] = value.split('/').toReversed()
  return { kind: 'workload', namespace: inNamespace, serviceAccount: name }
}

/**
 * A token has issuer and subject apart, a pattern means them joined by "/", which may occur in both: every "/" of the pattern may be the
 * one between them.
 */
function requestPrincipal(value: string): Principal {
  const pattern = textMatch(value)
  if (pattern.kind === 'present') return issuerAndSubject(pattern, pattern)
  const text = 'value' in pattern ? pattern.value : ''
  const pairs: Principal[] = []
  if (pattern.kind === 'prefix') pairs.push(issuerAndSubject(pattern, present))
  if (pattern.kind === 'suffix') pairs.push(issuerAndSubject(present, pattern))
  for (let slash = text.indexOf('/'); slash !== -1; slash = text.indexOf('/', slash + 1)) {
    const issuer = part(text.slice(0, slash), pattern.kind === 'suffix' ? 'suffix' : 'exact')
    const subject = part(text.slice(slash + 1), pattern.kind === 'prefix' ? 'prefix' : 'exact')
    if (issuer !== undefined && subject !== undefined) pairs.push(issuerAndSubject(issuer, subject))
  }
  return any(pairs)
}

const present: TextMatch = { kind: 'present' }

/** Undefined: a token without it has no principal. */
function part(value: string, kind: 'exact' | 'prefix' | 'suffix'): TextMatch | undefined {
  if (value !== '') return { kind, value, ignoreCase: false }
  return kind === 'exact' ? undefined : present
}

function issuerAndSubject(issuer: TextMatch, subject: TextMatch): Principal {
  return all<Principal>([
    { kind: 'claim', path: ['iss'], value: { kind: 'text', match: issuer } },
    { kind: 'claim', path: ['sub'], value: { kind: 'text', match: subject } },
  ])
}

/** A text, or a list with such a text in it. */
function claim(path: readonly string[], match: TextMatch): ClaimMatch {
  const text = { kind: 'text', match } as const
  return { kind: 'claim', path, value: { kind: 'or', values: [text, { kind: 'element', value: text }] } }
}

function headerMatch(name: string, value: string, ignoreCase = false): Permission & Principal {
  const match = textMatch(value, ignoreCase)
  return { kind: 'header', name, match: match.kind === 'present' ? 'present' : match }
}

function pathMatch(value: string): Permission {
  if (!/[{}]/.test(value)) return { kind: 'path', match: textMatch(value) }
  return { kind: 'template', template: value.replaceAll(/\{(\*\*?)\}/g, '$1') }
}

function textMatch(value: string, ignoreCase = false): TextMatch {
  if (value === '*') return present
  if (value.startsWith('*')) return { kind: 'suffix', value: value.slice(1), ignoreCase }
  if (value.endsWith('*')) return { kind: 'prefix', value: value.slice(0, -1), ignoreCase }
  return { kind: 'exact', value, ignoreCase }
}

function ipMatch(kind: 'directRemoteIp' | 'remoteIp', value: string): Principal {
  return { kind, block: ipBlock(value) }
}

function ipBlock(value: string): { address: string; prefixLength: number } {
  const [address = '', length] = value.split('/')
  return { address, prefixLength: length === undefined ? (address.includes(':') ? 128 : 32) : Number(length) }
}

type Tree<T> = T | { kind: 'any' } | { kind: 'and' | 'or'; rules: readonly T[] } | { kind: 'not'; rule: T }

/** What one value of `values` must match and none of `notValues` may. */
function oneOf<T extends Permission | Principal>(
  values: readonly string[] | undefined,
  notValues: readonly string[] | undefined,
  toRule: (value: string) => T,
): T[] {
  const rules: Tree<T>[] = []
  if (values !== undefined && values.length > 0) rules.push(any(values.map(toRule)))
  if (notValues !== undefined && notValues.length > 0) rules.push({ kind: 'not', rule: any(notValues.map(toRule)) })
  return rules as T[]
}

function any<T extends Permission | Principal>(rules: readonly T[]): T {
  const [only] = rules
  if (only === undefined) return { kind: 'not', rule: { kind: 'any' } } as T
  return rules.length === 1 ? only : ({ kind: 'or', rules } as unknown as T)
}

function all<T extends Permission | Principal>(rules: readonly T[]): T {
  const [only] = rules
  if (only === undefined) return { kind: 'any' } as T
  return rules.length === 1 ? only : ({ kind: 'and', rules } as unknown as T)
}
