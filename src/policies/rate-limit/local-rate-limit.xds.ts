// Local limits ↔ envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit, one filter for each, and the actions of the virtual host that
// make their descriptors.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type {
  RateLimit as RouteRateLimit,
  RateLimitSchema as RouteRateLimitSchema,
} from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { XRateLimitHeadersRFCVersion } from '../../contracts/xds/gen/envoy/extensions/common/ratelimit/v3/ratelimit_pb.ts'
import type { LocalRateLimitDescriptor } from '../../contracts/xds/gen/envoy/extensions/common/ratelimit/v3/ratelimit_pb.ts'
import { LocalRateLimitSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.ts'
import type { LocalRateLimit } from '../../contracts/xds/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.ts'
import type { HttpFilterSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { TokenBucket, TokenBucketSchema } from '../../contracts/xds/gen/envoy/type/v3/token_bucket_pb.ts'
import { decodeDuration, decodeShare, encodeDuration, encodeShare } from '../scalars.xds.ts'
import { typedConfig } from '../typed-config.xds.ts'
import { decodeAction, encodeAction } from './descriptor.xds.ts'
import type { DescriptorEntrySpec, LocalRateLimitSpec, TokenBucketSpec } from './rate-limit.spec.ts'

export const localRateLimitFilterName = 'envoy.filters.http.local_ratelimit'

/** Entry that says for which limit a descriptor was made. */
const limitKey = 'limit'
const all = 1_000_000

export function encodeLocalRateLimit(spec: LocalRateLimitSpec): MessageInitShape<typeof HttpFilterSchema> {
  const { name, descriptor, enforcedShare } = spec
  const tokenBucket = encodeBucket(spec.tokenBucket)
  const entries = descriptor.map(({ key, value = '' }) => ({ key, value }))
  const config = typedConfig(LocalRateLimitSchema, {
    statPrefix: name,
    filterEnabled: { defaultValue: encodeShare(all) },
    filterEnforced: { defaultValue: encodeShare(enforcedShare) },
    rateLimitedAsResourceExhausted: true,
    ...(spec.shared === true ? { localClusterRateLimit: {} } : {}),
    ...(spec.announced === true ? { enableXRatelimitHeaders: XRateLimitHeadersRFCVersion.DRAFT_VERSION_03 } : {}),
    ...(descriptor.length === 0
      ? { tokenBucket }
      : { descriptors: [{ entries: [{ key: limitKey, value: name }, ...entries], tokenBucket }] }),
  })
  return { name: localRateLimitFilterName, configType: { case: 'typedConfig', value: config } }
}

/** What the virtual host says for it; undefined: nothing. */
export function encodeLocalActions({
  name,
  descriptor,
}: LocalRateLimitSpec): MessageInitShape<typeof RouteRateLimitSchema> | undefined {
  if (descriptor.length === 0) return undefined
  const limit = { case: 'genericKey' as const, value: { descriptorKey: limitKey, descriptorValue: name } }
  return { actions: [{ actionSpecifier: limit }, ...descriptor.map(encodeAction)] }
}

function encodeBucket(spec: TokenBucketSpec): MessageInitShape<typeof TokenBucketSchema> {
  const { maxTokens, tokensPerFill, fillIntervalMs } = spec
  return { maxTokens, tokensPerFill, fillInterval: encodeDuration(fillIntervalMs) }
}

/** `rateLimits`: of the virtual host. Throws an Error that says what cannot be served. */
export function decodeLocalRateLimits(
  message: LocalRateLimit,
  rateLimits: readonly RouteRateLimit[],
): LocalRateLimitSpec[] {
  const { statPrefix: name, descriptors, tokenBucket, filterEnabled, filterEnforced } = message
  refuseUnsupported(message)
  const enabledShare = decodeShare(filterEnabled?.defaultValue, 'local_ratelimit: filter_enabled')
  if (enabledShare === 0) return []
  if (enabledShare !== all) throw new Error('local_ratelimit: filter_enabled has to be 0 or 100 %')
  const enforcedShare = decodeShare(filterEnforced?.defaultValue, 'local_ratelimit: filter_enforced')
  const announced =
    message.enableXRatelimitHeaders === XRateLimitHeadersRFCVersion.OFF ? {} : { announced: true as const }
  const made = rateLimits.filter(({ stage }) => (stage ?? 0) === message.stage)
  const counted = descriptors.flatMap((descriptor) =>
    made.flatMap((one): LocalRateLimitSpec[] => {
      const entries = matchEntries(descriptor, one)
      if (entries === undefined) return []
      return [
        { name, tokenBucket: decodeBucket(descriptor.tokenBucket), descriptor: entries, enforcedShare, ...announced },
      ]
    }),
  )
  if (tokenBucket === undefined) return counted
  const shared = message.localClusterRateLimit === undefined ? {} : { shared: true as const }
  return [
    ...counted,
    { name, tokenBucket: decodeBucket(tokenBucket), descriptor: [], enforcedShare, ...shared, ...announced },
  ]
}

function refuseUnsupported(message: LocalRateLimit): void {
  if (message.localRateLimitPerDownstreamConnection)
    throw new Error('local_ratelimit: a limit per connection is not supported')
  if (message.localClusterRateLimit !== undefined && message.descriptors.length > 0)
    throw new Error('local_ratelimit: local_cluster_rate_limit is not supported with descriptors')
  if (
    message.tokenBucket !== undefined &&
    message.descriptors.length > 0 &&
    message.alwaysConsumeDefaultTokenBucket === false
  )
    throw new Error('local_ratelimit: a token_bucket for what no descriptor matches is not supported')
  const status = message.status?.code ?? 429
  if (status >= 400 && status !== 429) throw new Error(`local_ratelimit: status ${status} is not supported`)
}

/** What of the actions differs from request to request; undefined: they make descriptors that this one never is. */
function matchEntries(
  { entries }: LocalRateLimitDescriptor,
  { actions, disableKey, limit }: RouteRateLimit,
): DescriptorEntrySpec[] | undefined {
  if (disableKey !== '' || limit !== undefined) throw new Error('rate limit: disable_key and limit are not supported')
  if (actions.length !== entries.length) return undefined
  const varying: DescriptorEntrySpec[] = []
  for (const [index, action] of actions.entries()) {
    const entry = entries[index]
    const decoded = decodeAction(action)
    if (decoded.key !== entry?.key) return undefined
    if (!('constant' in decoded)) varying.push({ ...decoded, ...(entry.value === '' ? {} : { value: entry.value }) })
    else if (entry.value !== '' && entry.value !== decoded.constant) return undefined
  }
  return varying
}

function decodeBucket(message: TokenBucket | undefined): TokenBucketSpec {
  if (message?.fillInterval === undefined) throw new Error('local_ratelimit: token_bucket needs a fill_interval')
  const { maxTokens, tokensPerFill = 1, fillInterval } = message
  const fillIntervalMs = decodeDuration(fillInterval, 'local_ratelimit: fill_interval')
  if (maxTokens < 1 || tokensPerFill < 1 || fillIntervalMs < 1)
    throw new Error('local_ratelimit: token_bucket: nothing would pass')
  return { maxTokens, tokensPerFill, fillIntervalMs }
}
