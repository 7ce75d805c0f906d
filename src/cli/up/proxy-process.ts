// One proxy process and the sidecars that it hosts.
import { join } from 'node:path'

import type { ProxyBootstrap, ProxyMessage, SidecarBootstrap, SupervisorMessage } from '../../contracts/bootstrap.ts'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import type { CliHost } from '../host.ts'
import { heddleEnvironment } from './heddle-environment.ts'
import { LogFile } from './log-file.ts'
import type { ProcessGroups } from './process-groups.ts'
import { SupervisedProcess } from './supervised-process.ts'

export interface ProxyProcessOptions {
  readonly stateDir: string
  /** "shared", or the node id of its only sidecar. */
  readonly name: string
  /** Program and arguments without `--bootstrap`. */
  readonly command: readonly string[]
  /** All but the sidecars, as of now. */
  readonly bootstrap: () => Omit<ProxyBootstrap, 'sidecars'>
  /** Before each start but the first: its sidecars must prove themselves anew. */
  readonly refreshTokens: (nodeIds: readonly string[]) => Promise<void>
  readonly ready: (nodeId: string) => void
  readonly died: (reason: string, nodeIds: readonly string[]) => void
}

/** Longer than what the proxy itself allows its open requests. */
export const proxyGraceMs = 15_000

export class ProxyProcess {
  readonly #host: CliHost
  readonly #options: ProxyProcessOptions
  readonly #process: SupervisedProcess
  readonly #log: LogFile
  readonly #sidecars = new Map<string, SidecarBootstrap>()
  readonly #whenStopped = new Map<string, () => void>()
  #started = false
  #ran = false

  constructor(host: CliHost, groups: ProcessGroups, options: ProxyProcessOptions) {
    this.#host = host
    this.#options = options
    this.#log = new LogFile(options.stateDir, options.name === 'shared' ? 'proxy' : `proxy.${options.name}`)
    this.#process = new SupervisedProcess(host, groups, {
      prepare: async () => {
        if (this.#ran) await options.refreshTokens([...this.#sidecars.keys()])
        this.#ran = true
        this.#writeBootstrap()
        return {
          command: [...options.command, '--bootstrap', this.#bootstrapFile],
          workingDirectory: host.workingDirectory,
          env: heddleEnvironment(host.env),
          channel: true,
        }
      },
      line: (line) => this.#log.line(line),
      message: (message) => this.#received(message as ProxyMessage),
      ended: ({ reason }) => {
        for (const nodeId of this.#whenStopped.keys()) this.#stopped(nodeId)
        options.died(reason, [...this.#sidecars.keys()])
      },
    })
  }

  get pid(): number | undefined {
    return this.#process.pid
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
      this.#process.start()
      return
    }
    this.#writeBootstrap()
    const message: SupervisorMessage = { type: 'sidecars', sidecars: [...this.#sidecars.values()] }
    // no process at the moment: the next one reads the file
    this.#process.send(message)
  }

  /** Drains one sidecar; resolves when it has stopped, or after `proxyGraceMs`. */
  async remove(nodeId: string): Promise<void> {
    if (!this.#sidecars.delete(nodeId)) return
    const stopped = new Promise<void>((resolve) => this.#whenStopped.set(nodeId, resolve))
    const timer = this.#host.clock.setTimer(proxyGraceMs, () => this.#stopped(nodeId))
    this.update()
    if (this.#process.pid === undefined) this.#stopped(nodeId)
    await stopped
    timer.cancel()
  }

  async stop(): Promise<void> {
    const farewell: SupervisorMessage = { type: 'drain' }
    await this.#process.stop(proxyGraceMs, farewell)
    this.#log.close()
  }

  get #bootstrapFile(): string {
    return join(this.#options.stateDir, 'proxies', `${this.#options.name}.json`)
  }

  #writeBootstrap(): void {
    const bootstrap: ProxyBootstrap = { ...this.#options.bootstrap(), sidecars: [...this.#sidecars.values()] }
    writeFileAtomic(this.#bootstrapFile, `${JSON.stringify(bootstrap, null, 2)}\n`)
  }

  #received(message: ProxyMessage): void {
    if (message.type === 'ready') this.#options.ready(message.sidecar)
    else this.#stopped(message.sidecar)
  }

  #stopped(nodeId: string): void {
    this.#whenStopped.get(nodeId)?.()
    this.#whenStopped.delete(nodeId)
  }
}
