// A case on the way that policies take in a mesh: document, schema, wire, filters, verdict.
import type { AuthorizationRecord } from '../../src/contracts/decision-record.ts'
import type { FilteredRequest, PeerFacts } from '../../src/contracts/http-filter.ts'
import { FilterSchema } from '../../src/contracts/xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { HttpFilterSchema } from '../../src/contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { HeaderList } from '../../src/core/header-list.ts'
import { createAuthorizer } from '../../src/policies/authorization/authorization.runtime.ts'
import type { Authorizer } from '../../src/policies/authorization/authorization.runtime.ts'
import { authorizationSpecSchema } from '../../src/policies/authorization/authorization.schema.ts'
import type { AppliedPolicy } from '../../src/policies/authorization/authorization.spec.ts'
import {
  decodeAuthorization,
  decodeNetworkAuthorization,
  encodeAuthorization,
  encodeNetworkAuthorization,
} from '../../src/policies/authorization/authorization.xds.ts'
import { overTheWire } from '../kit/over-the-wire.ts'
import type { CasePolicy, CaseRequest, CaseSettings } from './authorization-case.ts'

export function applied({ name, namespace, spec }: CasePolicy): AppliedPolicy {
  const document = `AuthorizationPolicy/${namespace}/${name}`
  const parsed = authorizationSpecSchema.parse(spec)
  return {
    name: document,
    namespace,
    source: { document, file: 'mesh.yaml', line: 1, column: 1 },
    ruleSources: (parsed.rules ?? []).map((_, index) => ({
      document,
      rule: String(index),
      file: 'mesh.yaml',
      line: 10 + index,
      column: 5,
    })),
    spec: parsed,
  }
}

export function authorizerOf(
  policies: readonly CasePolicy[],
  request: CaseRequest,
  settings: CaseSettings,
): Authorizer {
  const { port, protocol } = request
  const place = { port, protocol, defaultAction: settings.default, trustDomains: settings.trustDomains }
  const all = policies.map(applied)
  return createAuthorizer(
    protocol === 'tcp'
      ? encodeNetworkAuthorization(all, place).map((filter) =>
          decodeNetworkAuthorization(overTheWire(FilterSchema, filter)),
        )
      : encodeAuthorization(all, place).map((filter) => decodeAuthorization(overTheWire(HttpFilterSchema, filter))),
  )
}

export function evaluateByEngine(
  policies: readonly CasePolicy[],
  request: CaseRequest,
  settings: CaseSettings,
): AuthorizationRecord {
  const authorizer = authorizerOf(policies, request, settings)
  return request.protocol === 'tcp'
    ? authorizer.authorizeConnection(peerFacts(request))
    : authorizer.authorize(filteredRequest(request))
}

export function filteredRequest(request: CaseRequest): FilteredRequest {
  const { method, path, host, headers, token } = request
  return {
    head: { method, scheme: 'http', authority: host.toLowerCase(), path, headers: HeaderList.of(...headers) },
    path: path.split('?', 1)[0] as string,
    peer: peerFacts(request),
    body: undefined,
    token,
    authorization: undefined,
  }
}

/** The port is another than the application's. */
export function peerFacts(request: CaseRequest): PeerFacts {
  const { principal, address = '192.0.2.1', remoteAddress = address, localAddress = '192.0.2.80', sni } = request
  return { principal, address, port: 40_000, remoteAddress, localAddress, localPort: 15006, sni }
}
