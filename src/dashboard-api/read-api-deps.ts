// What the read API asks of the control plane; the composition root gives each from the part that owns it.
import type { AuthorityCertificate, DocumentView, ProxyStatus } from '../contracts/control-api.ts'
import type { DecisionRecord } from '../contracts/decision-record.ts'
import type { Problem } from '../contracts/problem.ts'
import type { RecordConditionFault } from '../contracts/read-api.ts'
import type { WorkloadStatuses } from '../control/api/workload-statuses.ts'
import type { MeshSnapshot } from '../control/snapshot/mesh-snapshot.ts'
import type { ConfigurationRevision, DocumentSet } from '../control/store/revisions.ts'
import type { KeptRequests } from '../control/telemetry/kept-requests.ts'
import type { MeshEndpoints } from '../control/telemetry/mesh-endpoints.ts'
import type { MeshEvents } from '../control/telemetry/mesh-events.ts'
import type { MeshTap } from '../control/telemetry/mesh-tap.ts'
import type { ObservedTraffic } from '../control/telemetry/observed-traffic.ts'
import type { PassedOverEndpoints } from '../control/telemetry/passed-over.ts'
import type { PrometheusHistory } from '../control/telemetry/prometheus-history.ts'
import type { ProxyCertificates } from '../control/telemetry/proxy-certificates.ts'
import type { Clock } from '../core/clock.ts'

export interface ReadApiDeps {
  readonly clock: Clock
  readonly snapshot: () => MeshSnapshot
  readonly traffic: ObservedTraffic
  /** Knows more of before. */
  readonly history?: PrometheusHistory
  readonly events: MeshEvents
  readonly requests: KeptRequests
  readonly tap: MeshTap
  readonly endpoints: MeshEndpoints
  /** A condition in CEL on decision records. */
  readonly compileCondition: (text: string) => ((record: DecisionRecord) => boolean) | RecordConditionFault
  readonly statuses: Pick<WorkloadStatuses, 'isReady' | 'list'>
  readonly proxies: () => readonly ProxyStatus[]
  readonly proxyCertificates: ProxyCertificates
  readonly passedOver: PassedOverEndpoints
  readonly authorityCertificates: () => readonly AuthorityCertificate[]
  readonly problems: () => readonly Problem[]
  readonly documents: () => readonly DocumentView[]
  /** Of a revision; undefined: there is none of that number. */
  readonly documentsOf: (revision: number) => Promise<DocumentSet | undefined>
  readonly revisions: () => Promise<readonly ConfigurationRevision[]>
}
