// What a filter chain does not tell ↔ its metadata: no field of Envoy's turns these off, and data planes that do not know it have none of them.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { Metadata, MetadataSchema } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import type { MutedSpec } from './telemetry.spec.ts'

/** Of a Struct with the fields `metrics` and `decisionRecords`, true for what is left out. */
export const telemetryMetadataKey = 'heddle.dev/telemetry'

/** Beside what the chain says of itself already. */
export function encodeMuted(
  metadata: MessageInitShape<typeof MetadataSchema> | undefined,
  { metrics, decisionRecords }: MutedSpec,
): MessageInitShape<typeof MetadataSchema> {
  const { typedFilterMetadata = {}, filterMetadata = {} } = (metadata ?? {}) as Partial<Metadata>
  const muted = { ...(metrics && { metrics }), ...(decisionRecords && { decisionRecords }) }
  return { typedFilterMetadata, filterMetadata: { ...filterMetadata, [telemetryMetadataKey]: muted } }
}

/** Undefined: it tells everything. */
export function decodeMuted(metadata: Metadata | undefined): MutedSpec | undefined {
  const muted = metadata?.filterMetadata[telemetryMetadataKey]
  if (muted === undefined) return undefined
  return { metrics: muted['metrics'] === true, decisionRecords: muted['decisionRecords'] === true }
}
