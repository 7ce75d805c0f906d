// One endpoint of a cluster: what load balancing knows of it, and its connections.
import type { LoadBalancedEndpoint } from '../../contracts/load-balancer.ts'
import type { EndpointPool } from '../pool/endpoint-pool.ts'
import type { EndpointConfig } from '../runtime/runtime-config.ts'

export class Endpoint implements LoadBalancedEndpoint {
  readonly address: string
  readonly pool: EndpointPool
  config: EndpointConfig
  activeRequests = 0

  constructor(config: EndpointConfig, pool: EndpointPool) {
    this.address = `${config.host}:${config.port}`
    this.config = config
    this.pool = pool
  }

  get weight(): number {
    return this.config.weight
  }

  /** "namespace/name". */
  get workload(): string | undefined {
    const { workload } = this.config
    return workload === undefined ? undefined : `${workload.namespace}/${workload.name}`
  }
}
