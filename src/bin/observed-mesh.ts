// What a running mesh tells the control plane: metrics and decision records that proxies stream, and changes that become events. Part of its composition root.
import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js'

import type { ProxyStatus } from '../contracts/control-api.ts'
import type { DecisionRecord } from '../contracts/decision-record.ts'
import type { WorkloadStatus } from '../contracts/desired-state.ts'
import type { Problem } from '../contracts/problem.ts'
import { accessLogService } from '../control/telemetry/access-log-service.ts'
import { AskedProxies } from '../control/telemetry/asked-proxies.ts'
import { KeptRequests } from '../control/telemetry/kept-requests.ts'
import type { MeshEvents } from '../control/telemetry/mesh-events.ts'
import { MetricsService } from '../control/telemetry/metrics-service.ts'
import {
  NoticedProblems,
  NoticedProxies,
  NoticedWorkloads,
  noticedReports,
} from '../control/telemetry/noticed-changes.ts'
import type { ObservedTraffic } from '../control/telemetry/observed-traffic.ts'
import { PassedOverEndpoints } from '../control/telemetry/passed-over.ts'
import { ProxyCertificates } from '../control/telemetry/proxy-certificates.ts'
import { composeReports } from '../control/telemetry/reported-totals.ts'
import type { ReportingProxies } from '../control/telemetry/reporting-proxy.ts'
import { trafficReports } from '../control/telemetry/traffic-reports.ts'
import type { Clock } from '../core/clock.ts'
import type { Watchable } from '../core/watchable.ts'

export interface ObservedMeshOptions extends ReportingProxies {
  readonly clock: Clock
  readonly traffic: ObservedTraffic
  readonly events: MeshEvents
}

export interface MeshChanges {
  readonly problems: Watchable<readonly Problem[]>
  readonly workloads: Watchable<readonly WorkloadStatus[]>
  /** Tells when `proxyStatuses` may say something new. */
  readonly proxies: Watchable<unknown>
  readonly proxyStatuses: () => readonly ProxyStatus[]
}

/** For `grpc.Server.addService`. */
interface GrpcService {
  readonly definition: ServiceDefinition
  readonly implementation: UntypedServiceImplementation
}

export class ObservedMesh {
  readonly certificates: ProxyCertificates = new ProxyCertificates()
  readonly passedOver: PassedOverEndpoints = new PassedOverEndpoints()
  readonly requests: KeptRequests = new KeptRequests()
  readonly services: readonly GrpcService[]
  readonly #events: MeshEvents

  constructor({ clock, traffic, events, proxies, isRevoked }: ObservedMeshOptions) {
    this.#events = events
    const metrics: MetricsService = new MetricsService({
      clock,
      proxies,
      isRevoked,
      sink: (reporter) =>
        composeReports(
          trafficReports({ traffic, reports: (spiffeId) => metrics.reports(spiffeId) }, reporter),
          noticedReports(events, reporter),
          this.certificates.sink(reporter),
          this.passedOver.sink(reporter),
        ),
    })
    const complete = (record: DecisionRecord): void => this.requests.complete(record)
    const asked = new AskedProxies({ clock, proxies, isRevoked, complete })
    const add = (record: DecisionRecord): void => {
      this.requests.add(record)
      asked.told(record)
    }
    this.services = [metrics.service(), accessLogService({ proxies, isRevoked, add }), asked.service()]
  }

  /** Until the returned function is called. */
  follow({ problems, workloads, proxies, proxyStatuses }: MeshChanges): () => void {
    const noticedProblems = new NoticedProblems(this.#events, problems.value)
    const noticedWorkloads = new NoticedWorkloads(this.#events)
    const noticedProxies = new NoticedProxies(this.#events)
    const unsubscribes = [
      problems.subscribe((found) => noticedProblems.update(found)),
      workloads.subscribe((statuses) => noticedWorkloads.update(statuses)),
      proxies.subscribe(() => noticedProxies.update(proxyStatuses())),
    ]
    return () => {
      for (const unsubscribe of unsubscribes) unsubscribe()
    }
  }
}
