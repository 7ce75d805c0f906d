// Global limits ↔ envoy.extensions.filters.http.ratelimit.v3.RateLimit, and the actions of the virtual host that make their descriptors.
import type { MessageInitShape } from '@bufbuild/protobuf'

import { ApiVersion } from '../../contracts/xds/gen/envoy/config/core/v3/config_source_pb.ts'
import type {
  RateLimit as RouteRateLimit,
  RateLimit_ActionSchema,
  RateLimitSchema as RouteRateLimitSchema,
} from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { RateLimitSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.ts'
import type { RateLimit } from '../../contracts/xds/gen/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.ts'
import type { HttpFilterSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { StatusCode } from '../../contracts/xds/gen/envoy/type/v3/http_status_pb.ts'
import { decodeDuration, encodeDuration } from '../scalars.xds.ts'
import { typedConfig } from '../typed-config.xds.ts'
import { decodeAction, encodeAction } from './descriptor.xds.ts'
import type { DescriptorActionSpec, GlobalRateLimitSpec, RateLimitServerSpec } from './rate-limit.spec.ts'

export const globalRateLimitFilterName = 'envoy.filters.http.ratelimit'

/** Envoy's own. */
const defaultTimeoutMs = 20
const defaultStatusOnError = 500

/** `stage`: of its actions, from 1 to 10; those of stage 0 are for local limits. */
export function encodeGlobalRateLimit(
  { name, domain, server }: GlobalRateLimitSpec,
  stage: number,
): MessageInitShape<typeof HttpFilterSchema> {
  const targetSpecifier = { case: 'envoyGrpc' as const, value: { clusterName: server.cluster } }
  const config = typedConfig(RateLimitSchema, {
    statPrefix: name,
    domain,
    stage,
    timeout: encodeDuration(server.timeoutMs),
    failureModeDeny: server.failureModeDeny,
    statusOnError: { code: server.statusOnError as StatusCode },
    rateLimitedAsResourceExhausted: true,
    rateLimitService: { grpcService: { targetSpecifier }, transportApiVersion: ApiVersion.V3 },
  })
  return { name: globalRateLimitFilterName, configType: { case: 'typedConfig', value: config } }
}

/** What the virtual host says for it. */
export function encodeGlobalActions(
  { descriptors }: GlobalRateLimitSpec,
  stage: number,
): MessageInitShape<typeof RouteRateLimitSchema>[] {
  return descriptors.map((entries) => ({ stage, actions: entries.map(encodeEntry) }))
}

function encodeEntry(entry: DescriptorActionSpec): MessageInitShape<typeof RateLimit_ActionSchema> {
  if (!('constant' in entry)) return encodeAction(entry)
  const value = { descriptorKey: entry.key, descriptorValue: entry.constant }
  return { actionSpecifier: { case: 'genericKey', value } }
}

/** `rateLimits`: of the virtual host. Undefined: the server would never be asked. Throws an Error that says what cannot be served. */
export function decodeGlobalRateLimit(
  message: RateLimit,
  rateLimits: readonly RouteRateLimit[],
): GlobalRateLimitSpec | undefined {
  const { statPrefix, domain, stage, requestType } = message
  if (requestType !== '' && requestType !== 'both')
    throw new Error(`ratelimit: request_type "${requestType}" is not supported`)
  const status = message.rateLimitedStatus?.code ?? 429
  if (status >= 400 && status !== 429) throw new Error(`ratelimit: status ${status} is not supported`)
  const made = rateLimits.filter((one) => (one.stage ?? 0) === stage)
  if (made.some(({ disableKey, limit }) => disableKey !== '' || limit !== undefined))
    throw new Error('rate limit: disable_key and limit are not supported')
  if (made.length === 0) return undefined
  const descriptors = made.map(({ actions }) => actions.map(decodeAction))
  return { name: statPrefix === '' ? domain : statPrefix, domain, server: decodeServer(message), descriptors }
}

function decodeServer(message: RateLimit): RateLimitServerSpec {
  const { rateLimitService, timeout, failureModeDeny, statusOnError } = message
  const target = rateLimitService?.grpcService?.targetSpecifier
  if (target?.case !== 'envoyGrpc') throw new Error('ratelimit: rate_limit_service.grpc_service has to be envoy_grpc')
  return {
    cluster: target.value.clusterName,
    timeoutMs: timeout === undefined ? defaultTimeoutMs : decodeDuration(timeout, 'ratelimit: timeout'),
    failureModeDeny,
    statusOnError: statusOnError?.code ?? defaultStatusOnError,
  }
}
