// What the ADS server knows of each connected data plane, for `proxy-status` and the dashboard.
import type { ProxyStatus } from '../../contracts/control-api.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import type { Watchable } from '../../core/watchable.ts'
import type { XdsNode } from '../translate/resource-view.ts'
import type { XdsProtocol } from './discovery-request.ts'

export interface NodeStatus {
  readonly node: XdsNode
  readonly protocol: XdsProtocol
  readonly address: string
  /** Milliseconds since the Unix epoch. */
  readonly connectedSinceMs: number
  /** The newest revision of which it has acknowledged everything it subscribes to, and when. */
  readonly inStep: { readonly revision: string; readonly atMs: number } | undefined
  readonly types: readonly TypeStatus[]
}

export interface TypeStatus {
  readonly typeUrl: string
  /** Resources subscribed to. */
  readonly subscribed: number
  /** Newest revision that the client is known to run for this type; undefined before the first acknowledgement. */
  readonly ackedRevision: string | undefined
  /** `pending`: something is on its way or waits for its turn. `rejected`: the client keeps what it had before. */
  readonly state: 'synced' | 'pending' | 'rejected'
  readonly lastNack: NackStatus | undefined
}

export interface NackStatus {
  readonly atMs: number
  readonly revision: string
  readonly message: string
  /** Resources of the rejected response that the message names; all of them when it names none. */
  readonly resources: readonly string[]
}

/** As the control plane's API tells it. `goneAtMs`: when the connection ended. */
export function proxyStatus(status: NodeStatus, goneAtMs?: number): ProxyStatus {
  const [worst] = status.types
    .filter(({ lastNack }) => lastNack !== undefined)
    .toSorted((a, b) => rank(b) - rank(a) || (b.lastNack?.atMs ?? 0) - (a.lastNack?.atMs ?? 0))
  const { typeUrl = '', lastNack, state } = worst ?? {}
  return {
    id: status.node.id,
    connected: goneAtMs === undefined,
    sinceMs: goneAtMs ?? status.connectedSinceMs,
    ...(status.inStep && { ackedRevision: status.inStep.revision, ackedAtMs: status.inStep.atMs }),
    ...(lastNack && {
      lastNack: { typeUrl, message: lastNack.message, atMs: lastNack.atMs, current: state === 'rejected' },
    }),
  }
}

/** What is rejected now matters more than what was. */
function rank({ state }: TypeStatus): number {
  return state === 'rejected' ? 1 : 0
}

/** Changes come in bursts, one an acknowledgement: those who watch are told at most this often. */
const notifyDelayMs = 50

/** Builds the list when somebody reads it. */
export class NodeStatusList implements Watchable<readonly NodeStatus[]> {
  readonly #clock: Clock
  readonly #read: () => readonly NodeStatus[]
  readonly #listeners = new Set<(value: readonly NodeStatus[]) => void>()
  #timer: Timer | undefined

  constructor(clock: Clock, read: () => readonly NodeStatus[]) {
    this.#clock = clock
    this.#read = read
  }

  get value(): readonly NodeStatus[] {
    return this.#read()
  }

  subscribe(listener: (value: readonly NodeStatus[]) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  changed(): void {
    if (this.#listeners.size === 0 || this.#timer !== undefined) return
    this.#timer = this.#clock.setTimer(notifyDelayMs, () => {
      this.#timer = undefined
      const value = this.#read()
      for (const listener of this.#listeners) listener(value)
    })
  }
}
