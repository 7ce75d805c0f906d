// What the control plane counts of its authority and its proxies. The certificate service feeds it; the rest is asked for at each scrape.
import type { AuthorityStatus } from '../../contracts/control-api.ts'
import { controlPlaneMetrics } from '../../contracts/telemetry/metrics.ts'
import type { SigningRefusalReason } from '../../contracts/telemetry/metrics.ts'
import type { Logger } from '../../core/logger.ts'
import { MetricRegistry } from '../../core/metrics/metric-registry.ts'
import { renderPrometheus } from '../../core/metrics/prometheus.ts'
import type { Counter, Gauge, SeriesTable } from '../../core/metrics/series-table.ts'

export interface ControlPlaneState {
  readonly authority: Pick<AuthorityStatus, 'certificates' | 'revocations' | 'rotation'>
  readonly proxiesConnected: number
}

/** The certificate service tells it. */
export interface SigningSink {
  signed(type: 'x509' | 'jwt', proof: 'token' | 'svid'): void
  /** How many there are of that reason now. */
  refused(reason: SigningRefusalReason): number
}

export class ControlPlaneMetrics implements SigningSink {
  readonly #registry: MetricRegistry
  readonly #certificateTable: SeriesTable
  readonly #certificateExpiry: Gauge
  readonly #rotationTable: SeriesTable
  readonly #rotationPhase: Gauge
  readonly #rotationWaiting: Gauge
  readonly #issuedTable: SeriesTable
  readonly #issued: Counter
  readonly #refusedTable: SeriesTable
  readonly #refused: Counter
  readonly #pointTable: SeriesTable
  readonly #points: Counter
  readonly #stateTable: SeriesTable
  readonly #revocations: Gauge
  readonly #proxiesConnected: Gauge

  constructor(logger: Logger) {
    const registry = new MetricRegistry(logger)
    this.#registry = registry
    this.#certificateTable = registry.table(controlPlaneMetrics.certificateExpiry.labels)
    this.#certificateExpiry = this.#certificateTable.gauge(controlPlaneMetrics.certificateExpiry)
    this.#rotationTable = registry.table(controlPlaneMetrics.rotationPhase.labels)
    this.#rotationPhase = this.#rotationTable.gauge(controlPlaneMetrics.rotationPhase)
    this.#rotationWaiting = this.#rotationTable.gauge(controlPlaneMetrics.rotationWaiting)
    this.#issuedTable = registry.table(controlPlaneMetrics.svidsIssued.labels)
    this.#issued = this.#issuedTable.counter(controlPlaneMetrics.svidsIssued)
    this.#refusedTable = registry.table(controlPlaneMetrics.signingRefused.labels)
    this.#refused = this.#refusedTable.counter(controlPlaneMetrics.signingRefused)
    this.#pointTable = registry.table(controlPlaneMetrics.metricPoints.labels)
    this.#points = this.#pointTable.counter(controlPlaneMetrics.metricPoints)
    this.#stateTable = registry.table([])
    this.#revocations = this.#stateTable.gauge(controlPlaneMetrics.revocations)
    this.#proxiesConnected = this.#stateTable.gauge(controlPlaneMetrics.proxiesConnected)
  }

  signed(type: 'x509' | 'jwt', proof: 'token' | 'svid'): void {
    this.#issued.add(this.#issuedTable.row(type, proof), 1)
  }

  refused(reason: SigningRefusalReason): number {
    const row = this.#refusedTable.row(reason)
    this.#refused.add(row, 1)
    return this.#refused.value(row)
  }

  /** Requests refused since the control plane started, by reason. */
  get refusals(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#refusedTable.rows.map(([reason], row) => [reason, this.#refused.value(row)]))
  }

  pointsCounted(result: string, points: number): void {
    this.#points.add(this.#pointTable.row(result), points)
  }

  /** In the text format of Prometheus. */
  render(state: ControlPlaneState): string {
    return renderPrometheus(this.update(state))
  }

  update({ authority, proxiesConnected }: ControlPlaneState): MetricRegistry {
    this.#certificateTable.clear()
    for (const { role, use, notAfterMs } of authority.certificates) {
      const row = this.#certificateTable.row(role, use)
      const before = this.#certificateExpiry.value(row)
      // of several intermediates the one that ends first is the one to worry about
      this.#certificateExpiry.set(row, before === 0 ? notAfterMs / 1000 : Math.min(before, notAfterMs / 1000))
    }
    this.#rotationTable.clear()
    if (authority.rotation !== undefined) {
      const { kind, phase, phaseSinceMs, waitingFor } = authority.rotation
      const row = this.#rotationTable.row(kind, phase)
      this.#rotationPhase.set(row, phaseSinceMs / 1000)
      this.#rotationWaiting.set(row, waitingFor.length)
    }
    const row = this.#stateTable.row()
    this.#revocations.set(row, authority.revocations.length)
    this.#proxiesConnected.set(row, proxiesConnected)
    return this.#registry
  }
}
