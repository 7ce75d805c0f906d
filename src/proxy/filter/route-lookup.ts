// Finds the routes for a request: by the listener's own configuration, or by the authority that the caller named.
import type { ResponseFlag } from '../../contracts/decision-record.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Watchable } from '../../core/watchable.ts'
import { type CompiledRouteConfiguration, compileRouteConfiguration } from '../route/compiled-route-configuration.ts'
import type { RouteConfiguration, RouteSource, RuntimeConfig } from '../runtime/runtime-config.ts'
import { type Authority, candidates, parseAuthority } from './authority.ts'

export type RouteLookupResult =
  | { readonly kind: 'routes'; readonly routes: CompiledRouteConfiguration }
  /** Nothing the mesh knows: to be dialled as named. */
  | { readonly kind: 'passthrough'; readonly authority: Authority }
  | {
      readonly kind: 'refused'
      readonly status: number
      readonly flag: ResponseFlag
      readonly detail: string
      /** Set when it is not let out of the mesh. */
      readonly egressRefused?: 'not_registered'
    }

export interface RouteLookupDeps {
  readonly runtime: Watchable<RuntimeConfig>
  /** Which of these exists, as far as is known: null when none does, undefined when the control plane must be asked. Counts as use. */
  readonly lookup: (candidates: readonly string[]) => string | null | undefined
  /** Asks the control plane for the first of these route configurations that exists; resolves when it has arrived with its clusters. */
  readonly demand: (candidates: readonly string[]) => Promise<string | undefined>
  /** One of this proxy's own listeners: dialling it would go round in circles. */
  readonly isOwnListener: (authority: Authority) => boolean
}

export class RouteLookup {
  readonly #deps: RouteLookupDeps

  constructor(deps: RouteLookupDeps) {
    this.#deps = deps
  }

  /** `authority` is the request's; a promise only when the control plane must be asked. */
  find(source: RouteSource, authority: string, defaultPort: number): RouteLookupResult | Promise<RouteLookupResult> {
    if (source.kind === 'rds') return this.#named(source.name)
    if (source.kind === 'inline') return this.#compile(source.routeConfiguration)
    return this.#byAuthority(source, authority, defaultPort)
  }

  #named(name: string): RouteLookupResult {
    const routeConfiguration = this.#deps.runtime.value.routeConfigurations.get(name)
    if (routeConfiguration !== undefined) return this.#compile(routeConfiguration)
    const detail = `heddle has no routes for ${name} yet: the control plane has not sent them`
    return { kind: 'refused', status: 503, flag: 'NR', detail }
  }

  #byAuthority(
    source: Extract<RouteSource, { kind: 'forward-proxy' }>,
    text: string,
    defaultPort: number,
  ): RouteLookupResult | Promise<RouteLookupResult> {
    const authority = parseAuthority(text, defaultPort)
    if (authority === undefined) {
      return { kind: 'refused', status: 400, flag: 'NR', detail: `heddle cannot tell host and port from "${text}"` }
    }
    const names = candidates(authority, source.searchDomains)
    const known = this.#deps.lookup(names)
    if (known === undefined) return this.#demand(names, authority, source.allowAny)
    return known === null ? this.#unknown(authority, source.allowAny) : this.#named(known)
  }

  async #demand(names: readonly string[], authority: Authority, allowAny: boolean): Promise<RouteLookupResult> {
    let found: string | undefined
    try {
      found = await this.#deps.demand(names)
    } catch (error) {
      const detail = `heddle could not ask the control plane for ${names[0]}: ${errorMessage(error)}`
      return { kind: 'refused', status: 503, flag: 'NR', detail }
    }
    return found === undefined ? this.#unknown(authority, allowAny) : this.#named(found)
  }

  #unknown(authority: Authority, allowAny: boolean): RouteLookupResult {
    const { host, port } = authority
    if (!allowAny) {
      const detail = `${host}:${port} is no service of the mesh: add a Service or an ExternalService for it, or allow any destination`
      return { kind: 'refused', status: 502, flag: 'NR', detail, egressRefused: 'not_registered' }
    }
    if (this.#deps.isOwnListener(authority)) {
      const detail = `${host}:${port} is this proxy itself: name a service instead`
      return { kind: 'refused', status: 508, flag: 'NR', detail }
    }
    return { kind: 'passthrough', authority }
  }

  #compile(config: RouteConfiguration): RouteLookupResult {
    return { kind: 'routes', routes: compileRouteConfiguration(config) }
  }
}
