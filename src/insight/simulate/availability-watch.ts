// When proxies pass over the instances that are in trouble, and when they come back to them.
import type { Cluster } from '../../proxy/cluster/cluster.ts'
import type { Endpoint } from '../../proxy/cluster/endpoint.ts'
import type { ClusterConfig } from '../../proxy/runtime/runtime-config.ts'
import type { SimulatedProxy } from './simulated-proxy.ts'

/** A change of mind of one proxy about one instance. */
export interface AvailabilityChange {
  readonly atMs: number
  readonly proxy: number
  /** Of the instance. */
  readonly address: string
  readonly ejected: boolean
}

interface Watched {
  readonly config: ClusterConfig
  /** To list them takes longer than to look at them. */
  readonly endpoints: readonly Endpoint[]
}

export class AvailabilityWatch {
  readonly changes: AvailabilityChange[] = []
  /** What each proxy passes over; no two have the same endpoint. */
  readonly #out = new Set<Endpoint>()
  readonly #watched = new Map<Cluster, Watched>()

  /** Something has changed in one cluster of that proxy. */
  look(atMs: number, proxy: number, proxies: readonly SimulatedProxy[], cluster: string): void {
    const found = proxies[proxy]?.clusters.get(cluster)
    if (found === undefined) return
    for (const endpoint of this.#endpointsOf(found)) {
      // one that is being tried is not back yet
      const ejected = endpoint.outlier.phase !== 'in'
      if (ejected === this.#out.has(endpoint)) continue
      if (ejected) this.#out.add(endpoint)
      else this.#out.delete(endpoint)
      const { address } = endpoint
      this.changes.push({ atMs, proxy, address, ejected })
    }
  }

  #endpointsOf(cluster: Cluster): readonly Endpoint[] {
    const { config } = cluster
    let watched = this.#watched.get(cluster)
    if (watched?.config !== config) {
      watched = { config, endpoints: cluster.endpoints }
      this.#watched.set(cluster, watched)
    }
    return watched.endpoints
  }
}
