// One endpoint of a cluster: what load balancing knows of it, and its connections.
import type { LoadBalancedEndpoint } from '../../contracts/load-balancer.ts'
import type { Locality } from '../../contracts/locality.ts'
import { HealthState } from '../../policies/health-checks/health-checks.runtime.ts'
import { OutlierState } from '../../policies/outlier-detection/outlier-detection.runtime.ts'
import { sessionKey } from '../../policies/session-persistence/session-persistence.runtime.ts'
import type { EndpointPool } from '../pool/endpoint-pool.ts'
import type { EndpointConfig } from '../runtime/runtime-config.ts'

/** What is spoken to an endpoint; over TLS `http2` is offered and the endpoint may still choose HTTP/1.1. */
export type UpstreamProtocol = 'http1' | 'http2'

export class Endpoint implements LoadBalancedEndpoint {
  readonly address: string
  activeRequests = 0
  sinceMs: number
  latencyMs = 0
  latencyAtMs = 0
  reportedWeight = 0
  reportedSinceMs: number = -Infinity
  reportedAtMs: number = -Infinity
  limitedShare = 1
  limitedAtMs: number = -Infinity
  limitedForMs = 0
  readonly outlier: OutlierState = new OutlierState()
  health: HealthState = new HealthState(true)
  readonly #createPool: (protocol: UpstreamProtocol) => EndpointPool
  #served = true
  #pools: Partial<Record<UpstreamProtocol, EndpointPool>> = {}
  #config: EndpointConfig
  #workload: string | undefined
  #sessionKey: string | undefined

  constructor(config: EndpointConfig, sinceMs: number, createPool: (protocol: UpstreamProtocol) => EndpointPool) {
    this.address = `${config.host}:${config.port}`
    this.sinceMs = sinceMs
    this.#createPool = createPool
    this.#config = config
    this.#workload = workloadOf(config)
  }

  get config(): EndpointConfig {
    return this.#config
  }

  set config(config: EndpointConfig) {
    this.#config = config
    this.#workload = workloadOf(config)
  }

  get weight(): number {
    return this.#config.weight
  }

  get locality(): Locality | undefined {
    return this.#config.locality
  }

  get localityWeight(): number | undefined {
    return this.#config.localityWeight
  }

  get labels(): Readonly<Record<string, string>> | undefined {
    return this.#config.labels
  }

  get priority(): number {
    return this.#config.priority ?? 0
  }

  get available(): boolean {
    return this.bound && this.#config.health === undefined
  }

  /** To be told when it may have become available: it starts slowly then. */
  noticeAt(nowMs: number): void {
    const { available } = this
    if (available && !this.#served) this.sinceMs = nowMs
    this.#served = available
  }

  /** What is bound to it may go to it. */
  get bound(): boolean {
    return this.outlier.available && this.health.healthy && this.#config.health !== 'unhealthy'
  }

  /** It is about to end: what is not bound to it goes elsewhere. */
  get draining(): boolean {
    return this.#config.health === 'draining'
  }

  /** "namespace/name". */
  get workload(): string | undefined {
    return this.#workload
  }

  /** What sessions call it. */
  get sessionKey(): string {
    return (this.#sessionKey ??= sessionKey(this.address))
  }

  /** Opened when first asked for. */
  pool(protocol: UpstreamProtocol): EndpointPool {
    return (this.#pools[protocol] ??= this.#createPool(protocol))
  }

  /** Those that have been asked for. */
  get pools(): readonly EndpointPool[] {
    return Object.values(this.#pools)
  }
}

function workloadOf({ workload }: EndpointConfig): string | undefined {
  return workload === undefined ? undefined : `${workload.namespace}/${workload.name}`
}
