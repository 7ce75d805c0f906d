// What applies to a workload or gateway → the filters of one of its listeners.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { FilterSchema } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import type { HttpFilterSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { encodeAuthorization, encodeNetworkAuthorization } from '../../policies/authorization/authorization.xds.ts'
import { encodeRequestAuthentication } from '../../policies/request-authentication/request-authentication.xds.ts'
import type { MeshSettings } from '../snapshot/mesh-snapshot.ts'
import type { AppliedSecurity } from '../snapshot/security.ts'
import type { HttpSettings } from './http-settings.ts'

export interface ListenerSecurity {
  /** Come before all others. */
  readonly http: readonly MessageInitShape<typeof HttpFilterSchema>[]
  /** In front of what carries bytes. */
  readonly network: readonly MessageInitShape<typeof FilterSchema>[]
}

type Settings = Pick<MeshSettings, 'trustDomain' | 'trustDomainAliases' | 'authorizationDefault'>

/** `port`: the one that policies know, of the application or of the Gateway's listener. */
export function listenerSecurity(
  { authorization, jwtRules }: AppliedSecurity,
  { trustDomain, trustDomainAliases, authorizationDefault }: Settings,
  port: number,
): ListenerSecurity {
  const place = { port, defaultAction: authorizationDefault, trustDomains: [trustDomain, ...trustDomainAliases] }
  const authentication = encodeRequestAuthentication(jwtRules)
  return {
    http: [
      ...(authentication === undefined ? [] : [authentication]),
      ...encodeAuthorization(authorization, { ...place, protocol: 'http' }),
    ],
    network: encodeNetworkAuthorization(authorization, { ...place, protocol: 'tcp' }),
  }
}

export function withSecurity(http: HttpSettings, { http: filters }: ListenerSecurity): HttpSettings {
  return { ...http, filters: [...filters, ...http.filters] }
}
