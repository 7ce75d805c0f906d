// A request line on real sockets with a hand-made configuration, and what it told its sinks.
import { BatchedWork } from '../../src/core/batched-work.ts'
import { type Clock, systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { createRandom } from '../../src/core/random.ts'
import { WatchableValue } from '../../src/core/watchable.ts'
import type { ComparedAnswers } from '../../src/policies/mirror/mirror-comparison.runtime.ts'
import { LimitBuckets } from '../../src/policies/rate-limit/limit-buckets.runtime.ts'
import type { JwksSource } from '../../src/policies/request-authentication/jwks.runtime.ts'
import { silentMeter } from '../../src/policies/typescript-filter/running-filter.runtime.ts'
import { resolveBySystem } from '../../src/proxy/cluster/dns-resolver.ts'
import type { ResolveHost } from '../../src/proxy/cluster/host-addresses.ts'
import type { IoBackend, TlsCredentials } from '../../src/proxy/io/connection.ts'
import { createIoBackend } from '../../src/proxy/io/create-io-backend.ts'
import type { RevokedSvids } from '../../src/proxy/io/revoked-peers.ts'
import { createJwksSource } from '../../src/proxy/jwks/jwks-source.ts'
import { createRequestLine, type RequestLine } from '../../src/proxy/request-line.ts'
import type {
  ClusterConfig,
  EndpointConfig,
  FilterChainConfig,
  ListenerConfig,
  Route,
  RouteConfiguration,
  RouteSource,
  RuntimeConfig,
  SecretConfig,
} from '../../src/proxy/runtime/runtime-config.ts'
import type { Exchange } from '../../src/proxy/telemetry/exchange.ts'
import { PlaintextCallers } from '../../src/proxy/telemetry/plaintext-callers.ts'
import { freePorts } from './free-ports.ts'
import { until } from './until.ts'

export interface MirroredRequest {
  readonly cluster: string
  readonly mirror: string
  readonly answers: ComparedAnswers
}

export interface TestLine {
  readonly line: RequestLine
  readonly runtime: WatchableValue<RuntimeConfig>
  readonly credentials: WatchableValue<TlsCredentials | undefined>
  readonly revoked: WatchableValue<RevokedSvids>
  /** In the order they finished. */
  readonly exchanges: Exchange[]
  readonly refused: string[]
  readonly mirrored: readonly MirroredRequest[]
  /** Accepted minus closed. */
  openConnections(): number
  /** Opened by the pools so far. */
  upstreamConnections(): number
  /** Connections of opaque bytes. */
  readonly tcp: Readonly<Record<'opened' | 'closed' | 'failed' | 'sentBytes' | 'receivedBytes', number>>
}

export interface TestLineOptions {
  readonly io?: IoBackend
  readonly clock?: Clock
  readonly credentials?: TlsCredentials
  readonly resolveHost?: ResolveHost
  readonly jwks?: JwksSource
  readonly demand?: (candidates: readonly string[]) => Promise<string | undefined>
}

export async function startLine(config: RuntimeConfig, options: TestLineOptions = {}): Promise<TestLine> {
  const runtime = new WatchableValue(config)
  const credentials = new WatchableValue(options.credentials)
  const revoked = new WatchableValue<RevokedSvids>({ version: 0, notBeforeMs: {} })
  const exchanges: Exchange[] = []
  const refused: string[] = []
  const mirrored: MirroredRequest[] = []
  const tcp = { opened: 0, closed: 0, failed: 0, sentBytes: 0, receivedBytes: 0 }
  let open = 0
  let upstream = 0
  const line = createRequestLine({
    io: options.io ?? createIoBackend(systemClock, 'auto').io,
    runtime,
    credentials,
    revoked,
    resolveHost: options.resolveHost ?? resolveBySystem,
    lookup: (candidates) => candidates.find((name) => runtime.value.routeConfigurations.has(name)),
    demand: options.demand ?? (() => Promise.resolve(undefined)),
    clock: options.clock ?? systemClock,
    random: createRandom(7),
    logger: silentLogger,
    proxyName: 'test/proxy',
    spiffeId: 'spiffe://mesh.local/ns/test/sa/proxy',
    limits: new LimitBuckets(1),
    sink: { finished: (exchange) => exchanges.push(exchange) },
    jwks: options.jwks ?? createJwksSource({ clock: systemClock, logger: silentLogger }),
    plaintextCallers: new PlaintextCallers(systemClock),
    work: new BatchedWork(options.clock ?? systemClock),
    connections: {
      downstreamOpened: () => open++,
      downstreamClosed: () => open--,
      downstreamRefused: (_, reason) => refused.push(reason),
      upstreamOpened: () => upstream++,
      upstreamClosed() {},
      upstreamConnectFailed() {},
      upstreamOverflow() {},
      concurrencyLimited() {},
      mirrored: (cluster, mirror, answers) => mirrored.push({ cluster, mirror, answers }),
      endpointEjected() {},
      endpointAdmitted() {},
      healthChecked() {},
      spansCounted() {},
      tcpOpened: () => tcp.opened++,
      tcpClosed: () => tcp.closed++,
      tcpFailed: () => tcp.failed++,
      rateLimitCounter: () => () => {},
      filterMeter: () => silentMeter,
      tcpBytes(_, __, sentBytes, receivedBytes) {
        tcp.sentBytes += sentBytes
        tcp.receivedBytes += receivedBytes
      },
    },
  })
  await until('all listeners are open', () => line.listening.value.size >= config.listeners.size)
  return {
    line,
    runtime,
    credentials,
    revoked,
    exchanges,
    refused,
    mirrored,
    openConnections: () => open,
    upstreamConnections: () => upstream,
    tcp,
  }
}

export interface ConfigParts {
  readonly listeners?: readonly ListenerConfig[]
  readonly routes?: readonly RouteConfiguration[]
  readonly clusters?: readonly ClusterConfig[]
  readonly secrets?: Readonly<Record<string, SecretConfig>>
}

export function configOf(parts: ConfigParts, revision = '1'): RuntimeConfig {
  const { listeners = [], routes = [], clusters = [], secrets = {} } = parts
  return {
    revision,
    listeners: new Map(listeners.map((listener) => [listener.name, listener])),
    routeConfigurations: new Map(routes.map((one) => [one.name, one])),
    clusters: new Map(clusters.map((cluster) => [cluster.name, cluster])),
    secrets: new Map(Object.entries(secrets)),
  }
}

export async function freePort(): Promise<number> {
  const [port] = await freePorts(1)
  return port as number
}

export function listenerOn(
  port: number,
  routes: RouteSource,
  options: {
    name?: string
    direction?: ListenerConfig['direction']
    tls?: FilterChainConfig['tls']
    streamIdleTimeoutMs?: number
  } = {},
): ListenerConfig {
  const { name = 'outbound', direction = 'outbound', tls, streamIdleTimeoutMs } = options
  const chain: FilterChainConfig = {
    name: 'http',
    match: { transport: tls === undefined ? 'plaintext' : 'tls', serverNames: [], applicationProtocols: [] },
    ...(tls === undefined ? {} : { tls }),
    filter: { kind: 'http', routes, streamIdleTimeoutMs },
  }
  const inspect = { tls: true, http: true }
  return { name, direction, host: '127.0.0.1', port, inspect, detectTimeoutMs: Infinity, filterChains: [chain] }
}

/** A listener with chains of its own. */
export function listenerWith(
  port: number,
  filterChains: readonly FilterChainConfig[],
  changes: Partial<ListenerConfig> = {},
): ListenerConfig {
  const listener = { name: 'outbound', direction: 'outbound', host: '127.0.0.1', port } as const
  return { ...listener, inspect: { tls: true, http: true }, detectTimeoutMs: Infinity, filterChains, ...changes }
}

/** A chain for plaintext HTTP, unless told otherwise. */
export function httpChain(
  routes: RouteSource,
  match: Partial<FilterChainConfig['match']> = {},
  changes: Partial<FilterChainConfig> = {},
): FilterChainConfig {
  const filter = { kind: 'http', routes } as const
  return { name: 'http', match: { ...anyMatch, transport: 'plaintext', ...match }, filter, ...changes }
}

/** A chain for opaque bytes to one cluster, unless told otherwise. */
export function tcpChain(
  cluster: string,
  match: Partial<FilterChainConfig['match']> = {},
  changes: Partial<FilterChainConfig> = {},
): FilterChainConfig {
  const filter = { kind: 'tcp', backends: [{ cluster, weight: 1 }], route: 'default' } as const
  return { name: 'tcp', match: { ...anyMatch, ...match }, filter, ...changes }
}

const anyMatch: FilterChainConfig['match'] = { transport: 'any', serverNames: [], applicationProtocols: [] }

/** Everything to one cluster. */
export function routesTo(target: string, changes: Partial<Route> = {}, name = 'routes'): RouteConfiguration {
  const route: Route = {
    name: 'default',
    match: { path: { kind: 'prefix', value: '/' }, headers: [], queryParams: [] },
    action: forwardTo(target),
    ...changes,
  }
  return { name, virtualHosts: [{ name: '*', domains: ['*'], routes: [route] }] }
}

export function forwardTo(target: string): Extract<Route['action'], { kind: 'forward' }> {
  return { kind: 'forward', backends: [{ cluster: target, weight: 1 }], mirrors: [], timeouts: {} }
}

export function clusterOf(
  name: string,
  endpoints: readonly (Partial<EndpointConfig> & { readonly port: number })[],
  changes: Partial<ClusterConfig> = {},
): ClusterConfig {
  return {
    name,
    httpProtocol: 'downstream',
    connectTimeoutMs: 1_000,
    loadBalancing: { kind: 'least-request', choiceCount: 2 },
    circuitBreaker: { maxConnections: Infinity, maxPendingRequests: Infinity, maxRequests: Infinity },
    retryConstraint: { percent: 20, intervalMs: 10_000, minRetries: 10, minIntervalMs: 1_000 },
    peerSpiffeIds: [],
    peerAlpn: ['http/1.1'],
    discovery: 'eds',
    endpoints: endpoints.map((endpoint) => ({ host: '127.0.0.1', weight: 1, tls: false, ...endpoint })),
    ...changes,
  }
}
