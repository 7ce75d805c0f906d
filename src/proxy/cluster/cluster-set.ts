// The clusters of the running configuration, by name.
import type { EjectionReason } from '../../policies/outlier-detection/outlier-detection.spec.ts'
import type { EndpointPool } from '../pool/endpoint-pool.ts'
import type { ClusterConfig } from '../runtime/runtime-config.ts'
import { Cluster, type ClusterDeps } from './cluster.ts'

export interface EndpointState {
  readonly address: string
  readonly workload: string | undefined
  readonly activeRequests: number
  readonly connections: EndpointPool['counts']
  /** Why outlier detection passes it over; absent: it does not. */
  readonly ejected?: EjectionReason
  /** Why health checks pass it over; absent: they do not. */
  readonly unhealthy?: string
  /** It gets only what is bound to it. */
  readonly draining?: true
}

const unbounded = { maxConnections: Infinity, maxPendingRequests: Infinity, maxRequests: Infinity }
/** Destinations outside the mesh that are remembered with their connections. */
const maxPassthrough = 256

export class ClusterSet {
  readonly #deps: ClusterDeps
  readonly #clusters = new Map<string, Cluster>()
  readonly #passthrough = new Map<string, Cluster>()

  constructor(deps: ClusterDeps) {
    this.#deps = deps
  }

  get(name: string): Cluster | undefined {
    return this.#clusters.get(name)
  }

  update(configs: ReadonlyMap<string, ClusterConfig>): void {
    for (const [name, cluster] of this.#clusters) {
      if (configs.has(name)) continue
      cluster.drain()
      this.#clusters.delete(name)
    }
    for (const [name, config] of configs) {
      const cluster = this.#clusters.get(name)
      if (cluster === undefined) this.#clusters.set(name, new Cluster(this.#deps, config))
      else cluster.update(config)
    }
  }

  /** A destination that the mesh does not know, dialled as named. All of them share one name in telemetry. */
  passthrough(host: string, port: number): Cluster {
    const key = `${host}:${port}`
    const known = this.#passthrough.get(key)
    if (known !== undefined) return known
    const [oldest] = this.#passthrough.keys()
    if (oldest !== undefined && this.#passthrough.size >= maxPassthrough) {
      this.#passthrough.get(oldest)?.drain()
      this.#passthrough.delete(oldest)
    }
    const cluster = new Cluster(this.#deps, {
      name: 'passthrough',
      connectTimeoutMs: 10_000,
      loadBalancing: { kind: 'least-request', choiceCount: 1 },
      circuitBreaker: unbounded,
      retryConstraint: { percent: 20, intervalMs: 10_000, minRetries: 10, minIntervalMs: 1_000 },
      httpProtocol: 'downstream',
      peerSpiffeIds: [],
      peerAlpn: [],
      // Dialled by name each time, which resolves it each time.
      discovery: 'static',
      endpoints: [{ host, port, weight: 1, tls: false }],
    })
    this.#passthrough.set(key, cluster)
    return cluster
  }

  drain(): void {
    for (const cluster of [...this.#clusters.values(), ...this.#passthrough.values()]) cluster.drain()
    this.#clusters.clear()
    this.#passthrough.clear()
  }

  snapshot(): ReadonlyMap<string, readonly EndpointState[]> {
    const states = [...this.#clusters].map(([name, cluster]) => [name, cluster.endpoints.map(stateOf)] as const)
    return new Map(states)
  }
}

function stateOf(endpoint: Cluster['endpoints'][number]): EndpointState {
  const { address, workload, activeRequests, pools, outlier, health, config } = endpoint
  const connections = { open: 0, idle: 0, connecting: 0, pending: 0 }
  for (const { counts } of pools) {
    connections.open += counts.open
    connections.idle += counts.idle
    connections.connecting += counts.connecting
    connections.pending += counts.pending
  }
  const ejected = outlier.reason === undefined ? {} : { ejected: outlier.reason }
  const told = config.health === 'unhealthy' ? 'as the control plane says' : undefined
  const why = health.healthy ? told : (health.failure ?? 'not well for long enough yet')
  const unhealthy = why === undefined ? {} : { unhealthy: why }
  const draining = endpoint.draining ? { draining: true as const } : {}
  return { address, workload, activeRequests, connections, ...ejected, ...unhealthy, ...draining }
}
