// The process tree of `heddle up`: control plane → proxies → applications. Makes the desired state so, and keeps it so.
import { rmSync } from 'node:fs'
import { join } from 'node:path'

import type { ControlPlaneMessage, SidecarBootstrap } from '../../contracts/bootstrap.ts'
import type { DesiredSidecar, DesiredState, WorkloadStatus } from '../../contracts/desired-state.ts'
import type { MeshState } from '../../contracts/mesh-state.ts'
import type { Problem } from '../../contracts/problem.ts'
import type { TrafficSums } from '../../contracts/read-api.ts'
import type { UnixRegistration } from '../../contracts/unix-registration.ts'
import { nodeId } from '../../contracts/xds/names.ts'
import { readOrCreateAdminToken } from '../../control/api/admin-token.ts'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import { sleep, type Timer } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { CliError } from '../cli-error.ts'
import type { CliHost } from '../host.ts'
import { ControlPlaneClient, type AskedTraffic } from '../mesh/control-plane-client.ts'
import { meshFile } from '../mesh/running-mesh.ts'
import { Application } from './application.ts'
import { ControlPlaneProcess } from './control-plane-process.ts'
import { JoinTokens } from './join-tokens.ts'
import { ListenerWatch } from './listener-watch.ts'
import { LogFile } from './log-file.ts'
import type { ConnectProbe } from './port-watch.ts'
import { ProcessGroups } from './process-groups.ts'
import { ProxyProcess } from './proxy-process.ts'
import type { HealthProbe } from './readiness-watch.ts'
import { SidecarUnit } from './sidecar-unit.ts'
import { maxSocketPathBytes, registrationFault, workloadApiFolder, workloadApiSocket } from './workload-api-socket.ts'

export interface SupervisorOptions {
  readonly stateDir: string
  /** What starts a control plane and a proxy; `--parent-watch` and `--bootstrap` are added. */
  readonly controlPlaneCommand: readonly string[]
  readonly proxyCommand: readonly string[]
  /** One proxy process per sidecar. */
  readonly isolate: boolean
  /** What is open in a proxy process when it is restarted may go on there for so long. */
  readonly drainDeadlineMs: number
  readonly probe: ConnectProbe
  readonly askHealth: HealthProbe
}

export interface SupervisorEvents {
  /** One line for whoever waits. */
  progress(text: string): void
  /** One line for the log. */
  notice(text: string): void
  /** Something died and comes back. */
  warning(text: string): void
  /** A line of an application's output. */
  applicationLine(workload: string, line: string): void
  /** It can never work: stop. */
  failed(error: CliError): void
  /** All is as ready as it will be for now; mesh.json is written. Once. */
  settled(): void
}

/** So long after the control plane serves, what is not ready is not waited for. */
const settleDeadlineMs = 30_000
const pollRetryMs = 250

export class Supervisor {
  readonly #host: CliHost
  readonly #options: SupervisorOptions
  readonly #events: SupervisorEvents
  readonly #groups: ProcessGroups
  readonly #tokens: JoinTokens
  readonly #adminToken: string
  readonly #units = new Map<string, SidecarUnit>()
  readonly #proxies = new Map<string, ProxyProcess>()
  readonly #polling = new AbortController()
  #controlPlane: ControlPlaneProcess | undefined
  #serving: ControlPlaneMessage | undefined
  #servingSinceMs = 0
  #client: ControlPlaneClient | undefined
  #listeners: ListenerWatch | undefined
  #desired: DesiredState | undefined
  #mesh: MeshState | undefined
  #settled = false
  #settleTimer: Timer | undefined
  #publishing = false
  #publishAgain = false
  #reconciling: Promise<void> = Promise.resolve()
  #stopping: Promise<void> | undefined

