// One proxy and the sidecars that it hosts: a process, and after a restart for a while also the one before it, which drains.
import { join } from 'node:path'

import type { ProxyBootstrap, ProxyMessage, SidecarBootstrap, SupervisorMessage } from '../../contracts/bootstrap.ts'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import { canBindSockets } from '../../core/bound-socket.ts'
import type { CliHost } from '../host.ts'
import { heddleEnvironment } from './heddle-environment.ts'
import { answerOpen, KeptSockets } from './kept-sockets.ts'
import { LogFile } from './log-file.ts'
import type { ProcessGroups } from './process-groups.ts'
import { SupervisedProcess, type ProcessEnd } from './supervised-process.ts'

export interface ProxyProcessOptions {
  readonly stateDir: string
  /** "shared", or the node id of its only sidecar. */
  readonly name: string
  /** Program and arguments without `--bootstrap`. */
  readonly command: readonly string[]
  /** After a restart, what is open in the process before may go on for so long. */
  readonly drainDeadlineMs: number
  /** All but the sidecars, as of now. */
  readonly bootstrap: () => Omit<ProxyBootstrap, 'sidecars'>
  /** Before each start but the first: its sidecars must prove themselves anew. */
  readonly refreshTokens: (nodeIds: readonly string[]) => Promise<void>
  readonly ready: (nodeId: string) => void
  readonly died: (reason: string, nodeIds: readonly string[]) => void
}

/** How long its open requests may go on when a proxy ends for good, and how much longer its process may take. */
const finalDrainMs = 10_000
const exitGraceMs = 5_000
export const proxyGraceMs: number = finalDrainMs + exitGraceMs
/** A successor that is not ready by then is given up. */
const successorDeadlineMs = 30_000

export class ProxyProcess {
  readonly #host: CliHost
  readonly #groups: ProcessGroups
  readonly #options: ProxyProcessOptions
  readonly #log: LogFile
  readonly #sockets = new KeptSockets()
  readonly #sidecars = new Map<string, SidecarBootstrap>()
  readonly #whenStopped = new Map<string, () => void>()
  #current: Generation
  #successor: Generation | undefined
  /** Processes that drain after a restart. */
  readonly #leaving = new Map<Generation, Promise<void>>()
  #started = false
  #ran = false
  #stopping = false

  constructor(host: CliHost, groups: ProcessGroups, options: ProxyProcessOptions) {
    this.#host = host
    this.#groups = groups
    this.#options = options
    this.#log = new LogFile(options.stateDir, options.name === 'shared' ? 'proxy' : `proxy.${options.name}`)
    this.#current = this.#createGeneration()
  }

  get name(): string {
    return this.#options.name
  }

  get pid(): number | undefined {
    return this.#current.process.pid
  }

  get isEmpty(): boolean {
    return this.#sidecars.size === 0
  }

  /** Takes effect with `update`. */
  add(nodeId: string, sidecar: SidecarBootstrap): void {
    this.#sidecars.set(nodeId, sidecar)
  }

