// Limits of each caller ↔ heddle.v1.CallerLimits, in the metadata of the cluster that is the application.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { Metadata, MetadataSchema } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import { CallerLimitsSchema } from '../../contracts/xds/gen/heddle/v1/caller_limits_pb.ts'
import { readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { CallerLimitsSpec } from './circuit-breaker.spec.ts'

const key = 'heddle.caller_limits'

type TypedMetadata = NonNullable<MessageInitShape<typeof MetadataSchema>['typedFilterMetadata']>

export function encodeCallerLimits({ maxRequests }: CallerLimitsSpec): TypedMetadata {
  return { [key]: typedConfig(CallerLimitsSchema, { maxRequests }) }
}

/** Undefined: there are none. Throws an Error that says what is wrong. */
export function decodeCallerLimits(metadata: Metadata | undefined): CallerLimitsSpec | undefined {
  const typed = metadata?.typedFilterMetadata[key]
  if (typed === undefined) return undefined
  const { maxRequests } = readTypedConfig(typed, CallerLimitsSchema, key)
  if (maxRequests === 0) throw new Error(`${key}: max_requests is 0`)
  return { maxRequests }
}
