// Nodes as the graph takes them: what looks as before is the same object as before, so that only what changed is drawn again.
import { Position, useStore } from '@xyflow/react'
import { useMemo, useRef } from 'react'

import type { ShownTopology } from './by-namespace.ts'
import { cardHeight, cardWidth } from './card-size.ts'
import type { Place } from './layout.ts'
import { describeNode } from './node-card.tsx'
import type { MeshNode } from './node-card.tsx'

const mostReadable = 200
/** Of more than `mostReadable`, cards that are smaller cannot be read. */
const farZoom = 0.5
/** What can be read changes in such steps while the picture is moved. */
const stepOfView = 600
const handles: NonNullable<MeshNode['handles']> = [
  { type: 'target', position: Position.Left, x: 0, y: cardHeight / 2, width: 1, height: 1 },
  { type: 'source', position: Position.Right, x: cardWidth, y: cardHeight / 2, width: 1, height: 1 },
]

/** Left, top, right and bottom. */
type Area = readonly [number, number, number, number]

/** Where cards of a big picture say all; the others say what can be seen from far away, which seldom changes. Undefined: all of them. */
export function useReadable(nodes: number): Area | undefined {
  const key = useStore(({ transform: [x, y, zoom], width, height }) => {
    if (nodes <= mostReadable) return ''
    if (zoom < farZoom) return '0 0 0 0'
    const step = (at: number): number => Math.round(at / stepOfView) * stepOfView
    const [left, top] = [step(-x / zoom), step(-y / zoom)]
    const [right, bottom] = [left + width / zoom, top + height / zoom]
    return [left - stepOfView, top - stepOfView, right + stepOfView, bottom + stepOfView].join(' ')
  })
  return useMemo(() => (key === '' ? undefined : (key.split(' ').map(Number) as unknown as Area)), [key])
}

function isInside({ x, y }: Place, [left, top, right, bottom]: Area): boolean {
  return x > left && x < right && y > top && y < bottom
}

interface ShownNodesInput {
  readonly topology: ShownTopology
  readonly places: ReadonlyMap<string, Place>
  readonly chosen: string
  readonly readable: Area | undefined
}

/** One that looks as before is the same object as before: it is not drawn again. */
export function useShownNodes({ topology, places, chosen, readable }: ShownNodesInput): MeshNode[] {
  const known = useRef<ReadonlyMap<string, MeshNode>>(new Map())
  return useMemo(() => {
    const { nodes, edges, windowMs } = topology
    const near = new Set(
      edges
        .filter(({ from, to }) => from === chosen || to === chosen || `${from} ${to}` === chosen)
        .flatMap(({ from, to }) => [from, to]),
    )
    const shown = nodes.map((node): MeshNode => {
      const { id } = node
      const position = places.get(id) ?? { x: 0, y: 0 }
      const selected = id === chosen
      const isFar = readable !== undefined && !isInside(position, readable)
      const data = { node, windowMs, isFar, dimmed: chosen !== '' && !selected && !near.has(id) }
      const ariaLabel = describeNode(data)
      const before = known.current.get(id)
      const isSame =
        before?.ariaLabel === ariaLabel &&
        before.position === position &&
        before.selected === selected &&
        before.data.dimmed === data.dimmed &&
        before.data.isFar === isFar
      if (before !== undefined && isSame) return before
      return {
        id,
        type: 'mesh',
        position,
        data,
        selected,
        ariaLabel,
        handles,
        measured: { width: cardWidth, height: cardHeight },
        draggable: false,
        connectable: false,
        deletable: false,
      }
    })
    known.current = new Map(shown.map((node) => [node.id, node]))
    return shown
  }, [topology, places, chosen, readable])
}
