// One edge of the picture: as thick as it is busy, coloured by how it does, with a lock where every request had mutual TLS.
import { BaseEdge, EdgeLabelRenderer, getBezierPath } from '@xyflow/react'
import type { Edge, EdgeProps } from '@xyflow/react'
import { memo } from 'react'

import type { TopologyEdge } from '../../../src/contracts/read-api.ts'
import { formatMs, formatRate, formatSuccess, shortName } from '../format.ts'

export type MeshEdge = Edge<
  { readonly edge: TopologyEdge; readonly windowMs: number; readonly labelled: boolean; readonly dimmed: boolean },
  'mesh'
>

/** Between the cards of one column and those of the next but one. */
const longEdge = 300
const labelDistance = 70

export const EdgeLine = memo(function EdgeLine(props: EdgeProps<MeshEdge>) {
  const { id, data, selected } = props
  const [path, middleX, middleY] = getBezierPath(props)
  if (data === undefined) return null
  const { edge, windowMs, labelled, dimmed } = data
  // in the middle, or, of one that passes others by, just before its end: never on a card
  const isLong = Math.abs(props.targetX - props.sourceX) > longEdge
  const [labelX, labelY] = isLong ? [props.targetX - labelDistance, props.targetY] : [middleX, middleY]
  const state = `${edge.health} ${selected === true ? 'selected' : ''} ${dimmed ? 'dimmed' : ''}`
  return (
    <>
      <BaseEdge
        id={id}
        path={path}
        className={`line ${state}`}
        style={{ strokeWidth: lineWidth(edge, windowMs) }}
        interactionWidth={18}
      />
      {(labelled || selected === true) && edge.requests > 0 && (
        <EdgeLabelRenderer>
          <div
            className={`line-label ${state}`}
            style={{ transform: `translate(-50%, -50%) translate(${labelX}px, ${labelY}px)` }}
            aria-hidden="true"
          >
            <span className={`lock ${edge.mtls}`} title={`mTLS: ${edge.mtls}`} />
            {formatRate(edge.requests, windowMs)}
            {edge.failed > 0 && <b className={edge.health}> {formatSuccess(edge)}</b>}
            <span className="quiet"> {formatMs(edge.durationMs?.p99)}</span>
          </div>
        </EdgeLabelRenderer>
      )}
    </>
  )
})

/** As the edge is busy. */
export function lineWidth({ requests }: TopologyEdge, windowMs: number): number {
  return 1.5 + Math.min(4, Math.log10(1 + (requests * 1000) / windowMs) * 1.6)
}

export function describeEdge(
  { from, to, requests, failed, durationMs, mtls, health }: TopologyEdge,
  windowMs: number,
): string {
  const signals = `${formatRate(requests, windowMs)}, success ${formatSuccess({ requests, failed })}, p99 ${formatMs(durationMs?.p99)}`
  return `${shortName(from)} calls ${shortName(to)}, ${health}, ${signals}, mutual TLS: ${mtls}`
}