  /** Nothing runs before `start`. The caller holds the lock of the state directory. */
  constructor(host: CliHost, options: SupervisorOptions, events: SupervisorEvents) {
    this.#host = host
    this.#options = options
    this.#events = events
    rmSync(meshFile(options.stateDir), { force: true })
    this.#adminToken = readOrCreateAdminToken(options.stateDir)
    this.#groups = new ProcessGroups(host, meshFile(options.stateDir))
    this.#tokens = new JoinTokens(options.stateDir, host.clock, ({ kind, namespace, name }) =>
      this.#api.createJoinToken({ kind, namespace, name }),
    )
  }

  get mesh(): MeshState | undefined {
    return this.#mesh
  }

  statuses(): WorkloadStatus[] {
    return [...this.#units.values()].map((unit) => unit.status())
  }

  /** Everything that it runs works. */
  get isWell(): boolean {
    return [...this.#units.values()].every((unit) => unit.isWell)
  }

  problems(): Promise<readonly Problem[]> {
    return this.#api.problems()
  }

  async traffic(asked: AskedTraffic): Promise<TrafficSums> {
    return this.#api.traffic(asked)
  }

  start(): void {
    const { stateDir, controlPlaneCommand } = this.#options
    this.#events.progress('starting the control plane')
    this.#controlPlane = new ControlPlaneProcess(this.#host, this.#groups, {
      stateDir,
      command: controlPlaneCommand,
      ready: (message) => this.#served(message),
      died: (reason) => this.#events.warning(`the control plane ${reason}: starting it again, traffic goes on`),
      failed: (error) => this.#events.failed(error),
    })
  }

  /** Applications, then proxies, then the control plane; leaves nothing behind. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  /** Replaces each proxy process by a new one on the same sockets, one after the other; no connection is dropped or refused. */
  async restartProxies(): Promise<void> {
    for (const proxy of this.#proxies.values()) {
      try {
        await proxy.restart()
        this.#events.notice(`the proxy ${proxy.name} goes on as process ${proxy.pid}`)
      } catch (error) {
        this.#events.warning(`the proxy ${proxy.name} is not restarted: ${errorMessage(error)}`)
      }
    }
  }

  /** For whoever cannot wait for `stop`. */
  killAll(): void {
    this.#groups.killAll()
  }

  async #stop(): Promise<void> {
    this.#polling.abort()
    this.#listeners?.stop()
    await this.#reconciling
    await Promise.all([...this.#units.values()].map((unit) => unit.retire()))
    await Promise.all([...this.#proxies.values()].map((proxy) => proxy.stop()))
    await this.#controlPlane?.stop()
    this.#tokens.stop()
    this.#client?.close()
    this.#groups.close()
    rmSync(meshFile(this.#options.stateDir), { force: true })
    rmSync(join(this.#options.stateDir, 'proxies'), { recursive: true, force: true })
    rmSync(workloadApiFolder(this.#options.stateDir), { recursive: true, force: true })
  }

  get #api(): ControlPlaneClient {
    if (this.#client === undefined) throw new Error('the control plane does not serve yet')
    return this.#client
  }

  #served(message: ControlPlaneMessage): void {
    const first = this.#serving === undefined
    this.#serving = message
    this.#client?.close()
    this.#client = new ControlPlaneClient(message.apiUrl, this.#adminToken)
    if (first) {
      this.#servingSinceMs = this.#host.clock.monotonicMs()
      this.#events.progress(`control plane serves at ${message.apiUrl}`)
      void this.#followDesired()
      this.#listeners = new ListenerWatch(this.#host.clock, this.#adminToken, () => this.#units.values())
      return
    }
    // a new control plane knows neither its predecessor's tokens nor how the workloads are
    for (const unit of this.#units.values()) void this.#tokens.keepFresh(unit.desired)
    this.#changed()
  }

  async #followDesired(): Promise<void> {
    const { signal } = this.#polling
    while (!signal.aborted) {
      try {
        this.#desired = await this.#api.desired(this.#desired?.revision, signal)
      } catch {
        // between two control planes
        await sleep(this.#host.clock, pollRetryMs)
        continue
      }
      await this.#reconcileNext()
      this.#changed()
    }
  }

  /** One at a time; the last one sees the newest desired state. */
  #reconcileNext(): Promise<void> {
    this.#reconciling = this.#reconciling.then(() => this.#reconcile())
    return this.#reconciling
  }

  async #reconcile(): Promise<void> {
    if (this.#polling.signal.aborted || this.#desired === undefined) return
    const wanted = new Map(
      this.#desired.sidecars.map((sidecar) => [nodeId(sidecar.kind, sidecar.namespace, sidecar.name), sidecar]),
    )
    for (const unit of this.#units.values()) {
      const sidecar = wanted.get(unit.id)
      if (unit.isRetiring) continue
      if (sidecar === undefined || isAnother(unit.desired, sidecar)) void this.#retire(unit)
      else {
        const before = unit.desired
        unit.update(sidecar)
        if (JSON.stringify(before.unix) !== JSON.stringify(sidecar.unix)) this.#updateProxy(sidecar, unit.id)
      }
    }
    const fresh = [...wanted].filter(([id]) => !this.#units.has(id)).map(([, sidecar]) => sidecar)
    if (fresh.length === 0) return
    await Promise.all(fresh.map((sidecar) => this.#tokens.keepFresh(sidecar)))
    const proxies = new Set(fresh.map((sidecar) => this.#startUnit(sidecar)))
    for (const proxy of proxies) proxy.update()
  }

  #startUnit(sidecar: DesiredSidecar): ProxyProcess {
    const unit = new SidecarUnit(
      {
        clock: this.#host.clock,
        random: this.#host.random,
        probe: this.#options.probe,
        askHealth: this.#options.askHealth,
        startApplication: (desired, changed) => this.#startApplication(desired, changed),
        changed: () => this.#changed(),
      },
      sidecar,
    )
    this.#units.set(unit.id, unit)
    const proxy = this.#proxyFor(unit.id)
    proxy.add(unit.id, this.#sidecarBootstrap(sidecar))
    return proxy
  }

  /** Which processes may ask for its identity has changed. */
  #updateProxy(sidecar: DesiredSidecar, id: string): void {
    const proxy = this.#proxyFor(id)
    proxy.add(id, this.#sidecarBootstrap(sidecar))
    proxy.update()
  }

  #proxyFor(id: string): ProxyProcess {
    const name = this.#options.isolate ? id : 'shared'
    let proxy = this.#proxies.get(name)
    if (proxy === undefined) {
      proxy = new ProxyProcess(this.#host, this.#groups, {
        stateDir: this.#options.stateDir,
        name,
        command: this.#options.proxyCommand,
        drainDeadlineMs: this.#options.drainDeadlineMs,
        bootstrap: () => ({
          controlPlaneAddress: this.#serving?.xdsTlsAddress ?? '',
          controlPlaneSpiffeId: this.#serving?.spiffeId ?? '',
          trustBundleFile: this.#serving?.trustBundleFile ?? '',
          adminToken: this.#adminToken,
        }),
        refreshTokens: async (ids) => {
          await Promise.all(ids.map((one) => this.#refreshToken(one)))
        },
        ready: (one) => this.#setProxyReady([one], true),
        died: (reason, ids) => {
          this.#events.warning(`the proxy ${reason}: starting it again`)
          this.#setProxyReady(ids, false)
        },
      })
      this.#proxies.set(name, proxy)
    }
    return proxy
  }

  #setProxyReady(ids: readonly string[], ready: boolean): void {
    for (const id of ids) {
      const unit = this.#units.get(id)
      if (unit !== undefined) unit.proxyReady = ready
    }
  }

  async #refreshToken(id: string): Promise<void> {
    const unit = this.#units.get(id)
    if (unit !== undefined) await this.#tokens.keepFresh(unit.desired)
  }

  #sidecarBootstrap(sidecar: DesiredSidecar): SidecarBootstrap {
    const { kind, namespace, name, spiffeId, adminAddress, metricsAddress, locality, unix } = sidecar
    const socket = workloadApiSocket(this.#options.stateDir, sidecar)
    if (kind === 'sidecar' && socket === undefined) {
      this.#events.warning(
        `${namespace}/${name} has no Workload API: the path of its socket would be longer than ${maxSocketPathBytes} bytes; choose a shorter --state-dir`,
      )
    }
    if (socket !== undefined && unix !== undefined) {
      void this.#checkRegistration(`${namespace}/${name}`, socket, unix)
    }
    return {
      kind,
      namespace,
      name,
      spiffeId,
      tokenFile: this.#tokens.file(sidecar),
      adminAddress,
      metricsAddress,
      ...(locality === undefined ? {} : { locality }),
      ...(socket === undefined ? {} : { workloadApiSocket: socket }),
      ...(unix === undefined ? {} : { unix }),
    }
  }

  async #checkRegistration(workload: string, socket: string, registered: UnixRegistration): Promise<void> {
    const fault = await registrationFault(socket, registered)
    if (fault !== undefined) this.#events.warning(`${workload}: ${fault}`)
  }

  #startApplication(sidecar: DesiredSidecar, changed: () => void): Application | undefined {
    const { namespace, name, application, applicationPorts } = sidecar
    if (application === undefined) return undefined
    const log = new LogFile(this.#options.stateDir, `${namespace}.${name}`)
    const socket = workloadApiSocket(this.#options.stateDir, sidecar)
    const identityEnv = socket === undefined ? {} : { SPIFFE_ENDPOINT_SOCKET: `unix://${socket}` }
    return new Application(
      {
        host: this.#host,
        groups: this.#groups,
        probe: this.#options.probe,
        log: {
          line: (text) => {
            log.line(text)
            this.#events.applicationLine(`${namespace}/${name}`, text)
          },
          close: () => log.close(),
        },
        changed,
      },
      { ...application, env: { ...identityEnv, ...application.env } },
      applicationPorts,
    )
  }

  async #retire(unit: SidecarUnit): Promise<void> {
    await unit.retire()
    const name = this.#options.isolate ? unit.id : 'shared'
    const proxy = this.#proxies.get(name)
    await proxy?.remove(unit.id)
    if (this.#options.isolate) {
      await proxy?.stop()
      this.#proxies.delete(name)
    }
    this.#tokens.forget(unit.desired)
    this.#units.delete(unit.id)
    // it may be wanted again, or otherwise
    await this.#reconcileNext()
    this.#changed()
  }

  #changed(): void {
    this.#publishAgain = true
    if (!this.#publishing) void this.#publish()
  }

  /** Tells the control plane how the workloads are, and mesh.json what the control plane then says. */
  async #publish(): Promise<void> {
    this.#publishing = true
    while (this.#publishAgain && !this.#polling.signal.aborted) {
      this.#publishAgain = false
      try {
        // decided on what is reported, not on what happens while it is
        const settled = this.#isSettled()
        await this.#api.reportWorkloads(this.statuses())
        this.#mesh = await this.#api.mesh()
        if (!settled || this.#polling.signal.aborted) continue
        this.#writeMesh(this.#mesh)
        if (!this.#settled) this.#events.settled()
        this.#settled = true
      } catch {
        // the next control plane is told when it serves
        break
      }
    }
    this.#publishing = false
  }

  #writeMesh(mesh: MeshState): void {
    writeFileAtomic(meshFile(this.#options.stateDir), `${JSON.stringify(mesh, null, 2)}\n`)
  }

  /** Once it is, it stays so. */
  #isSettled(): boolean {
    if (this.#settled) return true
    if (this.#desired === undefined) return false
    const nowMs = this.#host.clock.monotonicMs()
    const units = [...this.#units.values()]
    const waiting = units.filter((unit) => !unit.isSettled(nowMs))
    if (waiting.length === 0 || nowMs - this.#servingSinceMs >= settleDeadlineMs) return true
    this.#events.progress(`${units.length - waiting.length} of ${units.length} sidecars and applications ready`)
    this.#settleTimer?.cancel()
    this.#settleTimer = this.#host.clock.setTimer(pollRetryMs, () => this.#changed())
    return false
  }
}

/** Not the same sidecar any more: it needs another identity or other ports, or is elsewhere. */
function isAnother(before: DesiredSidecar, after: DesiredSidecar): boolean {
  return (
    before.spiffeId !== after.spiffeId ||
    before.adminAddress !== after.adminAddress ||
    before.metricsAddress !== after.metricsAddress ||
    JSON.stringify(before.locality) !== JSON.stringify(after.locality)
  )
}
