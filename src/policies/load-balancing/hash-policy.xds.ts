// What of a request is hashed ↔ envoy.config.route.v3.RouteAction.HashPolicy.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type {
  RouteAction_HashPolicy,
  RouteAction_HashPolicySchema,
} from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { decodeDuration, encodeDuration } from '../scalars.xds.ts'
import type { HashedPart, HashPolicySpec } from './load-balancing.spec.ts'

type HashPolicyInit = MessageInitShape<typeof RouteAction_HashPolicySchema>

/** Envoy has no word for the caller's SPIFFE ID: to other data planes this is an object in the filter state that nobody has put there. */
const sourceIdentityKey = 'heddle.source_identity'

export function encodeHashPolicy(spec: HashPolicySpec): HashPolicyInit {
  return { policySpecifier: encodePart(spec), terminal: spec.terminal ?? false }
}

function encodePart(part: HashedPart): NonNullable<HashPolicyInit['policySpecifier']> {
  switch (part.kind) {
    case 'header':
      return { case: 'header', value: { headerName: part.name } }
    case 'cookie': {
      const { name, path, ttlMs } = part
      const ttl = ttlMs === undefined ? {} : { ttl: encodeDuration(ttlMs) }
      return { case: 'cookie', value: { name, ...(path === undefined ? {} : { path }), ...ttl } }
    }
    case 'query-parameter':
      return { case: 'queryParameter', value: { name: part.name } }
    case 'source-identity':
      return { case: 'filterState', value: { key: sourceIdentityKey } }
    case 'source-address':
    default:
      return { case: 'connectionProperties', value: { sourceIp: true } }
  }
}

/** Throws an Error that says what cannot be served. */
export function decodeHashPolicy({ policySpecifier, terminal }: RouteAction_HashPolicy): HashPolicySpec {
  return { ...decodePart(policySpecifier), ...(terminal ? { terminal } : {}) }
}

function decodePart(part: RouteAction_HashPolicy['policySpecifier']): HashedPart {
  switch (part.case) {
    case 'header': {
      const { headerName, regexRewrite } = part.value
      if (regexRewrite !== undefined) throw new Error('hash_policy: regex_rewrite is not supported')
      return { kind: 'header', name: headerName.toLowerCase() }
    }
    case 'cookie': {
      const { name, path, ttl, attributes } = part.value
      if (attributes.length > 0) throw new Error('hash_policy: attributes of a cookie are not supported')
      return {
        kind: 'cookie',
        name,
        ...(path === '' ? {} : { path }),
        ...(ttl === undefined ? {} : { ttlMs: decodeDuration(ttl, 'hash_policy.cookie.ttl') }),
      }
    }
    case 'queryParameter':
      return { kind: 'query-parameter', name: part.value.name }
    case 'connectionProperties':
      if (part.value.sourceIp) return { kind: 'source-address' }
      break
    case 'filterState':
      if (part.value.key === sourceIdentityKey) return { kind: 'source-identity' }
      break
    case undefined:
    default:
  }
  throw new Error(`hash_policy: ${part.case ?? 'nothing'} is not supported`)
}
