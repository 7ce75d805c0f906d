// Hands out the loopback ports of all sidecars of one host and remembers them in a file: addresses outlive restarts of everything.
import { readFileSync } from 'node:fs'

import { writeFileAtomic } from '../../core/atomic-file.ts'
import type { Clock } from '../../core/clock.ts'
import { errorCode } from '../../core/errors.ts'
import type { ListenerPurpose, PortAllocation } from '../snapshot/port-allocation.ts'
import type { PortProbe } from './port-probe.ts'

const host = '127.0.0.1'
const lastPort = 65535
const probesAtOnce = 64

export type PortPurpose = ListenerPurpose | 'api' | 'xds' | 'xds-tls' | 'dashboard'

export interface PortAllocatorOptions {
  /** Small JSON file; made when missing. Written for another port base, it counts for nothing. */
  readonly file: string
  /** Ports are handed out from the next one on. */
  readonly portBase: number
  readonly clock: Clock
  readonly probe: PortProbe
  /** How long the ports of something that is gone stay its own, should it come back. */
  readonly keepGoneForMs?: number
}

interface Entry {
  readonly ports: Map<PortPurpose, number>
  goneSinceMs: number | undefined
}

/** No port is left above the port base. */
export class PortsExhaustedError extends Error {
  override readonly name = 'PortsExhaustedError'
}

export class PortAllocator implements PortAllocation {
  readonly #options: PortAllocatorOptions
  readonly #entries: Map<string, Entry>
  readonly #used = new Set<number>()
  #avoid: ReadonlySet<number> = new Set()
  #next: number

  /** Reads the file; one that is missing or damaged means that nothing was handed out yet. */
  constructor(options: PortAllocatorOptions) {
    this.#options = options
    this.#next = options.portBase + 1
    this.#entries = readEntries(options.file, options.portBase)
    for (const entry of this.#entries.values()) for (const port of entry.ports.values()) this.#used.add(port)
  }

  /** A port never seen before is handed out unprobed: `reserve` first. Throws PortsExhaustedError. */
  address(owner: string, purpose: PortPurpose): { readonly host: string; readonly port: number } {
    const known = this.#entries.get(owner)?.ports.get(purpose)
    if (known !== undefined) return { host, port: known }
    const port = this.#assign(owner, purpose)
    this.#save()
    return { host, port }
  }

  /**
   * Makes sure that each owner has a port for each purpose, probing the new ones, and forgets what has been gone for long.
   * `avoid` are ports that documents give to applications and gateways: never handed out, and taken back if they were.
   * Throws PortsExhaustedError.
   */
  async reserve(
    wanted: ReadonlyMap<string, readonly PortPurpose[]>,
    avoid: ReadonlySet<number> = new Set(),
  ): Promise<void> {
    this.#avoid = avoid
    const before = this.#serialise()
    this.#forgetGone(wanted)
    const fresh: [owner: string, purpose: PortPurpose][] = []
    for (const [owner, purposes] of wanted) {
      const ports = this.#entry(owner).ports
      for (const purpose of purposes) {
        const known = ports.get(purpose)
        if (known === undefined || avoid.has(known)) fresh.push([owner, purpose])
      }
    }
    await this.#assignProbed(fresh)
    if (this.#serialise() !== before) this.#save()
  }

  /** Probes everything handed out and forgets what somebody else has taken meanwhile. Only while none of the owners run. */
  async dropTaken(): Promise<void> {
    for (const entry of this.#entries.values()) {
      for (const [purpose, port] of entry.ports) {
        if (await this.#options.probe(host, port)) continue
        entry.ports.delete(purpose)
      }
    }
    this.#save()
  }

  async #assignProbed(wanted: readonly (readonly [owner: string, purpose: PortPurpose])[]): Promise<void> {
    let left = wanted
    while (left.length > 0) {
      const batch = left.slice(0, probesAtOnce)
      const free = await Promise.all(
        batch.map(([owner, purpose]) => this.#options.probe(host, this.#assign(owner, purpose))),
      )
      left = [...batch.filter((_, index) => free[index] !== true), ...left.slice(probesAtOnce)]
    }
  }

  #assign(owner: string, purpose: PortPurpose): number {
    while (this.#used.has(this.#next) || this.#avoid.has(this.#next)) this.#next++
    if (this.#next > lastPort) {
      throw new PortsExhaustedError(
        `no port left above ${this.#options.portBase}: choose a lower --port-base or fewer services per namespace`,
      )
    }
    const port = this.#next++
    this.#used.add(port)
    this.#entry(owner).ports.set(purpose, port)
    return port
  }

  #entry(owner: string): Entry {
    let entry = this.#entries.get(owner)
    if (entry === undefined) {
      entry = { ports: new Map(), goneSinceMs: undefined }
      this.#entries.set(owner, entry)
    }
    return entry
  }

  #forgetGone(wanted: ReadonlyMap<string, unknown>): void {
    const nowMs = this.#options.clock.nowMs()
    const keepMs = this.#options.keepGoneForMs ?? 24 * 3_600_000
    for (const [owner, entry] of this.#entries) {
      if (wanted.has(owner)) {
        entry.goneSinceMs = undefined
        continue
      }
      entry.goneSinceMs ??= nowMs
      if (nowMs - entry.goneSinceMs < keepMs) continue
      for (const port of entry.ports.values()) this.#used.delete(port)
      this.#entries.delete(owner)
      this.#next = this.#options.portBase + 1
    }
  }

  #serialise(): string {
    const owners = [...this.#entries].map(([owner, entry]) => [
      owner,
      {
        ...(entry.goneSinceMs === undefined ? {} : { goneSinceMs: entry.goneSinceMs }),
        ports: Object.fromEntries(entry.ports),
      },
    ])
    const content = { portBase: this.#options.portBase, owners: Object.fromEntries(owners) as unknown }
    return `${JSON.stringify(content, null, 2)}\n`
  }

  #save(): void {
    writeFileAtomic(this.#options.file, this.#serialise())
  }
}

function readEntries(file: string, portBase: number): Map<string, Entry> {
  const entries = new Map<string, Entry>()
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return entries
    throw error
  }
  for (const [owner, entry] of Object.entries(parseOwners(text, portBase))) {
    const ports = Object.entries(entry.ports ?? {}).filter(([, port]) => Number.isInteger(port))
    entries.set(owner, {
      ports: new Map(ports as [PortPurpose, number][]),
      goneSinceMs: typeof entry.goneSinceMs === 'number' ? entry.goneSinceMs : undefined,
    })
  }
  return entries
}

interface FileContent {
  readonly portBase?: unknown
  readonly owners?: Readonly<
    Record<string, { readonly ports?: Record<string, unknown>; readonly goneSinceMs?: unknown }>
  >
}

function parseOwners(text: string, portBase: number): NonNullable<FileContent['owners']> {
  try {
    const content = JSON.parse(text) as FileContent
    return content.portBase === portBase ? (content.owners ?? {}) : {}
  } catch {
    return {}
  }
}
