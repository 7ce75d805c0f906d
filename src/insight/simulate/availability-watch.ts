// When proxies pass over the instances that are in trouble, and when they come back to them.
import type { Endpoint } from '../../proxy/cluster/endpoint.ts'
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
  /** What each proxy passes over; no two have the same endpoint. */
  readonly #out = new Set<Endpoint>()

  /** Something has changed in one cluster of that proxy. */
  look(atMs: number, proxy: number, proxies: readonly SimulatedProxy[], cluster: string): void {
    for (const endpoint of proxies[proxy]?.clusters.get(cluster)?.endpoints ?? []) {
      // one that is being tried is not back yet
      const ejected = endpoint.outlier.phase !== 'in'
      if (ejected === this.#out.has(endpoint)) continue
      if (ejected) this.#out.add(endpoint)
      else this.#out.delete(endpoint)
      const { address } = endpoint
      this.changes.push({ atMs, proxy, address, ejected })
    }
  }
}
