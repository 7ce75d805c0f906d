// The edges that are too many to be elements, painted behind the nodes: one canvas, painted anew when they or the view change.
import { useStore } from '@xyflow/react'
import { useEffect, useLayoutEffect, useRef, useState } from 'react'

import type { Health, TopologyEdge } from '../../../src/contracts/read-api.ts'
import { cardHeight, cardWidth } from './card-size.ts'
import { lineWidth } from './edge-line.tsx'
import type { Place } from './layout.ts'

/** Names of colours of the theme; what is worst is painted last. */
const colours: readonly (readonly [Health, string])[] = [
  ['idle', 'idle'],
  ['healthy', 'ok'],
  ['degraded', 'warn'],
  ['failing', 'bad'],
]

export interface CrowdProps {
  readonly edges: readonly TopologyEdge[]
  readonly places: ReadonlyMap<string, Place>
  readonly windowMs: number
  readonly dimmed: boolean
}

export function Crowd({ edges, places, windowMs, dimmed }: CrowdProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const width = useStore((state) => state.width)
  const height = useStore((state) => state.height)
  const transform = useStore((state) => state.transform)
  const theme = useThemeName()
  useLayoutEffect(() => {
    const context = canvas.current?.getContext('2d')
    if (context === null || context === undefined) return
    const scale = devicePixelRatio
    context.canvas.width = width * scale
    context.canvas.height = height * scale
    const [x, y, zoom] = transform
    context.setTransform(zoom * scale, 0, 0, zoom * scale, x * scale, y * scale)
    paint(context, { edges, places, windowMs })
  }, [edges, places, windowMs, width, height, transform, theme])
  return <canvas ref={canvas} className={`crowd ${dimmed ? 'dimmed' : ''}`} aria-hidden="true" />
}

function paint(context: CanvasRenderingContext2D, { edges, places, windowMs }: Omit<CrowdProps, 'dimmed'>): void {
  const theme = getComputedStyle(context.canvas)
  for (const [health, colour] of colours) {
    context.strokeStyle = theme.getPropertyValue(`--${colour}`)
    for (const edge of edges) {
      const [from, to] = [places.get(edge.from), places.get(edge.to)]
      if (edge.health !== health || from === undefined || to === undefined) continue
      context.lineWidth = lineWidth(edge, windowMs)
      context.beginPath()
      curve(context, from, to)
      context.stroke()
    }
  }
}

/** From the right side of one card to the left side of the other. */
function curve(context: CanvasRenderingContext2D, from: Place, to: Place): void {
  const [fromX, fromY, toX, toY] = [from.x + cardWidth, from.y + cardHeight / 2, to.x, to.y + cardHeight / 2]
  const distance = toX - fromX
  const bend = distance >= 0 ? distance / 2 : 6.25 * Math.sqrt(-distance)
  context.moveTo(fromX, fromY)
  context.bezierCurveTo(fromX + bend, fromY, toX - bend, toY, toX, toY)
}

function useThemeName(): string | undefined {
  const [name, setName] = useState(document.documentElement.dataset['theme'])
  useEffect(() => {
    const themed = new MutationObserver(() => setName(document.documentElement.dataset['theme']))
    themed.observe(document.documentElement, { attributes: true })
    return () => themed.disconnect()
  }, [])
  return name
}
