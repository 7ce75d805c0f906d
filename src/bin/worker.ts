// One of several processes of a proxy, as its parent sees it: started again with back-off when it dies, until it is told to leave.
import { spawn, type ChildProcess, type SendHandle } from 'node:child_process'
import { once } from 'node:events'

import { socketError } from '../cli/up/kept-sockets.ts'
import type { ProxyMessage, SocketAddress, SupervisorMessage } from '../contracts/bootstrap.ts'
import { nodeId } from '../contracts/xds/names.ts'
import { backoffMs } from '../core/backoff.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/logger.ts'
import type { Random } from '../core/random.ts'
import type { HandedSockets } from './handed-sockets.ts'

export interface WorkerDeps {
  readonly command: readonly [string, ...string[]]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly sockets: HandedSockets
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** A new process knows nothing: what it is told first. */
  readonly greeting: () => readonly SupervisorMessage[]
  /** The control plane asks for a new certificate. */
  readonly renew: (sidecar: string, withinMs: number) => void
  /** Which sidecars are ready, stopped or have which ports has changed. */
  readonly changed: () => void
}

export interface WorkerEndpoints {
  /** "127.0.0.1:40123". */
  readonly admin: string
  readonly metrics: string
}

const restartBackoff = { baseMs: 250, maxMs: 10_000 }
/** Having run for so long, one that dies starts again as if it were the first time. */
const stableAfterMs = 10_000

export class Worker {
  /** Which share of each port is its own. */
  readonly share: number
  readonly ready: Set<string> = new Set()
  /** By sidecar. */
  readonly endpoints: Map<string, WorkerEndpoints> = new Map()
  /** Sidecars that it was told to run and has not stopped. */
  readonly running: Set<string> = new Set()
  readonly #deps: WorkerDeps
  /** Where it accepts, by text. */
  #opened = new Map<string, SocketAddress>()
  /** Where the process before it did, until this one has what it needs of them. */
  #left = new Map<string, SocketAddress>()
  #child: ChildProcess | undefined
  #failures = 0
  #leaving = false

  constructor(deps: WorkerDeps, share: number) {
    this.#deps = deps
    this.share = share
    this.#start()
  }

  tell(message: SupervisorMessage, handle?: SendHandle): void {
    if (this.#child?.connected !== true) return
    if (message.type === 'sidecars') {
      for (const { kind, namespace, name } of message.sidecars) this.running.add(nodeId(kind, namespace, name))
    }
    this.#child.send(message, handle, {}, () => {
      // it died meanwhile: 'exit' tells
    })
  }

  /** Resolves when its process is gone. A second call shortens the first. */
  async drain(deadlineMs: number): Promise<void> {
    this.#leaving = true
    const child = this.#child
    if (child === undefined) return
    const gone = once(child, 'exit')
    this.tell({ type: 'drain', deadlineMs })
    await gone
  }

  #start(): void {
    const { command, env, clock, random, logger, greeting } = this.#deps
    const [program, ...args] = command
    const startedAtMs = clock.monotonicMs()
    // the parent's process group: whoever ends that ends its workers
    const child = spawn(program, args, { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#child = child
    for (const message of greeting()) this.tell(message)
    child.on('message', (message) => void this.#received(child, message as ProxyMessage))
    child.on('error', () => {
      // 'exit' or the missing process tells
    })
    child.once('exit', (status, signal) => {
      this.#child = undefined
      this.ready.clear()
      this.endpoints.clear()
      this.running.clear()
      this.#left = new Map([...this.#left, ...this.#opened])
      this.#opened = new Map()
      this.#deps.changed()
      if (this.#leaving) return
      this.#failures = clock.monotonicMs() - startedAtMs >= stableAfterMs ? 0 : this.#failures + 1
      const inMs = backoffMs(restartBackoff, this.#failures, random)
      logger.error('worker ended: starting it again', { worker: this.share, status, signal, inMs })
      clock.setTimer(
        inMs,
        () => {
          if (!this.#leaving) this.#start()
        },
        true,
      )
    })
  }

  async #received(child: ChildProcess, message: ProxyMessage): Promise<void> {
    switch (message.type) {
      case 'open':
        await this.#open(child, message)
        return
      case 'close':
        this.#close({ host: message.host, port: message.port, share: this.share })
        return
      case 'renew':
        this.#deps.renew(message.sidecar, message.withinMs)
        return
      case 'ready':
        this.ready.add(message.sidecar)
        if (this.ready.size === this.running.size) this.#closeLeft()
        break
      case 'stopped':
        for (const one of [this.ready, this.endpoints, this.running]) one.delete(message.sidecar)
        break
      case 'token-refused':
        // their parent has the tokens
        break
      case 'endpoints':
        this.endpoints.set(message.sidecar, message)
        break
    }
    this.#deps.changed()
  }

  #close(address: SocketAddress): void {
    this.#opened.delete(`${address.host} ${address.port}`)
    this.#deps.sockets.close(address)
  }

  /** Callers would queue at a socket that nobody accepts from. */
  #closeLeft(): void {
    for (const address of this.#left.values()) this.#deps.sockets.close(address)
    this.#left.clear()
  }

  async #open(child: ChildProcess, message: Extract<ProxyMessage, { type: 'open' }>): Promise<void> {
    // admin and metrics of a worker are at ports of their own, which nobody keeps
    const { host, port, request } = message
    try {
      const address = { host, port, share: this.share }
      const handle = port === 0 ? undefined : await this.#deps.sockets.open(address)
      this.#opened.set(`${host} ${port}`, address)
      this.#left.delete(`${host} ${port}`)
      if (this.#child === child) this.tell({ type: 'socket', request }, handle as SendHandle | undefined)
    } catch (error) {
      if (this.#child === child) this.tell({ type: 'socket', request, error: socketError(error) })
    }
  }
}
