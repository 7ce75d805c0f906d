// Hedging ↔ heddle.v1.Hedging in a cluster's metadata, which other data planes pass over.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { Metadata, MetadataSchema } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import { HedgingSchema } from '../../contracts/xds/gen/heddle/v1/hedging_pb.ts'
import { decodeDuration, encodeDuration } from '../scalars.xds.ts'
import { readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { HedgingSpec } from './hedging.spec.ts'

const key = 'heddle.hedging'

type TypedMetadata = NonNullable<MessageInitShape<typeof MetadataSchema>['typedFilterMetadata']>

export function encodeHedging(spec: HedgingSpec | undefined): TypedMetadata {
  if (spec === undefined) return {}
  const { percentile, factor, minDelayMs } = spec
  return { [key]: typedConfig(HedgingSchema, { percentile, factor, minDelay: encodeDuration(minDelayMs) }) }
}

/** Undefined: nothing is hedged. Throws an Error that says what is wrong. */
export function decodeHedging(metadata: Metadata | undefined): HedgingSpec | undefined {
  const typed = metadata?.typedFilterMetadata[key]
  if (typed === undefined) return undefined
  const { percentile, factor, minDelay } = readTypedConfig(typed, HedgingSchema, key)
  return { percentile, factor, minDelayMs: minDelay === undefined ? 0 : decodeDuration(minDelay, `${key}: min_delay`) }
}
