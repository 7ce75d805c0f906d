import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { MemoryConnection } from '../../../test/kit/memory-connection.ts'
import { clusterOf } from '../../../test/kit/request-line.ts'
import { createRandom } from '../../core/random.ts'
import { WatchableValue } from '../../core/watchable.ts'
import { defaultOutlierDetection } from '../../policies/outlier-detection/outlier-detection.schema.ts'
import { sessionKey } from '../../policies/session-persistence/session-persistence.runtime.ts'
import type { ConnectOptions, IoBackend } from '../io/connection.ts'
import type { ClusterConfig, EndpointConfig, SecretConfig } from '../runtime/runtime-config.ts'
import type { ConnectionSink } from '../telemetry/exchange.ts'
import { Cluster } from './cluster.ts'
import type { Endpoint } from './endpoint.ts'

const svid = { certificateChainPem: 'chain', privateKeyPem: 'key', rootsPem: 'roots' }
const roots: SecretConfig = { kind: 'roots', rootsPem: 'other roots' }

function createCluster(
  config: ClusterConfig,
  dialled: ConnectOptions[] = [],
  clock: ManualClock = new ManualClock(),
): Cluster {
  const io = {
    connect(options: ConnectOptions) {
      dialled.push(options)
      return Promise.resolve(MemoryConnection.pair()[0])
    },
  } as Partial<IoBackend> as IoBackend
  const deps = {
    io,
    clock,
    random: createRandom(1),
    credentials: new WatchableValue(svid),
    connections: { endpointEjected() {}, endpointAdmitted() {} } as Partial<ConnectionSink> as ConnectionSink,
    secret: (name: string) => (name === 'roots' ? roots : undefined),
    resolveHost: () => Promise.reject(new Error('nobody asks')),
  }
  return new Cluster(deps, config)
}

/** How a connection for opaque bytes to its one endpoint is asked for. */
async function asked(
  endpoint: Partial<EndpointConfig>,
  changes: Partial<ClusterConfig> = {},
): Promise<ConnectOptions | undefined> {
  const dialled: ConnectOptions[] = []
  const cluster = createCluster(clusterOf('one', [{ port: 1, ...endpoint }], changes), dialled)
  const [only] = cluster.endpoints
  if (only !== undefined) await cluster.connectTcp(only)
  return dialled[0]
}

/** The ports of all endpoints that get some of many requests. */
function picked(cluster: Cluster, session?: string, avoid?: ReadonlySet<Endpoint>): number[] {
  const ports = Array.from({ length: 40 }, () => cluster.pick(avoid, undefined, session)?.config.port ?? 0)
  return [...new Set(ports)].toSorted((a, b) => a - b)
}

describe('an endpoint that is about to end', () => {
  const ending = { host: '127.0.0.1', port: 1, weight: 1, tls: false, health: 'draining' } as const

  it('gets nothing but what is bound to it', () => {
    const cluster = createCluster(clusterOf('app', [ending, { port: 2 }, { port: 3 }]))
    expect(picked(cluster)).toEqual([2, 3])
    expect(picked(cluster, sessionKey('127.0.0.1:1'))).toEqual([1])
  })

  it('is no help against panic', () => {
    const others = [1, 2, 3].map((port) => ({ ...ending, port }))
    expect(picked(createCluster(clusterOf('app', [...others, { port: 4 }])))).toEqual([4])
  })

  it('serves when no other does', () => {
    expect(picked(createCluster(clusterOf('app', [ending, { ...ending, port: 2 }])))).toEqual([1, 2])
    const unhealthy = { port: 3, health: 'unhealthy' } as const
    expect(picked(createCluster(clusterOf('app', [ending, unhealthy])))).toContain(1)
  })
})

function inZone(zone: string, ...ports: number[]): (Partial<EndpointConfig> & { readonly port: number })[] {
  return ports.map((port) => ({ port, locality: { region: 'eu', zone, subZone: '' } }))
}

function tried(cluster: Cluster, ...ports: number[]): Set<Endpoint> {
  return new Set(cluster.endpoints.filter(({ config }) => ports.includes(config.port)))
}

describe('a retry', () => {
  it('leaves the zone when two endpoints of it have failed, while there is another', () => {
    const cluster = createCluster(clusterOf('app', [...inZone('a', 1, 2, 3), ...inZone('b', 4)]))
    expect(picked(cluster, undefined, tried(cluster, 1))).toEqual([2, 3, 4])
    expect(picked(cluster, undefined, tried(cluster, 1, 2))).toEqual([4])
    expect(picked(cluster, undefined, tried(cluster, 1, 4))).toEqual([2, 3])
  })

  it('stays where there is no other zone', () => {
    const cluster = createCluster(clusterOf('app', inZone('a', 1, 2, 3)))
    expect(picked(cluster, undefined, tried(cluster, 1, 2))).toEqual([3])
  })
})

