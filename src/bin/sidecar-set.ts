// The sidecars of one proxy process: starts those that are wanted, drains those that are not, whatever arrives meanwhile.
import type { SidecarBootstrap } from '../contracts/bootstrap.ts'
import { nodeId } from '../contracts/xds/names.ts'

/** What runs: a sidecar, or what several workers do for one. */
interface Running {
  readonly ready: Promise<void>
}

export interface SidecarSetOptions<S extends Running> {
  readonly start: (sidecar: SidecarBootstrap) => S
  /** What it is told to run is not what it was started with, or may not be. */
  readonly update: (running: S, sidecar: SidecarBootstrap) => void
  /** Resolves when it has stopped, well or not. */
  readonly stop: (sidecar: S, key: string) => Promise<void>
  readonly ready: (key: string) => void
  readonly stopped: (key: string) => void
}

export class SidecarSet<S extends Running> {
  readonly #options: SidecarSetOptions<S>
  #wanted: ReadonlyMap<string, SidecarBootstrap> = new Map()
  /** One that stops stays until it has: its successor needs the same ports. */
  readonly #running = new Map<string, S>()
  readonly #stopping = new Map<string, Promise<void>>()

  constructor(options: SidecarSetOptions<S>) {
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
    for (const [key, sidecar] of this.#wanted) {
      const running = this.#running.get(key)
      if (running === undefined) this.#start(key, sidecar)
      else if (!this.#stopping.has(key)) this.#options.update(running, sidecar)
    }
  }

  #start(key: string, sidecar: SidecarBootstrap): void {
    const started = this.#options.start(sidecar)
    this.#running.set(key, started)
    void started.ready.then(() => this.#options.ready(key))
  }

  async #stop(key: string, sidecar: S): Promise<void> {
    await this.#options.stop(sidecar, key)
    this.#running.delete(key)
    this.#stopping.delete(key)
    this.#options.stopped(key)
    // it may have come to be wanted again
    this.#reconcile()
  }
}
