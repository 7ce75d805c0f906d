// Snapshot and observed traffic → who calls whom, and how well it goes. Pure.
import type { Health, Signals, Topology, TopologyEdge, TopologyNode } from '../contracts/read-api.ts'
import type { MeshSnapshot } from '../control/snapshot/mesh-snapshot.ts'
import type { ObservedTraffic, TrafficGroup, TrafficSummary } from '../control/telemetry/observed-traffic.ts'
import type { TrafficPeriod } from '../control/telemetry/traffic-period.ts'
import { nodeIds, outsideId, serviceId, workloadsOf } from './node-ids.ts'
import type { NodeIds } from './node-ids.ts'

export interface TopologyInput {
  readonly snapshot: MeshSnapshot
  readonly traffic: ObservedTraffic
  readonly isReady: (workload: string) => boolean
  /** Whether something says how workloads do: where nobody runs them, none is ready. */
  readonly isSupervised: boolean
}

export function buildTopology(input: TopologyInput, atMs: number, windowMs: number): Topology {
  const { snapshot, traffic } = input
  const period = traffic.period(atMs - windowMs, atMs)
  const ids = nodeIds(snapshot, period)
  const edges = buildEdges(period, ids)
  const asked = period.groups((series) => ids.to(series))
  const asking = period.groups((series) => ids.from(series))
  return { atMs, windowMs, revision: snapshot.revision, nodes: buildNodes(input, ids, { edges, asked, asking }), edges }
}

export function buildEdges(period: TrafficPeriod, ids: NodeIds): TopologyEdge[] {
  const protocols = new Map<string, Set<TopologyEdge['protocols'][number]>>()
  const groups = period.groups((series) => {
    const key = `${ids.from(series)}\n${ids.to(series)}`
    const found = protocols.get(key)
    if (found === undefined) protocols.set(key, new Set([series.protocol]))
    else found.add(series.protocol)
    return key
  })
  return [...groups].map(([key, group]) => {
    const [from = '', to = ''] = key.split('\n')
    return {
      from,
      to,
      ...signalsOf(group),
      protocols: [...(protocols.get(key) ?? [])].toSorted(),
      mtls: mtlsOf(group),
      codes: group.codes,
      health: healthOf(group),
    }
  })
}

function buildNodes(
  { snapshot, isReady, isSupervised }: TopologyInput,
  ids: NodeIds,
  traffic: {
    readonly edges: readonly TopologyEdge[]
    readonly asked: ReadonlyMap<string, TrafficGroup>
    readonly asking: ReadonlyMap<string, TrafficGroup>
  },
): TopologyNode[] {
  const node = (
    place: Pick<TopologyNode, 'id' | 'kind' | 'namespace' | 'name'>,
    workloads: readonly string[],
    signals: TrafficSummary | undefined,
  ): TopologyNode => {
    const ready = workloads.filter(isReady).length
    const health = healthOf(signals)
    const readiness = isSupervised && workloads.length > 0 ? readinessOf(ready, workloads.length) : 'idle'
    return { ...place, workloads, ready, ...signalsOf(signals), health: worst(health, readiness) }
  }
  const nodes = [...snapshot.services.values()].map((service) => {
    const { external, namespace, name, host } = service
    const id = serviceId(service)
    const place = { id, kind: external ? 'external' : 'service', namespace, name: external ? host : name } as const
    return node(place, workloadsOf(service), traffic.asked.get(id))
  })
  for (const gateway of snapshot.gateways.values()) {
    const { namespace, name } = gateway
    const id = `gateway/${namespace}/${name}`
    // what it asks is what it was asked
    nodes.push(node({ id, kind: 'gateway', namespace, name }, [], traffic.asking.get(id)))
  }
  for (const { namespace, name } of snapshot.workloads.values()) {
    const workload = `${namespace}/${name}`
    const id = ids.ofWorkload(workload)
    if (id.startsWith('workload/'))
      nodes.push(node({ id, kind: 'workload', namespace, name }, [workload], traffic.asked.get(id)))
  }
  // what is gone from the configuration, and what never was in it
  const known = new Set(nodes.map(({ id }) => id))
  for (const id of new Set(traffic.edges.flatMap(({ from, to }) => [from, to]))) {
    if (known.has(id)) continue
    const [kind = '', namespace = '', name = ''] = id.split('/')
    const place =
      id === outsideId || name === ''
        ? { id, kind: 'outside' as const, namespace: '', name: 'outside the mesh' }
        : { id, kind: kind as TopologyNode['kind'], namespace, name }
    nodes.push(node(place, [], traffic.asked.get(id)))
  }
  return nodes
}

export function signalsOf(summary: TrafficSummary | undefined): Signals {
  if (summary === undefined) return { requests: 0, failed: 0 }
  const { requests, failed, durationMs } = summary
  return { requests, failed, ...(durationMs !== undefined && { durationMs }) }
}

export function healthOf(signals: Pick<Signals, 'requests' | 'failed'> | undefined): Health {
  if (signals === undefined || signals.requests === 0) return 'idle'
  const share = signals.failed / signals.requests
  if (share >= 0.05) return 'failing'
  return share >= 0.01 ? 'degraded' : 'healthy'
}

export function readinessOf(ready: number, workloads: number): Health {
  if (ready === 0) return 'failing'
  return ready < workloads ? 'degraded' : 'idle'
}

const order: readonly Health[] = ['idle', 'healthy', 'degraded', 'failing']

export function worst(a: Health, b: Health): Health {
  return order[Math.max(order.indexOf(a), order.indexOf(b))] as Health
}

export function mtlsOf({ mtls, plaintext }: Pick<TrafficGroup, 'mtls' | 'plaintext'>): TopologyEdge['mtls'] {
  if (mtls + plaintext === 0) return 'unknown'
  if (plaintext === 0) return 'all'
  return mtls === 0 ? 'none' : 'some'
}
