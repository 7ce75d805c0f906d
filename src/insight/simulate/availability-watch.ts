// When proxies pass over the instances that are in trouble, and when they come back to them.
import type { SimulatedProxy } from './simulated-proxy.ts'

/** A change of mind of one proxy about one instance. */
export interface AvailabilityChange {
  readonly atMs: number
  readonly proxy: number
  /** Of the instance. */
  readonly address: string
  readonly ejected: boolean
}

export class AvailabilityWatch {
  readonly changes: AvailabilityChange[] = []
  /** What each proxy passes over: "proxy address". */
  readonly #out = new Set<string>()

  /** Something has changed in one cluster of that proxy. */
  look(atMs: number, proxy: number, proxies: readonly SimulatedProxy[], cluster: string): void {
    for (const { address, outlier } of proxies[proxy]?.clusters.get(cluster)?.endpoints ?? []) {
      const key = `${proxy} ${address}`
      // one that is being tried is not back yet
      const ejected = outlier.phase !== 'in'
      if (ejected === this.#out.has(key)) continue
      if (ejected) this.#out.add(key)
      else this.#out.delete(key)
      this.changes.push({ atMs, proxy, address, ejected })
    }
  }
}
