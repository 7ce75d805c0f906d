// Opens a connection for opaque bytes: draws a backend, picks endpoints of its cluster until one can be reached.
import type { AttemptRecord, ResponseFlag } from '../../contracts/decision-record.ts'
import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Random } from '../../core/random.ts'
import { compileSplit, type SplitDraw } from '../../policies/traffic-split/traffic-split.runtime.ts'
import type { ClusterSet } from '../cluster/cluster-set.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Endpoint } from '../cluster/endpoint.ts'
import type { Connection } from '../io/connection.ts'
import type { TcpProxyConfig } from '../runtime/runtime-config.ts'
import type { ConnectionSink } from '../telemetry/exchange.ts'

export interface DialDeps {
  readonly clock: Clock
  readonly random: Random
  readonly clusters: ClusterSet
  readonly connections: ConnectionSink
}

/** How it went; a failure is a value too, told in the same record. */
export interface Dialled {
  readonly connection: Connection | undefined
  readonly flag: ResponseFlag | undefined
  readonly detail: string | undefined
  readonly split: { readonly drawn: number; readonly total: number; readonly cluster: string } | undefined
  readonly cluster: Cluster | undefined
  readonly endpoint: Endpoint | undefined
  readonly attempts: AttemptRecord[]
  /** To be called once, when `connection` is closed or given up. */
  release(): void
}

type Backend = TcpProxyConfig['backends'][number]

/** Endpoints tried for one connection. Nothing has been sent yet, so any may be tried. */
const maxAttempts = 3
const draws = new WeakMap<TcpProxyConfig, ReturnType<typeof compileSplit<Backend>>>()

export async function dialTcp(deps: DialDeps, config: TcpProxyConfig): Promise<Dialled> {
  let draw = draws.get(config)
  if (draw === undefined) draws.set(config, (draw = compileSplit(config.backends)))
  const drawn = draw(deps.random)
  const split = config.backends.length > 1 && drawn !== undefined ? splitOf(drawn) : undefined
  const name = drawn?.item.cluster ?? ''
  const cluster = deps.clusters.get(name)
  const attempts: AttemptRecord[] = []
  const failed = (flag: ResponseFlag, detail: string): Dialled => {
    const none = { connection: undefined, endpoint: undefined, release: () => {} }
    return { ...none, flag, detail, split, cluster, attempts }
  }
  if (cluster === undefined) {
    return failed('NC', name === '' ? `${config.route} has no backend` : `this proxy has no cluster ${name}`)
  }
  if (!cluster.allowsConnection()) return failed('UO', `${name} has as many connections as its circuit breaker allows`)
  const tried = new Set<Endpoint>()
  let detail = `${name} has no endpoint`
  while (tried.size < maxAttempts) {
    const endpoint = cluster.pick(tried)
    if (endpoint === undefined || tried.has(endpoint)) break
    tried.add(endpoint)
    const startMs = deps.clock.monotonicMs()
    endpoint.activeRequests++
    try {
      const connection = await cluster.connectTcp(endpoint)
      deps.connections.upstreamOpened(name)
      const respondedMs = deps.clock.monotonicMs()
      cluster.attemptOver(endpoint, { outcome: 'response', status: 0, grpcStatus: undefined, startMs, respondedMs })
      attempts.push(recordOf(endpoint, 'response', respondedMs - startMs))
      const release = (): void => {
        endpoint.activeRequests--
        cluster.tcpClosed()
        deps.connections.upstreamClosed(name)
      }
      return { connection, flag: undefined, detail: undefined, split, cluster, endpoint, attempts, release }
    } catch (error) {
      endpoint.activeRequests--
      const failure = { outcome: 'connect-failure', status: 0, grpcStatus: undefined, respondedMs: 0 } as const
      cluster.attemptOver(endpoint, { ...failure, startMs })
      deps.connections.upstreamConnectFailed(name)
      detail = errorMessage(error)
      const before = attempts.at(-1)
      if (before !== undefined) attempts[attempts.length - 1] = { ...before, retriedBecause: 'connect-failure' }
      attempts.push(recordOf(endpoint, 'connect-failure', deps.clock.monotonicMs() - startMs))
    }
  }
  return failed(attempts.length === 0 ? 'UH' : 'UF', detail)
}

function splitOf({ item, drawn, total }: SplitDraw<Backend>): NonNullable<Dialled['split']> {
  return { drawn, total, cluster: item.cluster }
}

function recordOf(endpoint: Endpoint, outcome: AttemptRecord['outcome'], durationMs: number): AttemptRecord {
  const { address, workload } = endpoint
  return { endpoint: address, ...(workload !== undefined && { workload }), outcome, durationMs }
}
