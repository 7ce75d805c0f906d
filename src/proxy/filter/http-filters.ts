// The HTTP filters of each connection manager, built when its configuration comes, and how a request passes them.
import type { AuthorizationRecord } from '../../contracts/decision-record.ts'
import type { FilteredRequest, FilterRefusal, FilterResult, HttpFilter } from '../../contracts/http-filter.ts'
import { authorizationFilter, createAuthorizer } from '../../policies/authorization/authorization.runtime.ts'
import type { Authorizer } from '../../policies/authorization/authorization.runtime.ts'
import type { RbacFilterSpec } from '../../policies/authorization/authorization.spec.ts'
import { compileCompression, type Compressor } from '../../policies/compression/compression.runtime.ts'
import { externalAuthorizationFilter } from '../../policies/external-authorization/external-authorization.runtime.ts'
import { globalRateLimitFilter } from '../../policies/rate-limit/global-rate-limit.runtime.ts'
import type { LimitBuckets } from '../../policies/rate-limit/limit-buckets.runtime.ts'
import { localRateLimitFilter } from '../../policies/rate-limit/local-rate-limit.runtime.ts'
import type { RateLimitDeps } from '../../policies/rate-limit/local-rate-limit.runtime.ts'
import type { LocalRateLimitSpec } from '../../policies/rate-limit/rate-limit.spec.ts'
import { requestAuthenticationFilter } from '../../policies/request-authentication/request-authentication.runtime.ts'
import type { RequestAuthenticationDeps } from '../../policies/request-authentication/request-authentication.runtime.ts'
import { transformationFilter } from '../../policies/transformation/transformation.runtime.ts'
import type {
  DocumentFilterConfig,
  HttpConnectionManagerConfig,
  HttpFilterConfig,
  ListenerConfig,
  RouteConfiguration,
  TcpProxyConfig,
} from '../runtime/runtime-config.ts'
import type { AskDeps } from '../upstream/ask-grpc.ts'
import { CompressionSlots } from '../upstream/compressed-stream.ts'
import { createAskAuthorization } from './ask-authorization.ts'
import { createAskRateLimit } from './ask-rate-limit.ts'
import type { TypescriptFilters } from './typescript-filters.ts'

export interface HttpFilterDeps extends RequestAuthenticationDeps, AskDeps, Omit<RateLimitDeps, 'bucketsOf'> {
  /** SPIFFE ID of the workload or gateway that the requests are for. */
  readonly principal: string
  readonly limits: LimitBuckets
  readonly scripts: TypescriptFilters
}

type BuildDeps = HttpFilterDeps & RateLimitDeps

/** Responses that are compressed at once. */
const mostCompressions = 128

export class HttpFilters {
  readonly #deps: BuildDeps
  readonly compressionSlots: CompressionSlots = new CompressionSlots(mostCompressions)
  /** As long as somebody has the configuration, be it a connection that came before the newest one. */
  readonly #managers = new WeakMap<HttpConnectionManagerConfig, BuiltFilters>()
  readonly #routes = new WeakMap<readonly DocumentFilterConfig[], BuiltFilters>()
  readonly #streams = new WeakMap<TcpProxyConfig, Authorizer>()

  constructor(deps: HttpFilterDeps) {
    this.#deps = { ...deps, bucketsOf: (spec) => deps.limits.of(spec) }
  }

  /** Builds what is new, before anybody asks for it. True: somewhere what is open is to be asked again. */
  update(listeners: ReadonlyMap<string, ListenerConfig>): boolean {
    let reauthorizes = false
    const limits: LocalRateLimitSpec[] = []
    for (const { filterChains } of listeners.values())
      for (const { filter } of filterChains) {
        if (filter.kind === 'http') this.#built(filter)
        else this.authorizerOf(filter)
        if (filter.reauthorize) reauthorizes = true
        if (filter.kind === 'http')
          for (const one of filter.filters ?? []) if (one.kind === 'local-rate-limit') limits.push(one.spec)
      }
    this.#deps.limits.keep(limits)
    return reauthorizes
  }

  /** The same for routes. */
  updateRoutes(routeConfigurations: ReadonlyMap<string, RouteConfiguration>): void {
    for (const { virtualHosts } of routeConfigurations.values())
      for (const { routes } of virtualHosts)
        for (const { filters } of routes) if (filters !== undefined) this.ofRoute(filters)
  }

  of(manager: HttpConnectionManagerConfig): BuiltFilters {
    return this.#built(manager)
  }

  ofRoute(configs: readonly DocumentFilterConfig[]): BuiltFilters {
    let built = this.#routes.get(configs)
    if (built === undefined) this.#routes.set(configs, (built = buildFilters(configs, this.#deps)))
    return built
  }

