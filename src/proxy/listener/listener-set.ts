// The listeners of the running configuration: opens what is new, closes what is gone, retries what could not be bound, leaves the rest alone.
import { backoffMs } from '../../core/backoff.ts'
import type { Timer } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { Random } from '../../core/random.ts'
import { type Watchable, WatchableValue } from '../../core/watchable.ts'
import type { Authority } from '../filter/authority.ts'
import type { Connection, ServerSocket } from '../io/connection.ts'
import type { ListenerConfig } from '../runtime/runtime-config.ts'
import { DownstreamConnection, type DownstreamDeps } from './downstream-connection.ts'
import { ListenerState } from './listener-state.ts'

/** `listening`, or why not; a listener that is just being opened is in neither state and absent. */
export type ListeningState = 'listening' | Error

export interface ListenerSetDeps extends DownstreamDeps {
  readonly random: Random
  readonly logger: Logger
}

const bindBackoff = { baseMs: 100, maxMs: 5_000 }
/**
 * An idle connection is left open for a part of the time there is: one that is in use meanwhile ends with a response that says so, and
 * nothing of it can be lost.
 */
const idleGrace = { leastMs: 1_000, mostMs: 10_000, ofDeadline: 0.1 }
/** Connections of a listener that is gone may finish what they carry for so long. */
const removedDrainMs = 30_000

export class ListenerSet {
  readonly #deps: ListenerSetDeps
  readonly #listeners = new Map<string, OpenListener>()
  readonly #leaving = new Set<OpenListener>()
  readonly #listening = new WatchableValue<ReadonlyMap<string, ListeningState>>(new Map())

  constructor(deps: ListenerSetDeps) {
    this.#deps = deps
  }

  get listening(): Watchable<ReadonlyMap<string, ListeningState>> {
    return this.#listening
  }

  update(configs: ReadonlyMap<string, ListenerConfig>): void {
    for (const [name, listener] of this.#listeners) {
      const config = configs.get(name)
      if (config !== undefined && listener.sameAddress(config)) listener.state.config = config
      else this.#remove(name, listener, removedDrainMs)
    }
    for (const [name, config] of configs) {
      if (this.#listeners.has(name)) continue
      const listener = new OpenListener(this.#deps, config, (state) => this.#report(name, state))
      this.#listeners.set(name, listener)
      listener.open()
    }
  }

  /** Asks again about what is open, where newer policies demand it. */
  reauthorize(): void {
    for (const listener of this.#listeners.values()) listener.reauthorize()
  }

  hasAddress({ host, port }: Authority): boolean {
    return [...this.#listeners.values()].some(({ state }) => {
      return state.config.port === port && (state.config.host === host || isLocalName(host))
    })
  }

  /** Stops accepting, lets connections end with their next response, destroys the rest after `deadlineMs`. */
  async drain(deadlineMs: number): Promise<void> {
    for (const [name, listener] of this.#listeners) this.#remove(name, listener, deadlineMs)
    await Promise.all([...this.#leaving].map((listener) => listener.leave(deadlineMs)))
  }

  #remove(name: string, listener: OpenListener, deadlineMs: number): void {
    this.#listeners.delete(name)
    this.#report(name, undefined)
    this.#leaving.add(listener)
    void listener.leave(deadlineMs).then(() => this.#leaving.delete(listener))
  }

  #report(name: string, state: ListeningState | undefined): void {
    const states = new Map(this.#listening.value)
    if (state === undefined) states.delete(name)
    else states.set(name, state)
    this.#listening.set(states)
  }
}

class OpenListener {
  readonly state: ListenerState
  readonly #deps: ListenerSetDeps
  readonly #report: (state: ListeningState) => void
  readonly #connections = new Set<DownstreamConnection>()
  #socket: ServerSocket | undefined
  #retry: Timer | undefined
  #failures = 0
  #leaving = false
  #graceMs = 0
  #onEmpty: (() => void)[] = []

  constructor(deps: ListenerSetDeps, config: ListenerConfig, report: (state: ListeningState) => void) {
    this.#deps = deps
    this.state = new ListenerState(config)
    this.#report = report
  }

  sameAddress({ host, port }: ListenerConfig): boolean {
    return host === this.state.config.host && port === this.state.config.port
  }

  open(): void {
    void this.#open()
  }

  reauthorize(): void {
    for (const connection of this.#connections) connection.reauthorize()
  }

  /** Resolves when every connection has ended, at the latest after `deadlineMs`. */
  async leave(deadlineMs: number): Promise<void> {
    if (!this.#leaving) {
      this.#leaving = true
      this.#graceMs = graceMs(deadlineMs)
      this.#retry?.cancel()
      void this.#socket?.close()
      for (const connection of this.#connections) connection.drain(this.#graceMs)
    }
    if (this.#connections.size === 0) return
    const timer = this.#deps.clock.setTimer(
      deadlineMs,
      () => {
        for (const connection of this.#connections) connection.destroy()
      },
      true,
    )
    await new Promise<void>((resolve) => this.#onEmpty.push(resolve))
    timer.cancel()
  }

  async #open(): Promise<void> {
    const { name, host, port } = this.state.config
    const { io, logger, clock, random } = this.#deps
    try {
      const socket = await io.listen({ host, port }, (connection) => this.#accept(connection))
      if (this.#leaving) {
        await socket.close()
        return
      }
      this.#socket = socket
      this.#failures = 0
      this.#report('listening')
    } catch (error) {
      if (this.#leaving) return
      if (this.#failures === 0)
        logger.warn('listener not open', { listener: name, host, port, error: errorMessage(error) })
      this.#report(new Error(`listener ${name} cannot be opened on ${host}:${port}: ${errorMessage(error)}`))
      this.#retry = clock.setTimer(bindBackoff.baseMs + backoffMs(bindBackoff, this.#failures++, random), () =>
        this.open(),
      )
    }
  }

  #accept(accepted: Connection): void {
    const connection: DownstreamConnection = new DownstreamConnection(this.#deps, this.state, accepted, () => {
      this.#connections.delete(connection)
      if (this.#connections.size > 0) return
      for (const resolve of this.#onEmpty.splice(0)) resolve()
    })
    this.#connections.add(connection)
    connection.start()
    if (this.#leaving) connection.drain(this.#graceMs)
  }
}

function graceMs(deadlineMs: number): number {
  const { leastMs, mostMs, ofDeadline } = idleGrace
  return Math.min(deadlineMs, mostMs, Math.max(leastMs, deadlineMs * ofDeadline))
}

function isLocalName(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '::' || host === '0.0.0.0' || host.startsWith('127.')
}
