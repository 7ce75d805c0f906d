// The Workload API beside a sidecar: opened once the sidecar is ready and before anybody is told so, since its application is started then.
import type { ProxyBootstrap, SidecarBootstrap } from '../contracts/bootstrap.ts'
import { proxyMetrics } from '../contracts/telemetry/metrics.ts'
import { systemClock } from '../core/clock.ts'
import { errorMessage } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import type { MetricRegistry } from '../core/metrics/metric-registry.ts'
import type { Counter, SeriesTable } from '../core/metrics/series-table.ts'
import { createSystemRandom } from '../core/random.ts'
import type { IdentityAgent } from '../proxy/identity/identity-agent.ts'
import type { WorkloadApi } from '../proxy/workload-api/workload-api.ts'

export interface SidecarWorkloadApiOptions {
  readonly bootstrap: ProxyBootstrap
  readonly sidecar: SidecarBootstrap
  readonly identity: IdentityAgent
  /** Of the sidecar. */
  readonly registry: MetricRegistry
  readonly logger: Logger
}

export class SidecarWorkloadApi {
  readonly #options: SidecarWorkloadApiOptions
  readonly #refusedTable: SeriesTable
  readonly #refused: Counter
  #sidecar: SidecarBootstrap
  #opened = false
  #api: Promise<WorkloadApi | undefined> = Promise.resolve(undefined)
  #stopped = false

  constructor(options: SidecarWorkloadApiOptions) {
    this.#options = options
    this.#sidecar = options.sidecar
    this.#refusedTable = options.registry.table(proxyMetrics.workloadApiRefused.labels)
    this.#refused = this.#refusedTable.counter(proxyMetrics.workloadApiRefused)
  }

  /** Resolves with or without: a sidecar whose socket cannot be had carries traffic all the same. */
  async open(): Promise<void> {
    if (this.#stopped) return
    this.#opened = true
    this.#api = this.#start(this.#sidecar)
    await this.#api
  }

  /** Other processes are registered: a new socket takes the place of the old one, so that nobody goes on who would not be let in. */
  update(sidecar: SidecarBootstrap): void {
    const before = this.#sidecar
    this.#sidecar = sidecar
    if (!this.#opened || this.#stopped || JSON.stringify(before.unix) === JSON.stringify(sidecar.unix)) return
    const old = this.#api
    this.#api = old.then(async (api) => {
      const next = await this.#start(sidecar)
      api?.stop()
      return next
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    const api = await this.#api
    api?.stop()
  }

  async #start({ workloadApiSocket: socketFile, spiffeId, unix }: SidecarBootstrap): Promise<WorkloadApi | undefined> {
    if (socketFile === undefined) return undefined
    const { bootstrap, identity, logger } = this.#options
    try {
      // late: gateways, and proxies without a socket, do not need it
      const { startWorkloadApi } = await import('../proxy/workload-api/workload-api.ts')
      return await startWorkloadApi({
        socketFile,
        ...(unix === undefined ? {} : { unix }),
        refused: (reason) => this.#refused.add(this.#refusedTable.row(reason), 1),
        spiffeId,
        credentials: identity.credentials,
        controlPlane: {
          address: bootstrap.controlPlaneAddress,
          controlPlaneSpiffeId: bootstrap.controlPlaneSpiffeId,
          trustBundleFile: bootstrap.trustBundleFile,
        },
        clock: systemClock,
        random: createSystemRandom(),
        logger: logger.child({ for: 'application' }),
      })
    } catch (error) {
      logger.error('the Workload API cannot be opened: the application gets no identity of its own', {
        socket: socketFile,
        error: errorMessage(error),
      })
      return undefined
    }
  }
}
