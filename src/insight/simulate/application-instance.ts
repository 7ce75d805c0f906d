// One instance of an application: it works on a few requests at once, lets others wait, and may be in trouble.
import type { ResponseHead } from '../../contracts/http-message.ts'
import type { Clock } from '../../core/clock.ts'
import { HeaderList } from '../../core/header-list.ts'
import type { Random } from '../../core/random.ts'
import type { Draw } from './service-time.ts'
import type { Job, SimulatedConnection, SimulatedServer } from './simulated-connection.ts'

export interface InstanceDeps {
  readonly clock: Clock
  readonly random: Random
}

export interface InstanceModel {
  readonly workload: string
  readonly zone: string | undefined
  readonly serviceMs: Draw
  readonly concurrency: number
  readonly queue: number
}

/** Where its own proxy has something to do with what comes. */
export interface InboundProxy {
  serve(job: Job): void
  /** Its process has died. */
  kill(): void
}

/** Asks other services for what an answer needs. */
export interface OnwardAsker {
  /** `answered`: with what it says itself then. */
  ask(answered: (status: number) => void): void
  kill(): void
}

const overloaded = 503

function answer(status: number): ResponseHead {
  return { status, headers: new HeaderList() }
}

export class ApplicationInstance implements SimulatedServer {
  /** "host:port" of its sidecar. */
  readonly address: string
  readonly model: InstanceModel
  /** Nobody listens. */
  down = false
  /** Its processes are not there. */
  dead = false
  hung = false
  /** What is sent to it or by it is lost. */
  unreachable = false
  slowness = 1
  failPercent = 0
  failStatus: number = overloaded
  /** Requests that came, of those that are counted. */
  received = 0
  readonly connections: Set<SimulatedConnection> = new Set()
  /** Undefined: it does nothing but pass everything on. */
  sidecar: InboundProxy | undefined
  /** Undefined: it asks nobody. */
  onward: OnwardAsker | undefined
  readonly #deps: InstanceDeps
  #busy = 0
  #waiting: Job[] = []
  #firstWaiting = 0
  /** What began before a process died is not ended by the next one. */
  #generation = 0

  constructor(deps: InstanceDeps, address: string, model: InstanceModel) {
    this.#deps = deps
    this.address = address
    this.model = model
  }

  get zone(): string | undefined {
    return this.model.zone
  }

  /** A request has arrived at its sidecar. */
  take(job: Job): void {
    this.received++
    if (this.sidecar === undefined) this.receive(job)
    else this.sidecar.serve(job)
  }

  /** An application does not notice that a caller has gone: what has come is worked on. */
  receive(job: Job): void {
    if (this.hung) return
    if (this.failPercent > 0 && this.#deps.random.next() * 100 < this.failPercent) job.refused(answer(this.failStatus))
    else if (this.#busy < this.model.concurrency) this.#work(job)
    else if (this.#waiting.length - this.#firstWaiting < this.model.queue) this.#waiting.push(job)
    else job.refused(answer(overloaded))
  }

  /** The process dies. */
  kill(): void {
    this.down = true
    this.dead = true
    this.#waiting = []
    this.#firstWaiting = 0
    this.#busy = 0
    this.#generation++
    this.sidecar?.kill()
    this.onward?.kill()
    for (const connection of this.connections) connection.reset('the upstream closed the connection')
  }

  /** It asks its callers to go elsewhere, and ends what it has begun. */
  drain(): void {
    this.down = true
    for (const connection of this.connections) connection.goAway()
  }

  restart(): void {
    this.down = false
    this.dead = false
  }

  #work(job: Job): void {
    this.#busy++
    const { clock, random } = this.#deps
    const generation = this.#generation
    const finish = (status: number): void => {
      if (generation !== this.#generation) return
      this.#busy--
      if (!this.hung) job.done(answer(status))
      this.#next()
    }
    clock.setTimer(this.model.serviceMs(random) * this.slowness, () => {
      // a thread that waits for others is at work
      if (this.onward === undefined || generation !== this.#generation) finish(200)
      else this.onward.ask(finish)
    })
  }

  #next(): void {
    if (this.#firstWaiting === this.#waiting.length) return
    const job = this.#waiting[this.#firstWaiting++] as Job
    // the part that is over is let go when it is the larger one
    if (this.#firstWaiting > 64 && this.#firstWaiting * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#firstWaiting)
      this.#firstWaiting = 0
    }
    this.#work(job)
  }
}
