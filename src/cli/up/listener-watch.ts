// Asks proxies whether their listeners are open: a port that a document chose may be somebody else's.
import type { Clock, Timer } from '../../core/clock.ts'
import type { ListenerReport } from '../../proxy/admin/listener-report.ts'
import { SidecarClient } from '../mesh/sidecar-client.ts'
import type { SidecarUnit } from './sidecar-unit.ts'

const intervalMs = 1000

export class ListenerWatch {
  readonly #clock: Clock
  readonly #units: () => Iterable<SidecarUnit>
  readonly #client: SidecarClient
  #timer: Timer | undefined
  #stopped = false

  constructor(clock: Clock, adminToken: string, units: () => Iterable<SidecarUnit>) {
    this.#clock = clock
    this.#units = units
    this.#client = new SidecarClient(adminToken)
    this.#wait()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#client.close()
  }

  #wait(): void {
    if (!this.#stopped) this.#timer = this.#clock.setTimer(intervalMs, () => void this.#look())
  }

  /** Gateways always: their ports come and go with documents. Sidecars until they are ready: their ports stay. */
  async #look(): Promise<void> {
    const units = [...this.#units()].filter(
      ({ desired, proxyReady, isRetiring }) => !isRetiring && (!proxyReady || desired.kind === 'gateway'),
    )
    await Promise.all(units.map((unit) => this.#ask(unit)))
    this.#wait()
  }

  async #ask(unit: SidecarUnit): Promise<void> {
    const { kind, namespace, name, adminAddress, metricsAddress } = unit.desired
    const endpoint = { kind, namespace, name, adminUrl: `http://${adminAddress}`, metricsUrl: metricsAddress }
    const reports = await this.#client.admin<ListenerReport[]>(endpoint, '/listeners').catch(() => undefined)
    // no answer: its proxy is starting, which shows elsewhere
    if (reports === undefined || unit.isRetiring) return
    const failed = reports.filter(({ state }) => state === 'failed')
    unit.setBlocked(
      failed.map(({ address, error = '' }) => `${address}: ${describe(error)}`),
      this.#clock.monotonicMs(),
    )
  }
}

function describe(error: string): string {
  return error.includes('EADDRINUSE') ? 'taken by another process' : error
}
