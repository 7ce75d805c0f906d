// First half of the route step: which virtual host of a route configuration speaks for an authority.
import type { VirtualHost } from '../runtime/runtime-config.ts'

/** Exact name, then the longest "*.suffix", then "*" (xDS RouteConfiguration.virtual_hosts). */
export class VirtualHostTable<T> {
  readonly #exact = new Map<string, T>()
  /** Longest first, each with its leading dot. */
  readonly #suffixes: readonly (readonly [suffix: string, value: T])[]
  #any: T | undefined

  /** A domain that occurs twice belongs to the first virtual host that names it. */
  constructor(virtualHosts: readonly VirtualHost[], compile: (virtualHost: VirtualHost) => T) {
    const suffixes = new Map<string, T>()
    for (const virtualHost of virtualHosts) {
      const value = compile(virtualHost)
      for (const written of virtualHost.domains) {
        const domain = written.toLowerCase()
        if (domain === '*') this.#any ??= value
        else if (domain.startsWith('*')) putOnce(suffixes, domain.slice(1), value)
        else putOnce(this.#exact, domain, value)
      }
    }
    this.#suffixes = [...suffixes].toSorted(([a], [b]) => b.length - a.length)
  }

  /** `authority` may carry a port, which does not count. */
  find(authority: string): T | undefined {
    if (this.#exact.size === 0 && this.#suffixes.length === 0) return this.#any
    const host = hostOf(authority)
    const exact = this.#exact.get(host)
    if (exact !== undefined) return exact
    for (const [suffix, value] of this.#suffixes) {
      if (host.length > suffix.length && host.endsWith(suffix)) return value
    }
    return this.#any
  }
}

/** Lower case, without port and without the dot that ends an absolute name; an IPv6 address keeps its brackets. */
export function hostOf(authority: string): string {
  const colon = authority.lastIndexOf(':')
  const host = colon === -1 || authority.endsWith(']') ? authority : authority.slice(0, colon)
  return (host.endsWith('.') ? host.slice(0, -1) : host).toLowerCase()
}

function putOnce<T>(map: Map<string, T>, key: string, value: T): void {
  if (!map.has(key)) map.set(key, value)
}
