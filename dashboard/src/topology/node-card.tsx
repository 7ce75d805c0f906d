// One node of the picture: what it is, how it does, and its golden signals.
import { Handle, Position } from '@xyflow/react'
import type { Node, NodeProps } from '@xyflow/react'
import { memo } from 'react'

import { formatMs, formatRate, formatSuccess } from '../format.ts'
import { HealthMark } from '../health.tsx'
import type { ShownNode } from './by-namespace.ts'

export interface CardData extends Record<string, unknown> {
  readonly node: ShownNode
  readonly windowMs: number
  readonly dimmed: boolean
  /** Too small to be read: name and health alone. */
  readonly isFar: boolean
}

export type MeshNode = Node<CardData, 'mesh'>

const kinds: Readonly<Record<ShownNode['kind'], string>> = {
  service: 'service',
  workload: 'workload',
  gateway: 'gateway',
  external: 'external service',
  outside: 'outside',
  namespace: 'namespace',
}

export const NodeCard = memo(function NodeCard({ data, selected }: NodeProps<MeshNode>) {
  const { node, windowMs, dimmed, isFar } = data
  const asked = node.requests > 0
  const look = `card ${node.health} ${node.kind} ${selected ? 'selected' : ''} ${dimmed ? 'dimmed' : ''}`
  if (isFar)
    return (
      <div className={`${look} far`}>
        <Ends />
        <span className="card-name">{node.name}</span>
      </div>
    )
  return (
    <div className={look}>
      <Ends />
      <div className="card-head">
        <HealthMark health={node.health} />
        <span className="card-name">{node.name}</span>
      </div>
      <div className="card-place">
        {kinds[node.kind]}
        {node.namespace !== '' && ` · ${node.namespace}`}
        {node.workloads.length > 0 && ` · ${node.ready}/${node.workloads.length} ready`}
      </div>
      <div className="card-signals">
        {asked ? (
          <>
            <span>{formatRate(node.requests, windowMs)}</span>
            <span className={node.failed > 0 ? node.health : ''}>{formatSuccess(node)}</span>
            <span>{formatMs(node.durationMs?.p99)}</span>
          </>
        ) : (
          <span className="quiet">no request</span>
        )}
      </div>
    </div>
  )
})

/** Where edges end and begin: they are looked for when a card appears. */
function Ends() {
  return (
    <>
      <Handle type="target" position={Position.Left} isConnectable={false} />
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </>
  )
}

/** `CardData` in words. */
export function describeNode({ node, windowMs, isFar }: CardData): string {
  const { name, kind, namespace, health, requests, failed, durationMs, ready, workloads } = node
  const place = namespace === '' ? '' : ` in ${namespace}`
  const what = `${kinds[kind]} ${name}${place}, ${health}`
  if (isFar) return what
  const signals =
    requests === 0
      ? 'no request'
      : `${formatRate(requests, windowMs)}, success ${formatSuccess({ requests, failed })}, p99 ${formatMs(durationMs?.p99)}`
  return `${what}, ${signals}${workloads.length > 0 ? `, ${ready} of ${workloads.length} ready` : ''}`
}
