// The endpoints of a cluster with their names in DNS looked up, for as long as they are in use.
import { isIP } from 'node:net'

import type { ClusterConfig, EndpointConfig } from '../runtime/runtime-config.ts'
import { HostAddresses, type HostAddressesDeps } from './host-addresses.ts'
import { endpointOfRecord, isServiceName } from './service-records.ts'

export class ResolvedEndpoints {
  readonly #deps: HostAddressesDeps
  readonly #changed: () => void
  readonly #hosts = new Map<string, HostAddresses>()

  /** `changed`: a name has other addresses than before. */
  constructor(deps: HostAddressesDeps, changed: () => void) {
    this.#deps = deps
    this.#changed = changed
  }

  /** Somebody is about to call one of them. */
  use(): void {
    if (this.#hosts.size > 0) for (const host of this.#hosts.values()) host.use()
  }

  stop(): void {
    for (const host of this.#hosts.values()) host.stop()
  }

  /** A host that is yet to be resolved is dialled by its name, as is a service, which fails: the retry finds more. */
  of({ discovery, endpoints }: ClusterConfig): readonly EndpointConfig[] {
    const inUse = new Set<string>()
    const answerTo = (name: string): readonly string[] | undefined => {
      inUse.add(name)
      return this.#host(name).addresses
    }
    const resolved =
      discovery === 'dns'
        ? endpoints
            .flatMap((endpoint) => {
              const records = isServiceName(endpoint.host) ? answerTo(endpoint.host) : undefined
              return records === undefined ? endpoint : records.map((record) => endpointOfRecord(endpoint, record))
            })
            .flatMap((endpoint) => {
              if (isIP(endpoint.host) !== 0) return endpoint
              const addresses = isServiceName(endpoint.host) ? undefined : answerTo(endpoint.host)
              return addresses === undefined ? endpoint : addresses.map((host) => ({ ...endpoint, host }))
            })
        : endpoints
    for (const [name, host] of this.#hosts) {
      if (inUse.has(name)) continue
      host.stop()
      this.#hosts.delete(name)
    }
    return resolved
  }

  #host(name: string): HostAddresses {
    const known = this.#hosts.get(name)
    if (known !== undefined) return known
    const host = new HostAddresses(this.#deps, name, this.#changed)
    this.#hosts.set(name, host)
    return host
  }
}
