// One workload's application: started, watched until it listens, started again when it ends, drained.
import type { DesiredApplication } from '../../contracts/desired-state.ts'
import type { ProblemCode } from '../../contracts/problem.ts'
import type { Timer } from '../../core/clock.ts'
import { RingBuffer } from '../../core/ring-buffer.ts'
import { formatAge } from '../format.ts'
import type { CliHost } from '../host.ts'
import { applicationEnvironment, withPropagation } from './heddle-environment.ts'
import { PortWatch, type ConnectProbe, type WatchedPort } from './port-watch.ts'
import type { ProcessGroups } from './process-groups.ts'
import { SupervisedProcess, type ProcessEnd, type ProcessSpec } from './supervised-process.ts'

export interface ApplicationDeps {
  readonly host: CliHost
  readonly groups: ProcessGroups
  readonly probe: ConnectProbe
  /** Takes each line of its output; closed when it has stopped. */
  readonly log: { line(text: string): void; close(): void }
  /** Called after each change of `status`. */
  readonly changed: () => void
}

export interface ApplicationStatus {
  readonly state: 'starting' | 'ready' | 'failing' | 'stopping'
  readonly restarts: number
  readonly code?: ProblemCode
  readonly message?: string
  readonly lastLines?: readonly string[]
}

/** One that does not listen by then is failing. */
export const listenDeadlineMs = 10_000
export const applicationGraceMs = 10_000
const shownLines = 8

export class Application {
  readonly fingerprint: string
  readonly startedAtMs: number
  readonly #deps: ApplicationDeps
  readonly #ports: readonly WatchedPort[]
  readonly #process: SupervisedProcess
  #lines = new RingBuffer<string>(shownLines)
  #watch: PortWatch | undefined
  #deadline: Timer | undefined
  /** Why it was made to end. */
  #endedFor: string | undefined
  #status: ApplicationStatus = { state: 'starting', restarts: 0 }

  constructor(deps: ApplicationDeps, desired: DesiredApplication, ports: readonly WatchedPort[]) {
    this.fingerprint = desired.fingerprint
    this.startedAtMs = deps.host.clock.monotonicMs()
    this.#deps = deps
    this.#ports = ports
    this.#process = new SupervisedProcess(deps.host, deps.groups, {
      prepare: () => this.#prepare(desired),
      started: () => this.#awaitPorts(),
      line: (line) => {
        this.#lines.push(line)
        deps.log.line(line)
      },
      ended: (end) => this.#ended(end),
    })
    this.#process.start()
  }

  get status(): ApplicationStatus {
    return this.#status
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** It is drained as when it stops, and started again. */
  restart(why: string): void {
    this.#endWatch()
    this.#endedFor = why
    this.#fail(`${why}; it is being started again`)
    this.#process.end(applicationGraceMs)
  }

  async stop(): Promise<void> {
    this.#endWatch()
    this.#set({ state: 'stopping', restarts: this.#status.restarts })
    await this.#process.stop(applicationGraceMs)
    this.#deps.log.close()
  }

  /** Somebody else on its port would look like the application itself. */
  async #prepare(desired: DesiredApplication): Promise<ProcessSpec> {
    this.#lines = new RingBuffer(shownLines)
    for (const port of this.#ports) {
      if (await this.#deps.probe(port)) throw new PortTakenError(port)
    }
    return {
      command: desired.command,
      workingDirectory: desired.workingDirectory,
      env: withPropagation({ ...applicationEnvironment(this.#deps.host.env), ...desired.env }, desired),
      channel: false,
    }
  }

  #awaitPorts(): void {
    const { clock } = this.#deps.host
    this.#watch = new PortWatch(clock, this.#ports, this.#deps.probe, (open) => {
      if (!open) return
      this.#endWatch()
      this.#set({ state: 'ready', restarts: this.#status.restarts })
    })
    this.#deadline = clock.setTimer(listenDeadlineMs, () => {
      const where = this.#ports.map(({ host, port }) => `${host}:${port}`).join(' and ')
      this.#fail(`runs but does not listen on ${where} after ${formatAge(listenDeadlineMs)}`)
    })
  }

  #endWatch(): void {
    this.#watch?.stop()
    this.#deadline?.cancel()
  }

  #ended({ reason, cause, restartInMs }: ProcessEnd): void {
    this.#endWatch()
    const code = cause instanceof PortTakenError ? 'HDL011' : undefined
    const why = this.#endedFor ?? reason
    this.#endedFor = undefined
    this.#fail(`${why}; next try in ${formatAge(restartInMs)}`, this.#status.restarts + 1, code)
  }

  #fail(message: string, restarts = this.#status.restarts, code?: ProblemCode): void {
    this.#set({
      state: 'failing',
      restarts,
      message,
      lastLines: this.#lines.toArray(),
      ...(code === undefined ? {} : { code }),
    })
  }

  #set(status: ApplicationStatus): void {
    this.#status = status
    this.#deps.changed()
  }
}

class PortTakenError extends Error {
  override readonly name = 'PortTakenError'

  constructor({ host, port }: WatchedPort) {
    super(`cannot start: ${host}:${port} is taken by another process`)
  }
}
