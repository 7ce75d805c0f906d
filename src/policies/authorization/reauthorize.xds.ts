// Whether what is open is asked again when policies change ↔ metadata of a filter chain: no filter has a field for it, and data planes that do
// not know it leave what is open alone.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { Metadata, MetadataSchema } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import type { AppliedPolicy } from './authorization.spec.ts'

/** Of a Struct with the field `reauthorize`. */
export const authorizationMetadataKey = 'heddle.dev/authorization'

/** One of the policies demands it; those in dry run end nothing. */
export function demandsReauthorization(policies: readonly Pick<AppliedPolicy, 'spec'>[]): boolean {
  return policies.some(({ spec }) => spec.reauthorize && !spec.dryRun)
}

/** Beside what the chain says of itself already. */
export function encodeReauthorize(
  metadata: MessageInitShape<typeof MetadataSchema> | undefined,
): MessageInitShape<typeof MetadataSchema> {
  return {
    ...(metadata as { readonly typedFilterMetadata?: Metadata['typedFilterMetadata'] } | undefined),
    filterMetadata: { [authorizationMetadataKey]: { reauthorize: true } },
  }
}

export function decodeReauthorize(metadata: Metadata | undefined): boolean {
  return metadata?.filterMetadata[authorizationMetadataKey]?.['reauthorize'] === true
}
