import { beforeEach, describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { clusterOf } from '../../../test/kit/request-line.ts'
import { createRandom } from '../../core/random.ts'
import { WatchableValue } from '../../core/watchable.ts'
import { defaultOutlierDetection } from '../../policies/outlier-detection/outlier-detection.schema.ts'
import type { IoBackend } from '../io/connection.ts'
import type { ConnectionSink } from '../telemetry/exchange.ts'
import { Cluster } from './cluster.ts'
import type { Endpoint } from './endpoint.ts'

const count = 300
const nothing = (): void => {}
let clock: ManualClock

beforeEach(() => {
  clock = new ManualClock()
})

function largeCluster(): Cluster {
  const deps = {
    io: {} as IoBackend,
    clock,
    random: createRandom(1),
    credentials: new WatchableValue(undefined),
    connections: { endpointEjected: nothing, endpointAdmitted: nothing } as Partial<ConnectionSink> as ConnectionSink,
    secret: () => undefined,
    resolveHost: () => Promise.reject(new Error('nobody asks')),
  }
  const endpoints = Array.from({ length: count }, (_, i) => ({ port: i + 1 }))
  return new Cluster(deps, clusterOf('large', endpoints, { outlierDetection: defaultOutlierDetection }))
}

/** Its attempts fail until it is ejected. */
function fail(cluster: Cluster, endpoint: Endpoint): void {
  const attempt = {
    outcome: 'connect-failure',
    status: 0,
    grpcStatus: undefined,
    startMs: clock.monotonicMs(),
    respondedMs: 0,
  } as const
  for (let i = 0; i < 5; i++) cluster.attemptOver(endpoint, attempt)
}

function picks(cluster: Cluster, avoid?: ReadonlySet<Endpoint>): Set<Endpoint | undefined> {
  return new Set(Array.from({ length: 20 * count }, () => cluster.pick(avoid)))
}

describe('endpoints of a large cluster that fail', () => {
  it('are avoided at once, and come back when the balancer knows of it', () => {
    const cluster = largeCluster()
    const [first, second, third] = cluster.endpoints as [Endpoint, Endpoint, Endpoint]
    fail(cluster, first)
    fail(cluster, second)
    expect(first.available).toBe(false)
    const before = picks(cluster, new Set([third]))
    expect([before.has(first), before.has(second), before.has(third)]).toEqual([false, false, false])
    expect(before.size).toBe(count - 3)

    clock.advance(3)
    const after = picks(cluster)
    expect([after.has(first), after.has(second), after.has(third)]).toEqual([false, false, true])

    // the time of both is over; one request each tries them
    clock.advance(12_000)
    const tried = picks(cluster)
    expect([tried.has(first), tried.has(second)]).toEqual([true, true])
    expect([first.outlier.phase, second.outlier.phase]).toEqual(['probing', 'probing'])
    const later = picks(cluster)
    expect([later.has(first), later.has(second)]).toEqual([false, false])
  })

  it('cost one balancer for all that fail together', () => {
    const cluster = largeCluster()
    const waiting = clock.pendingCount
    for (const endpoint of cluster.endpoints.slice(0, 20)) fail(cluster, endpoint)
    // of those who are to come back, and of the balancer
    expect(clock.pendingCount - waiting).toBe(2)
    clock.advance(3)
    expect(clock.pendingCount - waiting).toBe(1)
    cluster.drain()
    expect(clock.pendingCount - waiting).toBe(0)
  })
})
