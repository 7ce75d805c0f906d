// A cluster at work: its endpoints with their pools and counts outlive every change of configuration that keeps them.
import { isDeepStrictEqual } from 'node:util'

import type { HealthCheckSpec } from '../../contracts/health-check.ts'
import type { RequestHead } from '../../contracts/http-message.ts'
import type { Avoided, FinishedAttempt, LoadBalancer } from '../../contracts/load-balancer.ts'
import type { Locality } from '../../contracts/locality.ts'
import { serviceHost } from '../../contracts/xds/names.ts'
import { AdaptiveConcurrency } from '../../policies/adaptive-concurrency/adaptive-concurrency.runtime.ts'
import { CallerLimits } from '../../policies/circuit-breaker/caller-limits.runtime.ts'
import { CircuitBreaker } from '../../policies/circuit-breaker/circuit-breaker.runtime.ts'
import { HealthState } from '../../policies/health-checks/health-checks.runtime.ts'
import { HedgeDelay } from '../../policies/hedging/hedging.runtime.ts'
import { createLoadBalancer } from '../../policies/load-balancing/load-balancing.runtime.ts'
import type { ComparedAnswers } from '../../policies/mirror/mirror-comparison.runtime.ts'
import { OutlierDetector, outlierOutcome } from '../../policies/outlier-detection/outlier-detection.runtime.ts'
import type { OutlierState } from '../../policies/outlier-detection/outlier-detection.runtime.ts'
import { failuresOfPlace, OtherPlaces } from '../../policies/retries/other-places.runtime.ts'
import { RetryBudget } from '../../policies/retries/retry-budget.runtime.ts'
import { sessionKey } from '../../policies/session-persistence/session-persistence.runtime.ts'
import { createClientConnection } from '../codec/create-client-connection.ts'
import type { HttpProtocol } from '../codec/http-stream.ts'
import type { Connection } from '../io/connection.ts'
import { EndpointPool } from '../pool/endpoint-pool.ts'
import { keepAliveOf } from '../pool/keep-alive.ts'
import type { ClusterConfig, EndpointConfig, ForwardAction } from '../runtime/runtime-config.ts'
import type { ConnectionSink } from '../telemetry/exchange.ts'
import { askHealth } from './ask-health.ts'
import { DepartedEndpoints } from './departed-endpoints.ts'
import {
  dialEndpoint,
  httpProtocols,
  tcpProtocols,
  type DialEndpointDeps,
  type OfferedProtocols,
} from './dial-endpoint.ts'
import { Endpoint, type UpstreamProtocol } from './endpoint.ts'
import { HealthChecker } from './health-checker.ts'
import type { HostAddressesDeps } from './host-addresses.ts'
import { ResolvedEndpoints } from './resolved-endpoints.ts'

export interface ClusterDeps extends HostAddressesDeps, DialEndpointDeps {
  readonly connections: ConnectionSink
  /** Of this proxy; undefined: not told. */
  readonly locality?: Locality | undefined
  /** Absent: the codecs. A simulation has connections that carry no bytes. */
  readonly createClient?: typeof createClientConnection
}

type RouteSettings = Pick<ForwardAction, 'timeouts' | 'retry'>

export class Cluster {
  /** What sessions call it. */
  readonly sessionKey: string
  readonly #deps: ClusterDeps
  readonly #endpoints = new Map<string, Endpoint>()
  readonly #resolved: ResolvedEndpoints
  #config: ClusterConfig
  #balancer: LoadBalancer<Endpoint>
  #outliers: OutlierDetector | undefined
  readonly #departed: DepartedEndpoints
  #health: HealthChecker | undefined
  readonly #breaker: CircuitBreaker
  #callerLimits: CallerLimits | undefined
  #concurrency: AdaptiveConcurrency | undefined
  #hedgeDelay: HedgeDelay | undefined
  /** By what the route itself says: merged once, not with each request. */
  #routeSettings = new WeakMap<RouteSettings, RouteSettings>()
  /** Made when a session is looked for. */
  #bySession: ReadonlyMap<string, Endpoint> | undefined
  #budget: RetryBudget
  #serviceHost: string | undefined
  /** HTTP/1.1 travels as HTTP/2 to endpoints of the mesh. */
  #upgrades: boolean

