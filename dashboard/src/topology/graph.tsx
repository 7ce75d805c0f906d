// The picture of who calls whom. Places are found anew only when somebody comes or goes; signals change in place.
import { Background, BackgroundVariant, Controls, MiniMap, ReactFlow } from '@xyflow/react'
import type { EdgeChange, NodeChange } from '@xyflow/react'
import { useMemo } from 'react'

import '@xyflow/react/dist/style.css'
import './graph.css'
import type { ShownTopology } from './by-namespace.ts'
import { describeEdge, EdgeLine } from './edge-line.tsx'
import type { MeshEdge } from './edge-line.tsx'
import { layOut } from './layout.ts'
import type { Place } from './layout.ts'
import { describeNode, NodeCard } from './node-card.tsx'
import type { MeshNode } from './node-card.tsx'

const nodeTypes = { mesh: NodeCard }
const edgeTypes = { mesh: EdgeLine }
/** With more, only those of what is chosen have their figures beside them. */
const mostLabels = 60
const mostShownWhole = 200

export interface GraphProps {
  readonly topology: ShownTopology
  /** Id of a node, or "from to" of an edge. */
  readonly chosen: string
  readonly choose: (chosen: string | undefined) => void
}

export function Graph({ topology, chosen, choose }: GraphProps) {
  const { nodes, edges, windowMs } = topology
  const structure = [
    ...nodes.map(({ id }) => id).toSorted(),
    '',
    ...edges.map(({ from, to }) => `${from}\n${to}`).toSorted(),
  ].join('\n')
  const places = useMemo<ReadonlyMap<string, Place>>(
    () =>
      layOut(
        nodes.map(({ id }) => id),
        edges,
      ),
    // signals change all the time, the structure does not
    [structure],
  )
  const near = new Set(
    chosen === ''
      ? []
      : edges
          .filter(({ from, to }) => from === chosen || to === chosen || `${from} ${to}` === chosen)
          .flatMap(({ from, to }) => [from, to]),
  )
  const isFar = (id: string): boolean => chosen !== '' && id !== chosen && !near.has(id)
  const shownNodes = nodes.map((node): MeshNode => ({
    id: node.id,
    type: 'mesh',
    position: places.get(node.id) ?? { x: 0, y: 0 },
    data: { node, windowMs, dimmed: isFar(node.id) },
    selected: node.id === chosen,
    ariaLabel: describeNode(node, windowMs),
    draggable: false,
    connectable: false,
    deletable: false,
  }))
  const shownEdges = edges.map((edge): MeshEdge => {
    const id = `${edge.from} ${edge.to}`
    const touches = id === chosen || edge.from === chosen || edge.to === chosen
    return {
      id,
      source: edge.from,
      target: edge.to,
      type: 'mesh',
      data: {
        edge,
        windowMs,
        labelled: touches || (chosen === '' && edges.length <= mostLabels),
        dimmed: chosen !== '' && !touches,
      },
      selected: id === chosen,
      ariaLabel: describeEdge(edge, windowMs),
      deletable: false,
    }
  })
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
      onlyRenderVisibleElements={nodes.length > mostShownWhole}
      fitView
      fitViewOptions={{ padding: 0.12, maxZoom: 1.1 }}
      minZoom={0.08}
      maxZoom={2}
      proOptions={{ hideAttribution: true }}
      aria-label="Topology: Tab goes from node to node, Enter chooses one, Escape lets it go"
    >
      <Background variant={BackgroundVariant.Dots} gap={22} size={1} />
      <Controls showInteractive={false} />
      {nodes.length > 40 && (
        <MiniMap pannable zoomable nodeClassName={(node) => `mini ${(node as MeshNode).data.node.health}`} />
      )}
    </ReactFlow>
  )
}
