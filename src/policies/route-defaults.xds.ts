// What holds for routes to a cluster that say nothing of their own ↔ an envoy.config.route.v3.RouteAction in the cluster's metadata: Envoy's messages,
// which has no such fields for clusters.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { Metadata, MetadataSchema } from '../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import { RouteActionSchema } from '../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type { RetrySpec } from './retries/retries.spec.ts'
import { decodeRetryPolicy, encodeRetryPolicy } from './retries/retries.xds.ts'
import type { TimeoutsSpec } from './timeouts/timeouts.spec.ts'
import { decodeTimeouts, encodeTimeouts } from './timeouts/timeouts.xds.ts'
import { readTypedConfig, typedConfig } from './typed-config.xds.ts'

export interface RouteDefaults {
  readonly timeouts: TimeoutsSpec
  readonly retry?: RetrySpec
}

const key = 'heddle.route_defaults'

type TypedMetadata = NonNullable<MessageInitShape<typeof MetadataSchema>['typedFilterMetadata']>

export function encodeRouteDefaults({ timeouts, retry }: Partial<RouteDefaults>): TypedMetadata {
  if (timeouts === undefined && retry === undefined) return {}
  const { perTryTimeout, ...bounds } = encodeTimeouts(timeouts ?? {})
  const retryPolicy = encodeRetryPolicy(retry, perTryTimeout)
  return { [key]: typedConfig(RouteActionSchema, { ...bounds, ...(retryPolicy === undefined ? {} : { retryPolicy }) }) }
}

/** Undefined: there are none. Throws an Error that says what is wrong. */
export function decodeRouteDefaults(metadata: Metadata | undefined): RouteDefaults | undefined {
  const typed = metadata?.typedFilterMetadata[key]
  if (typed === undefined) return undefined
  const action = readTypedConfig(typed, RouteActionSchema, key)
  const retry = decodeRetryPolicy(action.retryPolicy)
  return { timeouts: decodeTimeouts(action), ...(retry === undefined ? {} : { retry }) }
}
