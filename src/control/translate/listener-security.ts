// What applies to a workload or gateway → the filters of one of its listeners.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { FilterSchema } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import type { AppliedPolicy } from '../../policies/authorization/authorization.spec.ts'
import type { AuthorizationPlace } from '../../policies/authorization/authorization.xds.ts'
import {
  encodeAuthorization,
  encodeAuthorizationQuestion,
  encodeNetworkAuthorization,
} from '../../policies/authorization/authorization.xds.ts'
import { demandsReauthorization, encodeReauthorize } from '../../policies/authorization/reauthorize.xds.ts'
import { encodeExternalAuthorization } from '../../policies/external-authorization/external-authorization.xds.ts'
import { encodeRequestAuthentication } from '../../policies/request-authentication/request-authentication.xds.ts'
import { encodeMuted } from '../../policies/telemetry/telemetry.xds.ts'
import type { MeshSettings } from '../snapshot/mesh-snapshot.ts'
import type { AppliedSecurity } from '../snapshot/security.ts'
import type { ListenerInit } from './build-listener.ts'
import type { FilterChainInit } from './build-stream.ts'
import type { FiltersByKind, HttpSettings } from './http-settings.ts'

export interface ListenerSecurity {
  readonly http: FiltersByKind
  /** In front of what carries bytes. */
  readonly network: readonly MessageInitShape<typeof FilterSchema>[]
  /** Tokens are asked of requests, and headers that claims are written to are taken from requests: bytes would pass by both. */
  readonly requestsOnly: boolean
  /** What is open is asked again when policies change. */
  readonly reauthorize: boolean
}

type Settings = Pick<
  MeshSettings,
  'trustDomain' | 'trustDomainAliases' | 'federation' | 'authorizationDefault' | 'authorizationServers'
>

/** `port`: the one that policies know, of the application or of the Gateway's listener. */
export function listenerSecurity(
  { authorization, jwtRules }: AppliedSecurity,
  { trustDomain, trustDomainAliases, federation, authorizationDefault, authorizationServers }: Settings,
  port: number,
): ListenerSecurity {
  const place: Omit<AuthorizationPlace, 'protocol'> = {
    port,
    defaultAction: authorizationDefault,
    trustDomains: [trustDomain, ...trustDomainAliases],
    ...((federation?.federatesWith.length ?? 0) > 0 && { federated: true as const }),
  }
  const authentication = encodeRequestAuthentication(jwtRules)
  const asking = Map.groupBy(
    authorization.filter(({ spec }) => spec.action === 'CUSTOM'),
    ({ spec }) => spec.provider?.name ?? '',
  )
  const questions = [...asking].flatMap(([provider, policies]) => {
    const server = authorizationServers.get(provider)
    if (server === undefined) return []
    const prefix = `ext_authz_${provider}_`
    const question = encodeAuthorizationQuestion(policies, { ...place, protocol: 'http' }, prefix)
    return [question, encodeExternalAuthorization(server, prefix)]
  })
  const known = authorization.map((policy) => withoutServer(policy, authorizationServers))
  return {
    requestsOnly: authentication !== undefined,
    reauthorize: demandsReauthorization(authorization),
    http: {
      requestAuthentication: authentication === undefined ? [] : [authentication],
      externalAuthorization: questions,
      authorization: encodeAuthorization(known, { ...place, protocol: 'http' }),
    },
    // bytes have no question that a server could be asked
    network: encodeNetworkAuthorization(
      authorization.map((policy) => withoutServer(policy, noServers)),
      { ...place, protocol: 'tcp' },
    ),
  }
}

const noServers: ReadonlyMap<string, unknown> = new Map()

/** Where nobody can be asked, what is asked about is refused. */
function withoutServer(policy: AppliedPolicy, servers: ReadonlyMap<string, unknown>): AppliedPolicy {
  const { action, provider } = policy.spec
  if (action !== 'CUSTOM' || servers.has(provider?.name ?? '')) return policy
  return { ...policy, spec: { ...policy.spec, action: 'DENY' } }
}

/** What every chain of the listener says of itself. */
export function withChainMetadata(
  listener: ListenerInit,
  { muted }: Pick<HttpSettings, 'muted'>,
  { reauthorize }: Pick<ListenerSecurity, 'reauthorize'> = { reauthorize: false },
): ListenerInit {
  if (!reauthorize && muted === undefined) return listener
  const filterChains = ((listener.filterChains ?? []) as readonly FilterChainInit[]).map((chain): FilterChainInit => {
    const metadata = reauthorize ? encodeReauthorize(chain.metadata) : chain.metadata
    return { ...chain, metadata: muted === undefined ? metadata : encodeMuted(metadata, muted) }
  })
  return { ...listener, filterChains } as ListenerInit
}

export function withSecurity(http: HttpSettings, { http: filters }: ListenerSecurity): HttpSettings {
  return { ...http, filters: { ...filters, ...http.filters } }
}
