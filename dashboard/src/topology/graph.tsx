// The picture of who calls whom. Places are found anew only when somebody comes or goes; what stays the same is not drawn again.
import { Background, BackgroundVariant, Controls, MiniMap, ReactFlow, ReactFlowProvider } from '@xyflow/react'
import type { EdgeChange, NodeChange } from '@xyflow/react'
import { useMemo, useRef } from 'react'

import type { TopologyEdge } from '../../../src/contracts/read-api.ts'
import type { ShownTopology } from './by-namespace.ts'
import { Crowd } from './crowd.tsx'
import { describeEdge, EdgeLine } from './edge-line.tsx'
import type { MeshEdge } from './edge-line.tsx'
import { layOut } from './layout.ts'
import type { Place } from './layout.ts'
import { NodeCard } from './node-card.tsx'
import type { MeshNode } from './node-card.tsx'
import { useReadable, useShownNodes } from './shown-nodes.ts'

import '@xyflow/react/dist/style.css'
import './graph.css'

const nodeTypes = { mesh: NodeCard }
const edgeTypes = { mesh: EdgeLine }
/** With more, only those of what is chosen have their figures beside them. */
const mostLabels = 60
/** With more, those that fail and those of what is chosen are elements, the others are painted. */
const mostLines = 150

export interface GraphProps {
  readonly topology: ShownTopology
  /** Id of a node, or "from to" of an edge. */
  readonly chosen: string
  readonly choose: (chosen: string | undefined) => void
}

export function Graph(props: GraphProps) {
  return (
    <ReactFlowProvider>
      <Picture {...props} />
    </ReactFlowProvider>
  )
}

function Picture({ topology, chosen, choose }: GraphProps) {
  const { nodes, edges, windowMs } = topology
  const readable = useReadable(nodes.length)
  const places = usePlaces(topology)
  const shownNodes = useShownNodes({ topology, places, chosen, readable })
  const [lines, crowd] = useMemo(() => apart(edges, chosen), [edges, chosen])
  const shownEdges = useMemo(
    () => lines.map((edge) => shownEdge(edge, windowMs, chosen, edges.length <= mostLabels)),
    [lines, windowMs, chosen, edges.length],
  )
  /** By keyboard: Enter on what has the focus. */
  const follow = (changes: readonly (NodeChange<MeshNode> | EdgeChange<MeshEdge>)[]): void => {
    for (const change of changes) if (change.type === 'select' && change.selected) choose(change.id)
  }
  return (
    <ReactFlow
      nodes={shownNodes}
      edges={shownEdges}
      nodeTypes={nodeTypes}
      edgeTypes={edgeTypes}
      onNodeClick={(_, { id }) => choose(id)}
      onEdgeClick={(_, { id }) => choose(id)}
      onPaneClick={() => choose(undefined)}
      onNodesChange={follow}
      onEdgesChange={follow}
      onKeyDown={(event) => event.key === 'Escape' && choose(undefined)}
      nodesFocusable
      edgesFocusable
      nodesDraggable={false}
      nodesConnectable={false}
      fitView
      fitViewOptions={{ padding: 0.12, maxZoom: 1.1 }}
      minZoom={0.08}
      maxZoom={2}
      proOptions={{ hideAttribution: true }}
      aria-label="Topology: Tab goes from node to node, Enter chooses one, Escape lets it go"
    >
      {crowd.length > 0 && <Crowd edges={crowd} places={places} windowMs={windowMs} dimmed={chosen !== ''} />}
      <Background variant={BackgroundVariant.Dots} gap={22} size={1} />
      <Controls showInteractive={false} />
      {nodes.length > 40 && (
        <MiniMap pannable zoomable nodeClassName={(node) => `mini ${(node as MeshNode).data.node.health}`} />
      )}
    </ReactFlow>
  )
}

/** The same as long as nodes and edges are: signals change all the time, the structure does not. */
function usePlaces({ nodes, edges }: ShownTopology): ReadonlyMap<string, Place> {
  const known = useRef<{ readonly structure: readonly string[]; readonly places: ReadonlyMap<string, Place> }>(
    undefined,
  )
  return useMemo(() => {
    const structure = [
      ...nodes.map(({ id }) => id).toSorted(),
      '',
      ...edges.map(({ from, to }) => `${from} ${to}`).toSorted(),
    ]
    const before = known.current
    const isSame =
      before?.structure.length === structure.length && structure.every((one, at) => one === before.structure[at])
    if (before !== undefined && isSame) return before.places
    const places = layOut(
      nodes.map(({ id }) => id),
      edges,
    )
    known.current = { structure, places }
    return places
  }, [nodes, edges])
}

/** Those to draw as elements, which can be chosen, and those to paint. */
function apart(edges: readonly TopologyEdge[], chosen: string): [TopologyEdge[], TopologyEdge[]] {
  if (edges.length <= mostLines) return [[...edges], []]
  const lines: TopologyEdge[] = []
  const crowd: TopologyEdge[] = []

  let left = mostLines
  for (const edge of edges) {
    if (touches(edge, chosen) || (isBad(edge) && left-- > 0)) lines.push(edge)
    else crowd.push(edge)
  }
  return [lines, crowd]
}

function touches({ from, to }: TopologyEdge, chosen: string): boolean {
  return chosen !== '' && (from === chosen || to === chosen || `${from} ${to}` === chosen)
}

function shownEdge(edge: TopologyEdge, windowMs: number, chosen: string, isFew: boolean): MeshEdge {
  const id = `${edge.from} ${edge.to}`
  const near = touches(edge, chosen)
  return {
    id,
    source: edge.from,
    target: edge.to,
    type: 'mesh',
    data: { edge, windowMs, labelled: near || (chosen === '' && isFew), dimmed: chosen !== '' && !near },
    selected: id === chosen,
    ariaLabel: describeEdge(edge, windowMs),
    deletable: false,
  }
}

function isBad({ health }: TopologyEdge): boolean {
  return health === 'failing' || health === 'degraded'
}