describe('a hedge', () => {
  it('leaves the zone of the attempt that is slow, while there is another', () => {
    const cluster = createCluster(clusterOf('app', [...inZone('a', 1, 2, 3), ...inZone('b', 4, 5)]))
    const ports = Array.from({ length: 40 }, () => cluster.pickBeside(tried(cluster, 1))?.config.port)
    expect(new Set(ports)).toEqual(new Set([4, 5]))
    const alone = createCluster(clusterOf('app', inZone('a', 1, 2)))
    expect(alone.pickBeside(tried(alone, 1))?.config.port).toBe(2)
  })
})

describe('a connection for opaque bytes', () => {
  it('goes to a workload of the mesh by mutual TLS, and says that it is opaque', async () => {
    const peerSpiffeIds = ['spiffe://mesh.local/ns/default/sa/database']
    expect((await asked({ tls: true }, { peerSpiffeIds }))?.tls).toEqual({
      kind: 'mesh',
      credentials: svid,
      peerSpiffeIds,
      alpn: ['heddle-tcp'],
    })
  })

  it('goes to others as they are', async () => {
    expect(await asked({})).toEqual({ host: '127.0.0.1', port: 1, timeoutMs: 1_000 })
  })

  it('is secured for a server outside the mesh, by name and with the roots asked for', async () => {
    const originateTls = { serverName: 'db.example.com', subjectAltNames: ['db'], rootsSecret: 'roots' }
    expect((await asked({}, { originateTls }))?.tls).toEqual({
      kind: 'originate',
      serverName: 'db.example.com',
      subjectAltNames: ['db'],
      rootsPem: 'other roots',
      alpn: [],
    })
  })

  it('is not opened while the roots are missing', async () => {
    const originateTls = { serverName: 'db.example.com', subjectAltNames: [], rootsSecret: 'gone' }
    await expect(asked({}, { originateTls })).rejects.toThrow('the roots gone are not here')
  })
})

describe('a change of configuration', () => {
  const config = clusterOf('one', [{ port: 1 }])

  it('keeps endpoints, and with them their connections', () => {
    const cluster = createCluster(config)
    const [before] = cluster.endpoints
    cluster.update({ ...config, connectTimeoutMs: 5 })
    expect(cluster.endpoints[0]).toBe(before)
  })

  it.each([
    { originateTls: { serverName: 'db.example.com', subjectAltNames: [] } },
    { peerSpiffeIds: ['spiffe://mesh.local/ns/default/sa/database'] },
  ])('uses no connection again that was made with less trust: %o', (changes) => {
    const cluster = createCluster(config)
    const [before] = cluster.endpoints
    cluster.update({ ...config, ...changes })
    expect(cluster.endpoints[0]).not.toBe(before)
  })
})

describe('endpoints', () => {
  it('are new when they come to others, not when they come with the cluster', () => {
    const cluster = createCluster(clusterOf('one', [{ port: 1 }]))
    cluster.update(clusterOf('one', [{ port: 1 }, { port: 2 }]))
    expect(cluster.endpoints.map(({ sinceMs }) => sinceMs)).toEqual([-Infinity, new ManualClock().monotonicMs()])
  })

  it('are new when they come back after an ejection, and after they were unhealthy', () => {
    const clock = new ManualClock()
    const outlierDetection = { ...defaultOutlierDetection, consecutiveGatewayErrors: 1 }
    const config = clusterOf('one', [{ port: 1 }, { port: 2 }], { outlierDetection })
    const cluster = createCluster(config, [], clock)
    const [first, second] = cluster.endpoints as [Endpoint, Endpoint]
    const attempt = { outcome: 'response', grpcStatus: undefined, startMs: 0, respondedMs: 1 } as const
    cluster.pick()
    cluster.attemptOver(first, { ...attempt, status: 503 })
    expect(first.available).toBe(false)
    clock.advance(outlierDetection.baseEjectionMs * 1.2)
    while (cluster.pick() !== first) clock.advance(1)
    clock.advance(5)
    cluster.attemptOver(first, { ...attempt, status: 200 })
    expect(first.sinceMs).toBe(clock.monotonicMs())
    expect(second.sinceMs).toBe(-Infinity)
    const [one, two] = config.endpoints as [EndpointConfig, EndpointConfig]
    cluster.update({ ...config, endpoints: [one, { ...two, health: 'unhealthy' }] })
    clock.advance(1_000)
    cluster.update({ ...config, endpoints: [one, two] })
    expect(second.sinceMs).toBe(clock.monotonicMs())
  })
})
