// A mesh that is too big for one picture: each namespace as one node, which opens to its services.
import type { Health, Signals, Topology, TopologyEdge, TopologyNode } from '../../../src/contracts/read-api.ts'

export type ShownNode = Omit<TopologyNode, 'kind'> & { readonly kind: TopologyNode['kind'] | 'namespace' }
export type ShownTopology = Omit<Topology, 'nodes'> & { readonly nodes: readonly ShownNode[] }

const order: readonly Health[] = ['idle', 'healthy', 'degraded', 'failing']

/** `open`: the namespace whose services are shown one by one; "" for none. */
export function byNamespace(topology: Topology, open: string): ShownTopology {
  const isWhole = ({ namespace }: TopologyNode): boolean => namespace === '' || namespace === open
  const placeOf = new Map(
    topology.nodes.map((node) => [node.id, isWhole(node) ? node.id : `namespace/${node.namespace}`]),
  )
  const nodes = new Map<string, ShownNode>()
  for (const node of topology.nodes) {
    const id = placeOf.get(node.id) as string
    const before = nodes.get(id)
    if (isWhole(node)) nodes.set(id, node)
    else if (before === undefined)
      nodes.set(id, { ...node, id, kind: 'namespace', name: node.namespace, namespace: '' })
    else {
      const workloads = [...new Set([...before.workloads, ...node.workloads])]
      const ready = Math.min(workloads.length, before.ready + node.ready)
      nodes.set(id, { ...before, ...sum(before, node), workloads, ready, health: worst(before.health, node.health) })
    }
  }
  const edges = new Map<string, Joined>()
  for (const edge of topology.edges) {
    const [from, to] = [placeOf.get(edge.from) ?? edge.from, placeOf.get(edge.to) ?? edge.to]
    if (from === to && from !== edge.from) continue
    const before = edges.get(`${from} ${to}`)
    if (before === undefined) edges.set(`${from} ${to}`, { ...edge, from, to, codes: { ...edge.codes } })
    else join(before, edge)
  }
  return { ...topology, nodes: [...nodes.values()], edges: [...edges.values()] }
}

/** Quantiles cannot be added up: those of the slower one stand for both. */
function sum(a: Signals, b: Signals): Signals {
  const durationMs = slower(a, b)
  return {
    requests: a.requests + b.requests,
    failed: a.failed + b.failed,
    ...(durationMs !== undefined && { durationMs }),
  }
}

function slower(a: Signals, b: Signals): Signals['durationMs'] {
  return (a.durationMs?.p99 ?? 0) >= (b.durationMs?.p99 ?? 0) ? a.durationMs : b.durationMs
}

/** One that others are added to: thousands, whenever signals come. */
type Joined = { -readonly [Field in keyof TopologyEdge]: TopologyEdge[Field] } & {
  readonly codes: Record<string, number>
}

function join(to: Joined, edge: TopologyEdge): void {
  const durationMs = slower(to, edge)
  if (durationMs !== undefined) to.durationMs = durationMs
  to.requests += edge.requests
  to.failed += edge.failed
  for (const code in edge.codes) to.codes[code] = (to.codes[code] ?? 0) + (edge.codes[code] ?? 0)
  if (edge.protocols.some((one) => !to.protocols.includes(one)))
    to.protocols = [...new Set([...to.protocols, ...edge.protocols])]
  to.mtls = mtlsOf(to.mtls, edge.mtls)
  to.health = worst(to.health, edge.health)
}

function mtlsOf(a: TopologyEdge['mtls'], b: TopologyEdge['mtls']): TopologyEdge['mtls'] {
  if (a === b || b === 'unknown') return a
  return a === 'unknown' ? b : 'some'
}

function worst(a: Health, b: Health): Health {
  return order[Math.max(order.indexOf(a), order.indexOf(b))] as Health
}
