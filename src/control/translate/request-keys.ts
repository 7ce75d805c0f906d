// What of a request decides where it goes, as TrafficPolicies say of their targets: for the routes that lead there.
import { hostPort } from '../../contracts/xds/names.ts'
import type { HashPolicySpec } from '../../policies/load-balancing/load-balancing.spec.ts'
import type { MeshSnapshot, MeshTraffic } from '../snapshot/mesh-snapshot.ts'

export interface RequestKeys {
  /** Where it goes within a cluster that hashes; none for others. */
  within(cluster: string): readonly HashPolicySpec[]
  /** To which of several clusters it goes, this among them; none: it is drawn. */
  among(cluster: string): readonly HashPolicySpec[]
  /** Equal for keys that are equal. */
  readonly text: string
}

export function requestKeys(snapshot: MeshSnapshot): RequestKeys {
  const within = byCluster(snapshot, ({ hashPolicies }) => hashPolicies)
  const among = byCluster(snapshot, ({ stickySplit }) => stickySplit)
  return {
    within: (cluster) => within.get(cluster) ?? [],
    among: (cluster) => among.get(cluster) ?? [],
    text: JSON.stringify([[...within], [...among]]),
  }
}

function byCluster(
  { services }: MeshSnapshot,
  partsOf: (traffic: MeshTraffic) => readonly HashPolicySpec[] | undefined,
): ReadonlyMap<string, readonly HashPolicySpec[]> {
  const parts = new Map<string, readonly HashPolicySpec[]>()
  for (const { host, ports } of services.values()) {
    for (const { port, traffic } of ports) {
      const found = traffic === undefined ? undefined : partsOf(traffic)
      if (found !== undefined) parts.set(hostPort(host, port), found)
    }
  }
  return parts
}