  #built(manager: HttpConnectionManagerConfig): BuiltFilters {
    let built = this.#managers.get(manager)
    if (built === undefined) this.#managers.set(manager, (built = buildFilters(manager.filters ?? [], this.#deps)))
    return built
  }

  /** Why what is open may not go on; undefined: it may, or is not asked again. Servers are not asked, and tokens are not verified again. */
  refusalOf(
    filter: HttpConnectionManagerConfig | TcpProxyConfig | undefined,
    ask: (authorizer: Authorizer) => AuthorizationRecord,
  ): AuthorizationRecord | undefined {
    if (filter?.reauthorize !== true) return undefined
    if (filter.kind === 'http')
      return this.#built(filter)
        .authorizers.map(ask)
        .find(({ allowed }) => !allowed)
    const authorizer = this.authorizerOf(filter)
    const verdict = authorizer === undefined ? undefined : ask(authorizer)
    return verdict?.allowed === false ? verdict : undefined
  }

  /** Undefined: every connection is carried. */
  authorizerOf(config: TcpProxyConfig): Authorizer | undefined {
    if (config.authorization === undefined) return undefined
    let built = this.#streams.get(config)
    if (built === undefined) this.#streams.set(config, (built = createAuthorizer(config.authorization)))
    return built
  }
}

export interface BuiltFilters {
  readonly filters: readonly HttpFilter[]
  /** Those that see responses, in the order in which they do. */
  readonly responders: readonly HttpFilter[]
  /** Those among them. */
  readonly authorizers: readonly Authorizer[]
  readonly compressors: readonly Compressor[]
}

/** Filters of one kind that follow each other decide together. */
function buildFilters(configs: readonly HttpFilterConfig[], deps: BuildDeps): BuiltFilters {
  const filters: HttpFilter[] = []
  const authorizers: Authorizer[] = []
  const compressors: Compressor[] = []
  let rules: RbacFilterSpec[] = []
  const endRules = (): void => {
    if (rules.length === 0) return
    const authorizer = createAuthorizer(rules)
    authorizers.push(authorizer)
    filters.push(authorizationFilter(authorizer))
    rules = []
  }
  for (const config of configs) {
    if (config.kind === 'authorization') rules.push(config.spec)
    else if (config.kind === 'compression') compressors.push(compileCompression(config.spec))
    else {
      endRules()
      filters.push(buildFilter(config, deps))
    }
  }
  endRules()
  return {
    filters,
    responders: filters.filter(({ respond }) => respond !== undefined).toReversed(),
    authorizers,
    compressors,
  }
}

function buildFilter(
  config: Exclude<HttpFilterConfig, { kind: 'authorization' | 'compression' }>,
  deps: BuildDeps,
): HttpFilter {
  switch (config.kind) {
    case 'request-authentication':
      return requestAuthenticationFilter(config.spec, deps)
    case 'typescript':
      return deps.scripts.of(config.spec)
    case 'local-rate-limit':
      return localRateLimitFilter(config.spec, deps)
    case 'global-rate-limit':
      return globalRateLimitFilter(config.spec, { ...deps, ask: createAskRateLimit(config.spec.server.cluster, deps) })
    case 'transformation':
      return transformationFilter(config.spec)
    case 'external-authorization':
    default:
      return externalAuthorization(config, deps)
  }
}

function externalAuthorization(
  { spec, asked }: Extract<HttpFilterConfig, { kind: 'external-authorization' }>,
  deps: HttpFilterDeps,
): HttpFilter {
  const { clock, principal } = deps
  const filter = externalAuthorizationFilter(spec, {
    clock,
    principal,
    ask: createAskAuthorization(spec.service, deps),
  })
  if (asked === undefined) return filter
  const question = createAuthorizer([{ enforced: { ...asked, action: 'DENY' } }])
  return {
    ...filter,
    apply: (request) => (question.authorize(request).allowed ? undefined : filter.apply(request)),
  }
}

/** A filter that fails refuses. */
const failed: FilterRefusal = {
  status: 403,
  flags: ['UAEX'],
  detail: 'heddle could not decide whether this is allowed',
}

/** A promise only where a filter has to wait. `onError` hears of filters that fail. */
export function runFilters(
  filters: readonly HttpFilter[],
  request: FilteredRequest,
  onError: (error: unknown) => void,
  from = 0,
): FilterResult | Promise<FilterResult> {
  for (let index = from; index < filters.length; index++) {
    let result: ReturnType<HttpFilter['apply']>
    try {
      result = (filters[index] as HttpFilter).apply(request)
    } catch (error) {
      return refuseFailed(error, onError)
    }
    if (result instanceof Promise)
      return result.then(
        (refusal) => refusal ?? runFilters(filters, request, onError, index + 1),
        (error: unknown) => refuseFailed(error, onError),
      )
    if (result !== undefined) return result
  }
  return undefined
}

function refuseFailed(error: unknown, onError: (error: unknown) => void): FilterRefusal {
  onError(error)
  return failed
}
