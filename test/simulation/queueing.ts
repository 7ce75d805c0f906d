// A queueing model of one cluster: requests come at random, a load balancer sends each to a server, which serves a few at once and lets the others wait.
import type { LoadBalancedEndpoint } from '../../src/contracts/load-balancer.ts'
import { createRandom, type Random } from '../../src/core/random.ts'
import { createLoadBalancer } from '../../src/policies/load-balancing/load-balancing.runtime.ts'
import type { LoadBalancingSpec } from '../../src/policies/load-balancing/load-balancing.spec.ts'
import { balancedEndpoint } from '../kit/balanced-endpoints.ts'
import { VirtualClock } from './virtual-clock.ts'

export interface ServerModel {
  /** How long it works on one request. */
  readonly serviceMs: (random: Random) => number
  /** How many it works on at once. */
  readonly concurrency: number
}

export interface QueueingScenario {
  readonly seed: number
  readonly requests: number
  readonly requestsPerSecond: number
  readonly servers: readonly ServerModel[]
  readonly loadBalancing: LoadBalancingSpec
}

export interface QueueingResult {
  /** Of each request from its arrival to its response, ascending. */
  readonly latenciesMs: Float64Array
  /** Requests that each server got. */
  readonly counts: readonly number[]
}

/** Memoryless, as service times and the times between arrivals often are. */
export function exponential(meanMs: number): (random: Random) => number {
  return (random) => -meanMs * Math.log(1 - random.next())
}

export function percentile(ascending: Float64Array, percent: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor((ascending.length * percent) / 100))] as number
}

export function runQueueing(scenario: QueueingScenario): QueueingResult {
  const { seed, requests, requestsPerSecond, servers, loadBalancing } = scenario
  const clock = new VirtualClock()
  const random = createRandom(seed)
  const places = servers.map((model, i) => new Server(model, balancedEndpoint({ address: `10.0.0.${i}:80` })))
  const endpoints = places.map(({ endpoint }) => endpoint)
  const placeOf = new Map<LoadBalancedEndpoint, Server>(places.map((place) => [place.endpoint, place]))
  const balancer = createLoadBalancer(endpoints, loadBalancing, { clock, random })
  const latenciesMs = new Float64Array(requests)
  const betweenMs = exponential(1_000 / requestsPerSecond)
  let arrived = 0
  let answered = 0

  const begin = (server: Server, startMs: number): void => {
    server.busy++
    clock.setTimer(server.model.serviceMs(random), () => {
      server.busy--
      server.endpoint.activeRequests--
      const respondedMs = clock.monotonicMs()
      latenciesMs[answered++] = respondedMs - startMs
      const attempt = { outcome: 'response', status: 200, grpcStatus: undefined, startMs, respondedMs } as const
      balancer.attemptOver?.(server.endpoint, attempt)
      const waiting = server.queue.shift()
      if (waiting !== undefined) begin(server, waiting)
    })
  }
  const arrive = (): void => {
    const startMs = clock.monotonicMs()
    const picked = balancer.pick(undefined, random.int(2 ** 32))
    const server = placeOf.get(picked as LoadBalancedEndpoint) as Server
    server.count++
    server.endpoint.activeRequests++
    if (server.busy < server.model.concurrency) begin(server, startMs)
    else server.queue.push(startMs)
    if (++arrived < requests) clock.setTimer(betweenMs(random), arrive)
  }
  clock.setTimer(0, arrive)
  clock.run()
  return { latenciesMs: latenciesMs.toSorted(), counts: places.map(({ count }) => count) }
}

class Server {
  readonly model: ServerModel
  readonly endpoint: LoadBalancedEndpoint
  /** When those that wait have arrived. */
  readonly queue: number[] = []
  busy = 0
  count = 0

  constructor(model: ServerModel, endpoint: LoadBalancedEndpoint) {
    this.model = model
    this.endpoint = endpoint
  }
}
