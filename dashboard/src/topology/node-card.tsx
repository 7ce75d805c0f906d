// One node of the picture: what it is, how it does, and its golden signals.
import { Handle, Position } from '@xyflow/react'
import type { Node, NodeProps } from '@xyflow/react'
import { memo } from 'react'

import { formatMs, formatRate, formatSuccess } from '../format.ts'
import { HealthMark } from '../health.tsx'
import type { ShownNode } from './by-namespace.ts'

export type MeshNode = Node<{ readonly node: ShownNode; readonly windowMs: number; readonly dimmed: boolean }, 'mesh'>

const kinds: Readonly<Record<ShownNode['kind'], string>> = {
  service: 'service',
  workload: 'workload',
  gateway: 'gateway',
  external: 'external service',
  outside: 'outside',
  namespace: 'namespace',
}

export const NodeCard = memo(function NodeCard({ data: { node, windowMs, dimmed }, selected }: NodeProps<MeshNode>) {
  const asked = node.requests > 0
  return (
    <div className={`card ${node.health} ${node.kind} ${selected ? 'selected' : ''} ${dimmed ? 'dimmed' : ''}`}>
      <Handle type="target" position={Position.Left} isConnectable={false} />
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
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </div>
  )
})

export function describeNode(
  { name, kind, namespace, health, requests, failed, durationMs }: ShownNode,
  windowMs: number,
): string {
  const place = namespace === '' ? '' : ` in ${namespace}`
  const signals =
    requests === 0
      ? 'no request'
      : `${formatRate(requests, windowMs)}, success ${formatSuccess({ requests, failed })}, p99 ${formatMs(durationMs?.p99)}`
  return `${kinds[kind]} ${name}${place}, ${health}, ${signals}`
}
