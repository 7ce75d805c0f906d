// What one workload or gateway tells of its requests.
import type { AccessLogSpec } from '../access-log/access-log.spec.ts'
import type { TracingSpec } from '../tracing/tracing.spec.ts'

export interface TelemetrySpec {
  readonly accessLog: AccessLogSpec
  /** Absent: no spans. */
  readonly tracing?: TracingSpec
  /** Absent: nothing is. */
  readonly muted?: MutedSpec
}

/** What is left out, where it would be told by default. */
export interface MutedSpec {
  /** Of requests and their verdicts; of connections too, where they carry bytes. */
  readonly metrics: boolean
  /** For the control plane. */
  readonly decisionRecords: boolean
}
