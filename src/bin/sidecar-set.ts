// The sidecars of one proxy process: starts those that are wanted, drains those that are not, whatever arrives meanwhile.
import type { SidecarBootstrap } from '../contracts/bootstrap.ts'
import { nodeId } from '../contracts/xds/names.ts'
import type { Sidecar } from './sidecar.ts'

export interface SidecarSetOptions {
  readonly start: (sidecar: SidecarBootstrap) => Sidecar
  /** Resolves when it has stopped, well or not. */
  readonly stop: (sidecar: Sidecar, key: string) => Promise<void>
  readonly ready: (key: string) => void
  readonly stopped: (key: string) => void
}

export class SidecarSet {
  readonly #options: SidecarSetOptions
  #wanted: ReadonlyMap<string, SidecarBootstrap> = new Map()
  /** One that stops stays until it has: its successor needs the same ports. */
  readonly #running = new Map<string, Sidecar>()
  readonly #stopping = new Map<string, Promise<void>>()

  constructor(options: SidecarSetOptions) {
    this.#options = options
  }

  follow(wanted: readonly SidecarBootstrap[]): void {
    this.#wanted = new Map(wanted.map((sidecar) => [nodeId(sidecar.kind, sidecar.namespace, sidecar.name), sidecar]))
    this.#reconcile()
  }

  /** Resolves when all have stopped. */
  async stop(): Promise<void> {
    this.follow([])
    await Promise.all(this.#stopping.values())
  }

  #reconcile(): void {
    for (const [key, sidecar] of this.#running) {
      if (!this.#wanted.has(key) && !this.#stopping.has(key)) this.#stopping.set(key, this.#stop(key, sidecar))
    }
    for (const [key, sidecar] of this.#wanted) if (!this.#running.has(key)) this.#start(key, sidecar)
  }

  #start(key: string, sidecar: SidecarBootstrap): void {
    const started = this.#options.start(sidecar)
    this.#running.set(key, started)
    void started.ready.then(() => this.#options.ready(key))
  }

  async #stop(key: string, sidecar: Sidecar): Promise<void> {
    await this.#options.stop(sidecar, key)
    this.#running.delete(key)
    this.#stopping.delete(key)
    this.#options.stopped(key)
    // it may have come to be wanted again
    this.#reconcile()
  }
}
