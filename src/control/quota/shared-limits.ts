// Which limits a proxy enforces together with others.
import type { MeshSnapshot } from '../snapshot/mesh-snapshot.ts'

/** Requests a second by name; `node` is "sidecar~default~web". */
export function sharedLimitsOf({ workloads }: MeshSnapshot, node: string): ReadonlyMap<string, number> {
  const [kind, namespace, name] = node.split('~')
  const workload = kind === 'sidecar' ? workloads.get(`${namespace}/${name}`) : undefined
  const limits = (workload?.ports ?? []).flatMap(({ rateLimits }) => rateLimits?.local ?? [])
  return new Map(
    limits.flatMap(({ name: limit, tokenBucket, shared }): [string, number][] =>
      shared === true ? [[limit, (tokenBucket.tokensPerFill * 1000) / tokenBucket.fillIntervalMs]] : [],
    ),
  )
}