  constructor(deps: ClusterDeps, config: ClusterConfig) {
    this.sessionKey = sessionKey(config.name)
    this.#deps = deps
    this.#config = config
    this.#resolved = new ResolvedEndpoints(deps, () => void (this.#balancer = this.#balance()))
    this.#departed = new DepartedEndpoints(deps.clock, () => void (this.#balancer = this.#spread()))
    this.#breaker = new CircuitBreaker(config.circuitBreaker)
    this.#limitCallers(config)
    this.#concurrency = this.#adaptiveConcurrency()
    this.#budget = new RetryBudget(config.retryConstraint)
    this.#hedgeDelay = hedgeDelayOf(config)
    this.#balancer = this.#balance()
    this.#serviceHost = serviceHostOf(config)
    this.#upgrades = config.peerAlpn.includes('h2')
  }

  get config(): ClusterConfig {
    return this.#config
  }

  get budget(): RetryBudget {
    return this.#budget
  }

  /** How the service is called in telemetry; undefined when it is none. */
  get serviceHost(): string | undefined {
    return this.#serviceHost
  }

  get endpoints(): readonly Endpoint[] {
    return [...this.#endpoints.values()]
  }

  /** Attempts are to tell the reports of load that come with responses. */
  get readsLoadReports(): boolean {
    return this.#balancer.readsLoadReports === true
  }

  /** How many endpoints a request may go to that chooses by `subset`. */
  countOf(subset: string | undefined): number {
    return this.#balancer.countOf?.(subset) ?? this.#endpoints.size
  }

  /** How long a request waits before another endpoint is asked as well, in milliseconds; Infinity: none is. */
  get hedgeDelayMs(): number {
    return this.#hedgeDelay === undefined || this.#endpoints.size < 2 ? Infinity : this.#hedgeDelay.delayMs
  }

  /** What holds for a route here: what it leaves open is as the destination's policy says. */
  settingsOf(route: RouteSettings): RouteSettings {
    if (this.#config.routeDefaults === undefined) return route
    const known = this.#routeSettings.get(route)
    if (known !== undefined) return known
    const settings = mergedSettings(route, this.#config.routeDefaults)
    this.#routeSettings.set(route, settings)
    return settings
  }

  /** False: so many requests are under way that no more may be. */
  allowsRequest(): boolean {
    if (!this.#breaker.requestsFull) return true
    this.#deps.connections.upstreamOverflow(this.#config.name, 'max_requests')
    return false
  }

  /** Of the application behind a sidecar; undefined: no bound. */
  get callerLimits(): CallerLimits | undefined {
    return this.#callerLimits
  }

  callerRefused(): void {
    this.#deps.connections.upstreamOverflow(this.#config.name, 'max_requests_per_caller')
  }

  /** Whether the endpoints have so much to do that this request would only wait there. */
  overloaded({ headers }: RequestHead): boolean {
    if (this.#concurrency === undefined || this.#concurrency.admits(headers)) return false
    this.#deps.connections.upstreamOverflow(this.#config.name, 'adaptive_concurrency')
    return true
  }

  /** As of a LoadBalancer. `session`: `sessionKey` of the endpoint that is wanted, if it may be had. */
  pick(avoid?: ReadonlySet<Endpoint>, hash?: number, session?: string, subset?: string): Endpoint | undefined {
    this.#resolved.use()
    const endpoint =
      (session === undefined ? undefined : this.#inSession(session, avoid)) ??
      this.#pickElsewhere(avoid, hash, subset, failuresOfPlace)
    return this.#taken(endpoint)
  }

  /** As `pick`, beside an attempt that is slow: where it is may be what is wrong. */
  pickBeside(tried: ReadonlySet<Endpoint>, hash?: number, subset?: string): Endpoint | undefined {
    return this.#taken(this.#pickElsewhere(tried, hash, subset, 1))
  }

  /** An attempt at a request begins. */
  attemptStarted(): void {
    this.#concurrency?.started()
  }

  /** Its response has begun, or never will. */
  attemptResponded(attempt: FinishedAttempt): void {
    this.#concurrency?.over(attempt)
  }

  /** To be called once after each pick, when the attempt is over. */
  attemptOver(endpoint: Endpoint, attempt: FinishedAttempt): void {
    this.#breaker.requests--
    this.#balancer.attemptOver?.(endpoint, attempt)
    if (attempt.respondedMs !== 0) this.#hedgeDelay?.responded(attempt.respondedMs - attempt.startMs)
    if (this.#outliers === undefined) return
    const outcome = outlierOutcome(attempt, this.#config.httpProtocol !== 'http1')
    if (outcome === undefined) this.#outliers.abandoned(endpoint.outlier)
    else this.#outliers.finished(endpoint.outlier, outcome, this.#deps.clock.monotonicMs() - attempt.startMs)
  }

  /** `spoken`: by whoever made the request first. `upgrade`: it asks to change the protocol. */
  protocolFor(endpoint: Endpoint, spoken: HttpProtocol, upgrade: boolean): UpstreamProtocol {
    const { httpProtocol, originateTls } = this.#config
    if (endpoint.config.tls) return spoken === 'HTTP/2' || this.#upgrades ? 'http2' : 'http1'
    // Few servers change protocols inside HTTP/2.
    if (httpProtocol === 'http1' || upgrade) return 'http1'
    if (httpProtocol === 'http2' || originateTls !== undefined) return 'http2'
    return spoken === 'HTTP/2' ? 'http2' : 'http1'
  }

  /** It got a copy of what went to `primary`, or was to get one. */
  mirrored(primary: string, answers: ComparedAnswers): void {
    this.#deps.connections.mirrored(primary, this.#config.name, answers)
  }

  update(config: ClusterConfig): void {
    if (config === this.#config) return
    const before = this.#config
    this.#config = config
    this.#breaker.limits = config.circuitBreaker
    this.#routeSettings = new WeakMap()
    this.#limitCallers(config)
    if (!isDeepStrictEqual(before.adaptiveConcurrency, config.adaptiveConcurrency))
      this.#concurrency = this.#adaptiveConcurrency()
    if (!isDeepStrictEqual(before.hedging, config.hedging)) this.#hedgeDelay = hedgeDelayOf(config)
    this.#serviceHost = serviceHostOf(config)
    this.#upgrades = config.peerAlpn.includes('h2')
    // Connections to peers that may no longer be trusted, or that are to be secured from now on, are not used again.
    if (trustOf(before) !== trustOf(config)) this.#drop([...this.#endpoints.keys()])
    if (!isDeepStrictEqual(before.retryConstraint, config.retryConstraint))
      this.#budget = new RetryBudget(config.retryConstraint)
    this.#balancer = this.#balance()
  }

  /** False: there are so many connections that no more may be for opaque bytes. */
  allowsConnection(): boolean {
    if (!this.#breaker.connectionsFull) return true
    this.#deps.connections.upstreamOverflow(this.#config.name, 'max_connections')
    return false
  }

  /**
   * A connection for opaque bytes, which the caller owns and tells of with `tcpClosed`. Rejects as `IoBackend.connect` does.
   */
  async connectTcp(endpoint: Endpoint): Promise<Connection> {
    this.#breaker.connections++
    try {
      return await this.#connect(endpoint.config, tcpProtocols)
    } catch (error) {
      this.tcpClosed()
      throw error
    }
  }

  tcpClosed(): void {
    this.#breaker.connections--
  }

  drain(): void {
    this.#outliers?.stop()
    this.#departed.clear()
    this.#health?.stop()
    this.#resolved.stop()
    this.#drop([...this.#endpoints.keys()])
  }

  /** What is under way goes on to count. */
  #limitCallers({ callerLimits: limits }: ClusterConfig): void {
    if (limits === undefined) this.#callerLimits = undefined
    else if (this.#callerLimits === undefined) this.#callerLimits = new CallerLimits(limits)
    else this.#callerLimits.limits = limits
  }

  #adaptiveConcurrency(): AdaptiveConcurrency | undefined {
    const { adaptiveConcurrency: spec } = this.#config
    const { clock, random, connections } = this.#deps
    return spec === undefined
      ? undefined
      : new AdaptiveConcurrency(spec, {
          clock,
          random,
          changed: (limit) => connections.concurrencyLimited(this.#config.name, limit),
        })
  }

  #balance(): LoadBalancer<Endpoint> {
    const wanted = new Map(this.#resolved.of(this.#config).map((endpoint) => [keyOf(endpoint), endpoint]))
    this.#drop([...this.#endpoints.keys()].filter((key) => !wanted.has(key)))
    this.#bySession = undefined
    // Those of a cluster that is new have been there before it.
    const sinceMs = this.#endpoints.size === 0 ? -Infinity : this.#deps.clock.monotonicMs()
    for (const [key, config] of wanted) {
      const endpoint = this.#endpoints.get(key)
      if (endpoint === undefined) this.#endpoints.set(key, this.#createEndpoint(config, sinceMs))
      else endpoint.config = config
    }
    this.#detectOutliers()
    this.#checkHealth()
    return this.#spread()
  }

  #pickElsewhere(
    avoid: ReadonlySet<Endpoint> | undefined,
    hash: number | undefined,
    subset: string | undefined,
    failures: number,
  ): Endpoint | undefined {
    const places = avoid === undefined ? undefined : OtherPlaces.of(avoid, failures)
    if (places !== undefined) {
      const endpoint = this.#pickAvoiding(places, hash, subset)
      if (endpoint !== undefined && !places.has(endpoint)) return endpoint
    }
    return this.#pickAvoiding(avoid, hash, subset)
  }

  #pickAvoiding(
    avoid: Avoided<Endpoint> | undefined,
    hash: number | undefined,
    subset: string | undefined,
  ): Endpoint | undefined {
    return this.#balancer.pick(this.#departed.size === 0 ? avoid : this.#departed.and(avoid), hash, subset)
  }

  #taken(endpoint: Endpoint | undefined): Endpoint | undefined {
    if (endpoint === undefined) return undefined
    this.#breaker.requests++
    if (endpoint.outlier.phase === 'half-open') this.#outliers?.started(endpoint.outlier)
    return endpoint
  }

  #inSession(session: string, avoid: ReadonlySet<Endpoint> | undefined): Endpoint | undefined {
    this.#bySession ??= new Map(this.endpoints.map((endpoint) => [endpoint.sessionKey, endpoint]))
    const endpoint = this.#bySession.get(session)
    const usable = endpoint?.bound === true && endpoint.weight > 0 && avoid?.has(endpoint) !== true
    return usable ? endpoint : undefined
  }

  #spread(): LoadBalancer<Endpoint> {
    const { endpoints } = this
    this.#departed.clear()
    const nowMs = this.#deps.clock.monotonicMs()
    for (const endpoint of endpoints) endpoint.noticeAt(nowMs)
    // those that are about to end are no help against panic, but better than nobody
    const staying = endpoints.filter(({ draining }) => !draining)
    const spread = staying.some(({ available }) => available) ? staying : endpoints
    return createLoadBalancer(spread, this.#config.loadBalancing, this.#deps)
  }

  #detectOutliers(): void {
    const { outlierDetection } = this.#config
    if (outlierDetection === undefined) {
      this.#outliers?.stop()
      this.#outliers = undefined
      return
    }
    const { clock, random } = this.#deps
    this.#outliers ??= new OutlierDetector(
      { clock, random, changed: (state) => this.#availabilityChanged(state) },
      outlierDetection,
    )
    this.#outliers.update(
      outlierDetection,
      this.endpoints.map(({ outlier }) => outlier),
    )
  }

  #availabilityChanged(state: OutlierState): void {
    const { phase, reason } = state
    const { connections } = this.#deps
    const { name } = this.#config
    const ejected = this.#outliers?.ejected ?? 0
    if (phase === 'out' && reason !== undefined) connections.endpointEjected(name, reason, ejected)
    else if (phase === 'in') connections.endpointAdmitted(name, ejected)
    this.#departed.changed(state, this.#endpoints.size)
  }

  #checkHealth(): void {
    const { healthCheck } = this.#config
    const asked = healthCheck === undefined ? [] : this.endpoints.filter(({ config }) => config.asked !== false)
    // what is not asked any more is not known any more
    for (const endpoint of this.#endpoints.values())
      if (!endpoint.health.healthy && !asked.includes(endpoint)) endpoint.health = new HealthState(true)
    if (healthCheck === undefined) {
      this.#health?.stop()
      this.#health = undefined
      return
    }
    const { clock, random } = this.#deps
    const ask = (endpoint: Endpoint, spec: HealthCheckSpec): Promise<string | undefined> =>
      this.#askHealth(endpoint, spec)
    this.#health ??= new HealthChecker(
      { clock, random, ask, answered: (failure, changed) => this.#healthAnswered(failure, changed) },
      healthCheck,
    )
    this.#health.update(healthCheck, asked)
  }

  #askHealth({ address, config }: Endpoint, spec: HealthCheckSpec): Promise<string | undefined> {
    const { httpProtocol, originateTls } = this.#config
    return askHealth(this.#deps.clock, spec, {
      address,
      secured: config.tls || originateTls !== undefined,
      protocol: httpProtocol === 'http2' ? 'http2' : 'http1',
      connect: (protocol) =>
        this.#connect(config, spec.question.kind === 'tcp' ? tcpProtocols : httpProtocols[protocol]),
    })
  }

  #healthAnswered(failure: string | undefined, changed: boolean): void {
    const unhealthy = this.endpoints.filter(({ health }) => !health.healthy).length
    this.#deps.connections.healthChecked(this.#config.name, failure !== undefined, unhealthy)
    if (changed) this.#balancer = this.#spread()
  }

