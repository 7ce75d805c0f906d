// Watches whether ports accept connections.
import { connect } from 'node:net'

import type { Clock, Timer } from '../../core/clock.ts'

export interface WatchedPort {
  readonly host: string
  readonly port: number
}

/** True: somebody accepts connections there. */
export type ConnectProbe = (port: WatchedPort) => Promise<boolean>

const connectTimeoutMs = 1000

export const probeConnect: ConnectProbe = ({ host, port }) =>
  new Promise((resolve) => {
    const socket = connect({ host, port, timeout: connectTimeoutMs })
    const done = (accepted: boolean): void => {
      socket.destroy()
      resolve(accepted)
    }
    socket.once('connect', () => done(true))
    socket.once('timeout', () => done(false))
    socket.once('error', () => done(false))
  })

export async function firstClosedPort(
  ports: readonly WatchedPort[],
  probe: ConnectProbe,
): Promise<WatchedPort | undefined> {
  const open = await Promise.all(ports.map(probe))
  return ports[open.indexOf(false)]
}

const eagerMs = 50
const slowestEagerMs = 1000
const watchfulMs = 2000

/** Looks eagerly until all ports are open, then now and then. Calls `changed` with the first answer and with each other one. */
export class PortWatch {
  readonly #clock: Clock
  readonly #ports: readonly WatchedPort[]
  readonly #probe: ConnectProbe
  readonly #changed: (open: boolean) => void
  #open: boolean | undefined
  #delayMs = eagerMs
  #timer: Timer | undefined
  #stopped = false

  constructor(clock: Clock, ports: readonly WatchedPort[], probe: ConnectProbe, changed: (open: boolean) => void) {
    this.#clock = clock
    this.#ports = ports
    this.#probe = probe
    this.#changed = changed
    void this.#look()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  async #look(): Promise<void> {
    const open = (await firstClosedPort(this.#ports, this.#probe)) === undefined
    if (this.#stopped) return
    this.#delayMs = open ? watchfulMs : Math.min(slowestEagerMs, this.#open === true ? eagerMs : this.#delayMs * 1.5)
    this.#timer = this.#clock.setTimer(this.#delayMs, () => void this.#look())
    if (open === this.#open) return
    this.#open = open
    this.#changed(open)
  }
}
