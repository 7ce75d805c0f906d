// A cluster at work: its endpoints with their pools and counts outlive every change of configuration that keeps them.
import type { Clock } from '../../core/clock.ts'
import type { Random } from '../../core/random.ts'
import type { Watchable } from '../../core/watchable.ts'
import { createLeastRequest } from '../../policies/load-balancing/load-balancing.runtime.ts'
import { createRetryBudget, type RetryBudget } from '../../policies/retries/retry-budget.runtime.ts'
import type { Connection, IoBackend, TlsCredentials } from '../io/connection.ts'
import { EndpointPool } from '../pool/endpoint-pool.ts'
import type { ClusterConfig, EndpointConfig } from '../runtime/runtime-config.ts'
import type { ConnectionSink } from '../telemetry/exchange.ts'
import { Endpoint } from './endpoint.ts'

export interface ClusterDeps {
  readonly io: IoBackend
  readonly clock: Clock
  readonly random: Random
  readonly credentials: Watchable<TlsCredentials | undefined>
  readonly connections: ConnectionSink
}

interface EndpointBalancer {
  pick(avoid?: ReadonlySet<Endpoint>): Endpoint | undefined
}

export class Cluster {
  readonly #deps: ClusterDeps
  readonly #endpoints = new Map<string, Endpoint>()
  #config: ClusterConfig
  #balancer: EndpointBalancer
  #budget: RetryBudget

  constructor(deps: ClusterDeps, config: ClusterConfig) {
    this.#deps = deps
    this.#config = config
    this.#budget = createRetryBudget(config.retryBudget)
    this.#balancer = this.#balance()
  }

  get config(): ClusterConfig {
    return this.#config
  }

  get budget(): RetryBudget {
    return this.#budget
  }

  get endpoints(): readonly Endpoint[] {
    return [...this.#endpoints.values()]
  }

  pick(avoid: ReadonlySet<Endpoint> | undefined): Endpoint | undefined {
    return this.#balancer.pick(avoid)
  }

  update(config: ClusterConfig): void {
    if (config === this.#config) return
    const before = this.#config
    this.#config = config
    // Connections to peers that may no longer be trusted are not used again.
    if (before.peerSpiffeIds.join(' ') !== config.peerSpiffeIds.join(' ')) this.#drop([...this.#endpoints.keys()])
    const { percent, minConcurrency } = config.retryBudget
    if (before.retryBudget.percent !== percent || before.retryBudget.minConcurrency !== minConcurrency) {
      this.#budget = createRetryBudget(config.retryBudget)
    }
    this.#balancer = this.#balance()
  }

  drain(): void {
    this.#drop([...this.#endpoints.keys()])
  }

  #balance(): EndpointBalancer {
    const wanted = new Map(this.#config.endpoints.map((endpoint) => [keyOf(endpoint), endpoint]))
    this.#drop([...this.#endpoints.keys()].filter((key) => !wanted.has(key)))
    for (const [key, config] of wanted) {
      const endpoint = this.#endpoints.get(key)
      if (endpoint === undefined) this.#endpoints.set(key, new Endpoint(config, this.#createPool(config)))
      else endpoint.config = config
    }
    return createLeastRequest(this.endpoints, this.#config.loadBalancing, this.#deps.random)
  }

  #drop(keys: readonly string[]): void {
    for (const key of keys) {
      this.#endpoints.get(key)?.pool.drain()
      this.#endpoints.delete(key)
    }
  }

  #createPool(config: EndpointConfig): EndpointPool {
    const { clock, connections } = this.#deps
    const { name } = this.#config
    return new EndpointPool({
      clock,
      connect: () => this.#connect(config),
      observer: {
        opened: () => connections.upstreamOpened(name),
        closed: () => connections.upstreamClosed(name),
        connectFailed: () => connections.upstreamConnectFailed(name),
      },
    })
  }

  async #connect({ host, port, tls }: EndpointConfig): Promise<Connection> {
    const { io, credentials } = this.#deps
    const { connectTimeoutMs, peerSpiffeIds, peerAlpn } = this.#config
    const target = { host, port, timeoutMs: connectTimeoutMs }
    if (!tls) return io.connect(target)
    const own = credentials.value
    if (own === undefined) throw new Error('this proxy has no certificate yet')
    return io.connect({ ...target, tls: { kind: 'mesh', credentials: own, peerSpiffeIds, alpn: peerAlpn } })
  }
}

function keyOf(endpoint: EndpointConfig): string {
  return `${endpoint.host}:${endpoint.port} ${endpoint.tls ? 'tls' : 'plaintext'}`
}
