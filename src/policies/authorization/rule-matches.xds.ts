// One rule of a policy, for one port, as permissions and principals. The meaning is that of Istio's AuthorizationPolicy.
import type { CelExpression } from '../../core/cel/expression.ts'
import type {
  AppliedPolicy,
  AuthorizationCondition,
  AuthorizationOperation,
  AuthorizationRule,
  AuthorizationSource,
  Permission,
  Principal,
} from './authorization.spec.ts'
import { conditionExpression } from './condition-message.xds.ts'
import { allOf, valuesMatch } from './rule-tree.xds.ts'
import { hasHttpFields, withoutHttpFields } from './tcp-rule.xds.ts'
import {
  claim,
  headerMatch,
  ipBlock,
  ipMatch,
  pathMatch,
  peerNamespace,
  peerPrincipal,
  peerServiceAccount,
  requestPrincipal,
  textMatch,
} from './value-matches.xds.ts'

export interface AuthorizationPlace {
  /** Port of the application that the listener stands for: the listener's own may be another. */
  readonly port: number
  readonly protocol: 'http' | 'tcp'
  /** What holds where no ALLOW policy applies. */
  readonly defaultAction: 'ALLOW' | 'DENY'
  /** The own one, then its aliases. */
  readonly trustDomains: readonly string[]
  /** Others are trusted as well: namespaces and service accounts are those of our own, principals of whichever they name. */
  readonly federated?: true
}

export interface RuleMatches {
  readonly permissions: readonly Permission[]
  readonly principals: readonly Principal[]
  readonly condition?: CelExpression
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
    .map((rules) => allOf<Permission>([...rules, ...shared]))
  const principals = (rule.from ?? [{ source: {} }]).map(({ source }) =>
    allOf<Principal>([...sourceMatches(source, namespace, place), ...about]),
  )
  if (permissions.length === 0) return undefined
  const condition = rule.condition === undefined ? {} : { condition: conditionExpression(rule.condition, place.port) }
  return { permissions, principals, ...condition }
}

/** Undefined when the operation is not one of this port. */
function operationMatches(operation: AuthorizationOperation, port: number): Permission[] | undefined {
  if (!portMatches(operation.ports, operation.notPorts, port)) return undefined
  return [
    ...valuesMatch<Permission>(operation.hosts, operation.notHosts, (host) => headerMatch(':authority', host, true)),
    ...valuesMatch<Permission>(operation.methods, operation.notMethods, (method) => headerMatch(':method', method)),
    ...valuesMatch<Permission>(operation.paths, operation.notPaths, pathMatch),
  ]
}

function ownDomains({ federated, trustDomains }: AuthorizationPlace): readonly string[] | undefined {
  return federated === true ? trustDomains : undefined
}

function sourceMatches(source: AuthorizationSource, namespace: string, place: AuthorizationPlace): Principal[] {
  const { trustDomains } = place
  const own = ownDomains(place)
  return [
    ...valuesMatch(source.principals, source.notPrincipals, (value) => peerPrincipal(value, trustDomains)),
    ...valuesMatch(source.requestPrincipals, source.notRequestPrincipals, requestPrincipal),
    ...valuesMatch(source.namespaces, source.notNamespaces, (value) => peerNamespace(value, own)),
    ...valuesMatch(source.serviceAccounts, source.notServiceAccounts, (value) =>
      peerServiceAccount(value, namespace, own),
    ),
    ...valuesMatch(source.ipBlocks, source.notIpBlocks, (value) => ipMatch('directRemoteIp', value)),
    ...valuesMatch(source.remoteIpBlocks, source.notRemoteIpBlocks, (value) => ipMatch('remoteIp', value)),
  ]
}

/** Undefined when the condition never holds at this place. */
function conditionMatches(
  { key, values, notValues }: AuthorizationCondition,
  namespace: string,
  place: AuthorizationPlace,
): RuleMatches | undefined {
  const permissions = (toRule: (value: string) => Permission): RuleMatches => ({
    permissions: valuesMatch(values, notValues, toRule),
    principals: [],
  })
  const principals = (toRule: (value: string) => Principal): RuleMatches => ({
    permissions: [],
    principals: valuesMatch(values, notValues, toRule),
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
      return principals((value) => peerNamespace(value, ownDomains(place)))
    case 'source.principal':
      return principals((value) => peerPrincipal(value, place.trustDomains))
    case 'source.serviceAccount':
      return principals((value) => peerServiceAccount(value, namespace, ownDomains(place)))
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