  /** Starts the process, or tells it which sidecars it hosts now. */
  update(): void {
    if (!this.#started) {
      this.#started = true
      this.#current.process.start()
      return
    }
    this.#writeBootstrap()
    const message: SupervisorMessage = { type: 'sidecars', sidecars: [...this.#sidecars.values()] }
    // no process at the moment: the next one reads the file
    this.#current.process.send(message)
    this.#successor?.process.send(message)
  }

  /** Drains one sidecar; resolves when it has stopped, or after `proxyGraceMs`. */
  async remove(nodeId: string): Promise<void> {
    if (!this.#sidecars.delete(nodeId)) return
    const stopped = new Promise<void>((resolve) => this.#whenStopped.set(nodeId, resolve))
    const timer = this.#host.clock.setTimer(proxyGraceMs, () => this.#stopped(nodeId))
    if (this.#successor !== undefined) noLongerAwaits(this.#successor, nodeId)
    this.update()
    if (this.pid === undefined) this.#stopped(nodeId)
    await stopped
    timer.cancel()
  }

  /**
   * Starts a successor; when it accepts on the same sockets, the present process drains. Rejects when there is none or it does not get ready:
   * then nothing has changed.
   */
  async restart(): Promise<void> {
    if (!canBindSockets) throw new Error('this runtime cannot hand over listening sockets')
    if (this.#stopping || this.pid === undefined) throw new Error('it does not run')
    if (this.#successor !== undefined) throw new Error('it is being restarted already')
    if (this.#current.ready.size === 0) throw new Error('none of its sidecars is ready')
    const successor = this.#createGeneration()
    this.#successor = successor
    // a sidecar that is not ready now, because somebody else has its port, does not get so by this
    for (const nodeId of this.#current.ready) successor.awaited.add(nodeId)
    const timer = this.#host.clock.setTimer(successorDeadlineMs, () => {
      successor.settled.reject(new Error(`its successor was not ready within ${successorDeadlineMs / 1000} s`))
    })
    successor.process.start()
    try {
      await successor.settled.promise
    } catch (error) {
      void this.#leave(successor, 0)
      throw error
    } finally {
      timer.cancel()
      this.#successor = undefined
    }
    const predecessor = this.#current
    this.#current = successor
    for (const nodeId of successor.ready) this.#options.ready(nodeId)
    void this.#leave(predecessor, this.#options.drainDeadlineMs)
  }

  async stop(): Promise<void> {
    this.#stopping = true
    this.#successor?.settled.reject(new Error('the mesh stops'))
    const farewell: SupervisorMessage = { type: 'drain', deadlineMs: finalDrainMs }
    const leaving = [...this.#leaving.keys(), this.#current]
    await Promise.all(leaving.map(({ process }) => process.stop(proxyGraceMs, farewell)))
    await Promise.all(this.#leaving.values())
    this.#sockets.closeAll()
    this.#log.close()
  }

  get #bootstrapFile(): string {
    return join(this.#options.stateDir, 'proxies', `${this.#options.name}.json`)
  }

  #writeBootstrap(): void {
    const bootstrap: ProxyBootstrap = { ...this.#options.bootstrap(), sidecars: [...this.#sidecars.values()] }
    writeFileAtomic(this.#bootstrapFile, `${JSON.stringify(bootstrap, null, 2)}\n`)
  }

  #createGeneration(): Generation {
    const generation: Generation = {
      process: new SupervisedProcess(this.#host, this.#groups, {
        prepare: async () => {
          if (this.#ran) await this.#options.refreshTokens([...this.#sidecars.keys()])
          this.#ran = true
          this.#writeBootstrap()
          return {
            command: [...this.#options.command, '--bootstrap', this.#bootstrapFile],
            workingDirectory: this.#host.workingDirectory,
            env: heddleEnvironment(this.#host.env),
            channel: true,
          }
        },
        line: (line) => this.#log.line(line),
        message: (message, pid) => this.#received(generation, message as ProxyMessage, pid),
        ended: (end) => this.#ended(generation, end),
      }),
      ready: new Set(),
      awaited: new Set(),
      settled: Promise.withResolvers(),
    }
    // nobody waits for the first one
    generation.settled.promise.catch(() => {})
    return generation
  }

  #received(generation: Generation, message: ProxyMessage, pid: number): void {
    switch (message.type) {
      case 'ready':
        this.#ready(generation, message.sidecar)
        break
      case 'stopped':
        if (generation === this.#current) this.#stopped(message.sidecar)
        break
      case 'open': {
        const [answer, socket] = answerOpen(this.#sockets, pid, message)
        generation.process.send(answer, socket)
        break
      }
      case 'close':
        this.#sockets.close(pid, message)
        break
      case 'token-refused':
        void this.#options.refreshTokens([message.sidecar])
        break
      case 'endpoints':
        // they are where the bootstrap says
        break
      case 'renew':
        // a worker's word to its parent
        break
    }
  }

  #ready(generation: Generation, nodeId: string): void {
    generation.ready.add(nodeId)
    noLongerAwaits(generation, nodeId)
    if (generation !== this.#current) return
    this.#options.ready(nodeId)
    if ([...this.#sidecars.keys()].every((one) => generation.ready.has(one))) this.#sockets.closeUnused()
  }

  #ended(generation: Generation, { reason, pid }: ProcessEnd): void {
    // its sockets stay: callers wait in their queues for the next one
    if (pid !== undefined) this.#sockets.leave(pid)
    generation.ready.clear()
    if (generation === this.#successor) generation.settled.reject(new Error(`its successor ${reason}`))
    if (generation !== this.#current) return
    for (const nodeId of this.#whenStopped.keys()) this.#stopped(nodeId)
    this.#options.died(reason, [...this.#sidecars.keys()])
  }

  #leave(generation: Generation, deadlineMs: number): Promise<void> {
    const farewell: SupervisorMessage = { type: 'drain', deadlineMs }
    const { pid } = generation.process
    const left = async (): Promise<void> => {
      await generation.process.stop(deadlineMs + exitGraceMs, farewell)
      this.#leaving.delete(generation)
      if (pid !== undefined) this.#sockets.leave(pid)
    }
    const leaving = left()
    this.#leaving.set(generation, leaving)
    return leaving
  }

  #stopped(nodeId: string): void {
    this.#whenStopped.get(nodeId)?.()
    this.#whenStopped.delete(nodeId)
  }
}

/** One process after the other of the same proxy; each starts again by itself until it is told to leave. */
interface Generation {
  readonly process: SupervisedProcess
  /** Sidecars that accept connections. */
  readonly ready: Set<string>
  /** Those that must get ready before it takes over. */
  readonly awaited: Set<string>
  readonly settled: PromiseWithResolvers<void>
}

function noLongerAwaits({ awaited, settled }: Generation, nodeId: string): void {
  awaited.delete(nodeId)
  if (awaited.size === 0) settled.resolve()
}
