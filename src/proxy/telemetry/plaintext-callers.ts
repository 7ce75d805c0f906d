// Who comes in plaintext where mutual TLS is taken but not demanded (PERMISSIVE): those whom STRICT would refuse. Told by the admin API.
import type { Clock } from '../../core/clock.ts'
import type { ListenerConfig, RuntimeConfig } from '../runtime/runtime-config.ts'
import type { Exchange, ExchangeSink } from './exchange.ts'

export interface PlaintextCaller {
  /** IP address; `otherCallers` for those beyond the first hundred of a listener. */
  readonly address: string
  readonly connections: number
  /** Of these, still there. */
  readonly openConnections: number
  /** HTTP requests that are over. */
  readonly requests: number
  /** Milliseconds since the Unix epoch. */
  readonly lastSeenMs: number
}

export interface PlaintextCallersOfListener {
  /** "inbound|9080". */
  readonly listener: string
  /** Nothing before is known: the sidecar started then, or the listener came to be PERMISSIVE. */
  readonly sinceMs: number
  readonly callers: readonly PlaintextCaller[]
}

export interface PlaintextSink {
  plaintextOpened(listener: string, address: string): void
  plaintextClosed(listener: string, address: string): void
}

export const otherCallers = 'others'
const mostCallers = 100

type Counts = { -readonly [K in keyof PlaintextCaller]: PlaintextCaller[K] }

interface Counted {
  readonly sinceMs: number
  readonly callers: Map<string, Counts>
}

export class PlaintextCallers implements ExchangeSink, PlaintextSink {
  readonly #clock: Clock
  /** Those under PERMISSIVE. */
  readonly #listeners = new Map<string, Counted>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  update({ listeners }: RuntimeConfig): void {
    for (const name of this.#listeners.keys()) {
      const config = listeners.get(name)
      if (config === undefined || !isPermissive(config)) this.#listeners.delete(name)
    }
    for (const [name, config] of listeners)
      if (isPermissive(config) && !this.#listeners.has(name))
        this.#listeners.set(name, { sinceMs: this.#clock.nowMs(), callers: new Map() })
  }

  plaintextOpened(listener: string, address: string): void {
    const caller = this.#caller(listener, address)
    if (caller === undefined) return
    caller.connections++
    caller.openConnections++
  }

  plaintextClosed(listener: string, address: string): void {
    const caller = this.#caller(listener, address)
    // it may have been opened before the listener came to be PERMISSIVE
    if (caller !== undefined && caller.openConnections > 0) caller.openConnections--
  }

  finished({ reporter, mtls, protocol, listener, source }: Exchange): void {
    if (reporter !== 'destination' || mtls || protocol === 'TCP') return
    const caller = this.#caller(listener, source.remoteAddress)
    if (caller !== undefined) caller.requests++
  }

  report(): PlaintextCallersOfListener[] {
    const nowMs = this.#clock.nowMs()
    return [...this.#listeners].map(([listener, { sinceMs, callers }]) => ({
      listener,
      sinceMs,
      callers: [...callers.values()].map((caller) =>
        caller.openConnections > 0 ? { ...caller, lastSeenMs: nowMs } : { ...caller },
      ),
    }))
  }

  #caller(listener: string, address: string): Counts | undefined {
    const counted = this.#listeners.get(listener)
    if (counted === undefined) return undefined
    const { callers } = counted
    const key = callers.has(address) || callers.size < mostCallers ? address : otherCallers
    let caller = callers.get(key)
    if (caller === undefined) {
      caller = { address: key, connections: 0, openConnections: 0, requests: 0, lastSeenMs: 0 }
      callers.set(key, caller)
    }
    caller.lastSeenMs = this.#clock.nowMs()
    return caller
  }
}

function isPermissive({ direction, filterChains }: ListenerConfig): boolean {
  if (direction !== 'inbound') return false
  return filterChains.some(({ tls }) => tls?.kind === 'mesh') && filterChains.some(({ tls }) => tls === undefined)
}

/** What several workers of one sidecar have seen. */
export function mergePlaintextCallers(
  reports: readonly (readonly PlaintextCallersOfListener[])[],
): PlaintextCallersOfListener[] {
  const merged = new Map<string, { sinceMs: number; readonly callers: Map<string, PlaintextCaller> }>()
  for (const { listener, sinceMs, callers } of reports.flat()) {
    const sum = merged.get(listener) ?? { sinceMs, callers: new Map<string, PlaintextCaller>() }
    sum.sinceMs = Math.max(sum.sinceMs, sinceMs)
    for (const caller of callers) {
      const known = sum.callers.get(caller.address)
      sum.callers.set(caller.address, known === undefined ? caller : addUp(known, caller))
    }
    merged.set(listener, sum)
  }
  return [...merged].map(([listener, { sinceMs, callers }]) => ({ listener, sinceMs, callers: [...callers.values()] }))
}

function addUp(a: PlaintextCaller, b: PlaintextCaller): PlaintextCaller {
  return {
    address: a.address,
    connections: a.connections + b.connections,
    openConnections: a.openConnections + b.openConnections,
    requests: a.requests + b.requests,
    lastSeenMs: Math.max(a.lastSeenMs, b.lastSeenMs),
  }
}
