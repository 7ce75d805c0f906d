// What decides which of its backends a route chooses ↔ heddle.v1.StickySplit in the route's metadata, which other data planes pass over.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { Metadata, MetadataSchema } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import { StickySplitSchema } from '../../contracts/xds/gen/heddle/v1/sticky_split_pb.ts'
import { decodeHashPolicy, encodeHashPolicy } from '../load-balancing/hash-policy.xds.ts'
import type { HashPolicySpec } from '../load-balancing/load-balancing.spec.ts'
import { readTypedConfig, typedConfig } from '../typed-config.xds.ts'

const key = 'heddle.sticky_split'

type TypedMetadata = NonNullable<MessageInitShape<typeof MetadataSchema>['typedFilterMetadata']>

/** None: every request is drawn for itself. */
export function encodeStickySplit(policies: readonly HashPolicySpec[]): TypedMetadata {
  if (policies.length === 0) return {}
  return { [key]: typedConfig(StickySplitSchema, { hashPolicy: policies.map(encodeHashPolicy) }) }
}

/** Throws an Error that says what cannot be served. */
export function decodeStickySplit(metadata: Metadata | undefined): readonly HashPolicySpec[] {
  const typed = metadata?.typedFilterMetadata[key]
  return typed === undefined ? [] : readTypedConfig(typed, StickySplitSchema, key).hashPolicy.map(decodeHashPolicy)
}
