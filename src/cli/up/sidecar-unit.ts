// One sidecar and the application behind it, in their order: proxy ready → application started → application drained → proxy drained.
import type { DesiredSidecar, WorkloadStatus } from '../../contracts/desired-state.ts'
import { nodeId } from '../../contracts/xds/names.ts'
import type { Clock } from '../../core/clock.ts'
import type { Random } from '../../core/random.ts'
import { listenDeadlineMs, type Application } from './application.ts'
import { LivenessWatch } from './liveness-watch.ts'
import { PortWatch, type ConnectProbe } from './port-watch.ts'
import { ReadinessWatch, type HealthProbe } from './readiness-watch.ts'

export interface SidecarUnitDeps {
  readonly clock: Clock
  readonly random: Random
  readonly probe: ConnectProbe
  readonly askHealth: HealthProbe
  /** `changed`: its status has. */
  readonly startApplication: (desired: DesiredSidecar, changed: () => void) => Application | undefined
  /** Called after each change of `status`. */
  readonly changed: () => void
}

interface Blocked {
  readonly text: string
  readonly sinceMs: number
}

/** A listener that could not be opened is tried again; one that cannot for so long is not waited for. */
const blockedForMs = 3000

export class SidecarUnit {
  readonly id: string
  readonly #deps: SidecarUnitDeps
  #desired: DesiredSidecar
  #proxyReady = false
  /** The proxy was ready once: only then the application may start. */
  #applicationMayRun = false
  #application: Application | undefined
  #replacing = false
  #watch: PortWatch | undefined
  #listening = false
  /** While it listens, and has a readiness probe. */
  #readiness: ReadinessWatch | undefined
  /** While it listens, and has a liveness probe. */
  #liveness: LivenessWatch | undefined
  #retiring = false
  #blocked: Blocked | undefined

  constructor(deps: SidecarUnitDeps, desired: DesiredSidecar) {
    this.id = nodeId(desired.kind, desired.namespace, desired.name)
    this.#deps = deps
    this.#desired = desired
    this.#watchForeign()
    this.#followReadiness()
  }

  get desired(): DesiredSidecar {
    return this.#desired
  }

  get isRetiring(): boolean {
    return this.#retiring
  }

  get applicationPid(): number | undefined {
    return this.#application?.pid
  }

  set proxyReady(ready: boolean) {
    this.#proxyReady = ready
    if (ready) this.#applicationMayRun = true
    this.#run()
    this.#deps.changed()
  }

  get proxyReady(): boolean {
    return this.#proxyReady
  }

