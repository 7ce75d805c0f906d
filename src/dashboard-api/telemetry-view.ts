// What a workload's proxy tells of its requests, and which documents say so.
import type { TelemetryView } from '../contracts/read-api.ts'
import type { MeshSnapshot, MeshWorkload } from '../control/snapshot/mesh-snapshot.ts'
import { placeOf } from './document-place.ts'

export function telemetryView({ telemetry }: MeshWorkload, { settings }: MeshSnapshot): TelemetryView {
  const { accessLog, tracing, muted } = telemetry ?? settings
  const sources = telemetry?.sources ?? settings.telemetrySources ?? []
  return {
    metrics: muted?.metrics !== true,
    decisionRecords: muted?.decisionRecords !== true,
    accessLog: accessLog.enabled,
    traces: tracing !== undefined,
    documents: sources.map(placeOf),
  }
}