  #drop(keys: readonly string[]): void {
    for (const key of keys) {
      for (const pool of this.#endpoints.get(key)?.pools ?? []) pool.drain()
      this.#endpoints.delete(key)
    }
  }

  #createEndpoint(config: EndpointConfig, sinceMs: number): Endpoint {
    return new Endpoint(config, sinceMs, (protocol) => this.#createPool(config, protocol))
  }

  #createPool(config: EndpointConfig, protocol: UpstreamProtocol): EndpointPool {
    const { clock, random, connections, createClient = createClientConnection } = this.#deps
    const { name } = this.#config
    const limit = { streams: 100, calm: 1 }
    return new EndpointPool({
      clock,
      connect: () => this.#connect(config, httpProtocols[protocol]),
      createClient: (connection, events) =>
        createClient(clock, connection, protocol, events, limit, keepAliveOf(this.#config, config, limit, random)),
      multiplexed: protocol === 'http2',
      breaker: this.#breaker,
      observer: {
        opened: () => connections.upstreamOpened(name),
        closed: () => connections.upstreamClosed(name),
        connectFailed: () => connections.upstreamConnectFailed(name),
        overflowed: () => connections.upstreamOverflow(name, 'max_pending_requests'),
      },
    })
  }

  #connect(endpoint: EndpointConfig, protocols: OfferedProtocols): Promise<Connection> {
    return dialEndpoint(this.#deps, this.#config, endpoint, protocols)
  }
}

function mergedSettings(route: RouteSettings, defaults: RouteSettings): RouteSettings {
  const { timeouts, retry = defaults.retry } = route
  return { timeouts: { ...defaults.timeouts, ...timeouts }, ...(retry === undefined ? {} : { retry }) }
}

function hedgeDelayOf({ hedging }: ClusterConfig): HedgeDelay | undefined {
  return hedging === undefined ? undefined : new HedgeDelay(hedging)
}

function trustOf({ peerSpiffeIds, originateTls }: ClusterConfig): string {
  return JSON.stringify([peerSpiffeIds, originateTls])
}

function serviceHostOf({ service }: ClusterConfig): string | undefined {
  return service === undefined ? undefined : serviceHost(service.name, service.namespace)
}

function keyOf(endpoint: EndpointConfig): string {
  return `${endpoint.host}:${endpoint.port} ${endpoint.tls ? 'tls' : 'plaintext'}`
}