  /** Everything that the mesh itself runs works. */
  get isWell(): boolean {
    if (!this.#proxyReady || this.#blocked !== undefined) return false
    return this.#application === undefined || (this.#listens && this.#readiness?.ready !== false)
  }

  /** Which of its listeners could not be opened, when it was looked; empty: all were. */
  setBlocked(listeners: readonly string[], nowMs: number): void {
    const text = listeners.join('; ')
    if (text === (this.#blocked?.text ?? '')) return
    this.#blocked = text === '' ? undefined : { text, sinceMs: this.#blocked?.sinceMs ?? nowMs }
    this.#deps.changed()
  }

  /** It is as well as it will be for now: ready, or failing for long enough not to be waited for. */
  isSettled(nowMs: number): boolean {
    if (this.#blocked !== undefined && nowMs - this.#blocked.sinceMs >= blockedForMs) return true
    if (!this.#proxyReady || this.#replacing) return false
    const application = this.#application
    if (application === undefined) return true
    const { state } = application.status
    if (state === 'ready') return this.#readiness === undefined || this.#readiness.ready || this.#readiness.failing
    return state === 'failing' && nowMs - application.startedAtMs >= listenDeadlineMs
  }

  status(): WorkloadStatus {
    const { kind, namespace, name } = this.#desired
    const application = this.#application
    const pid = application?.pid
    const own = { kind, namespace, name, restarts: 0, ...application?.status, ...(pid === undefined ? {} : { pid }) }
    if (this.#retiring) return { ...own, state: 'stopping' }
    if (this.#blocked !== undefined) {
      return { ...own, state: 'failing', code: 'HDL011', message: `cannot listen on ${this.#blocked.text}` }
    }
    if (!this.#proxyReady) return { ...own, state: 'waiting' }
    const readiness = this.#readiness
    if (readiness?.ready === false) {
      const { message } = readiness
      const state = readiness.failing ? 'failing' : 'starting'
      return { ...own, state, ...(message === undefined ? {} : { message }) }
    }
    return { ...own, state: application?.status.state ?? (this.#listening ? 'ready' : 'waiting') }
  }

  /** Another application is started only when the document asks for another one. */
  update(desired: DesiredSidecar): void {
    const before = this.#desired
    this.#desired = desired
    if (JSON.stringify(before.applicationPorts) !== JSON.stringify(desired.applicationPorts)) this.#watchForeign()
    if (JSON.stringify(before.readiness) !== JSON.stringify(desired.readiness)) this.#endReadiness()
    if (JSON.stringify(before.liveness) !== JSON.stringify(desired.liveness)) this.#endLiveness()
    this.#followReadiness()
    this.#followLiveness()
    this.#run()
  }

  /** Drains the application. The proxy is next. */
  async retire(): Promise<void> {
    this.#retiring = true
    this.#watch?.stop()
    this.#endReadiness()
    this.#endLiveness()
    this.#deps.changed()
    await this.#application?.stop()
    this.#application = undefined
  }

  #run(): void {
    if (!this.#applicationMayRun || this.#retiring || this.#replacing) return
    const wanted = this.#desired.application
    if (this.#application?.fingerprint === wanted?.fingerprint) return
    if (this.#application === undefined)
      this.#application = this.#deps.startApplication(this.#desired, () => this.#applicationChanged())
    else void this.#replace(this.#application)
  }

  async #replace(application: Application): Promise<void> {
    this.#replacing = true
    await application.stop()
    this.#replacing = false
    if (this.#retiring) return
    this.#application = undefined
    this.#run()
    this.#deps.changed()
  }

  /** An application that somebody else starts is only looked at. */
  #watchForeign(): void {
    this.#watch?.stop()
    this.#watch = undefined
    const { application, applicationPorts } = this.#desired
    if (application !== undefined || applicationPorts.length === 0) {
      this.#listening = true
      return
    }
    this.#listening = false
    this.#watch = new PortWatch(this.#deps.clock, applicationPorts, this.#deps.probe, (open) => {
      this.#listening = open
      this.#applicationChanged()
    })
  }

  get #listens(): boolean {
    if (this.#desired.application === undefined) return this.#listening
    return this.#application?.status.state === 'ready'
  }

  #applicationChanged(): void {
    this.#followReadiness()
    this.#followLiveness()
    this.#deps.changed()
  }

  #followReadiness(): void {
    const { readiness } = this.#desired
    if (readiness === undefined || this.#retiring || !this.#listens) return this.#endReadiness()
    const { clock, random, askHealth: ask, changed } = this.#deps
    this.#readiness ??= new ReadinessWatch({ clock, random, ask, changed }, readiness)
  }

  #endReadiness(): void {
    this.#readiness?.stop()
    this.#readiness = undefined
  }

  #followLiveness(): void {
    const { liveness } = this.#desired
    if (liveness === undefined || this.#retiring || this.#application?.status.state !== 'ready')
      return this.#endLiveness()
    const { clock, random, askHealth: ask } = this.#deps
    const application = this.#application
    this.#liveness ??= new LivenessWatch(
      { clock, random, ask, failed: (message) => application.restart(message) },
      liveness,
    )
  }

  #endLiveness(): void {
    this.#liveness?.stop()
    this.#liveness = undefined
  }
}
