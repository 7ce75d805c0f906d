// What of a request decides where it goes, as TrafficPolicies say of their targets: for the routes that lead there.
import { hostPort } from '../../contracts/xds/names.ts'
import type { HashPolicySpec, SubsetKeySpec } from '../../policies/load-balancing/load-balancing.spec.ts'
import type { RouteDefaults } from '../../policies/route-defaults.xds.ts'
import type { SessionPersistenceSpec } from '../../policies/session-persistence/session-persistence.spec.ts'
import type { MeshSnapshot, MeshTraffic } from '../snapshot/mesh-snapshot.ts'

export interface RequestKeys {
  /** Where it goes within a cluster that hashes; none for others. */
  within(cluster: string): readonly HashPolicySpec[]
  /** To which of several clusters it goes, this among them; none: it is drawn. */
  among(cluster: string): readonly HashPolicySpec[]
  /** To which of its endpoints; undefined: nothing decides. */
  toSubset(cluster: string): readonly SubsetKeySpec[] | undefined
  /** How it stays with the endpoint that has answered the first of its client; undefined: it does not. */
  session(cluster: string): SessionPersistenceSpec | undefined
  /** What holds for routes there that say nothing of their own; undefined: nothing. */
  defaults(cluster: string): Partial<RouteDefaults> | undefined
  /** Equal for keys that are equal. */
  readonly text: string
}

export function requestKeys(snapshot: MeshSnapshot): RequestKeys {
  const within = byCluster(snapshot, ({ hashPolicies }) => hashPolicies)
  const among = byCluster(snapshot, ({ stickySplit }) => stickySplit)
  const defaults = byCluster(snapshot, ({ timeouts, retry }) =>
    timeouts === undefined && retry === undefined
      ? undefined
      : { ...(timeouts === undefined ? {} : { timeouts }), ...(retry === undefined ? {} : { retry }) },
  )
  const sessions = byCluster(snapshot, ({ sessionPersistence }) => sessionPersistence)
  const toSubset = byCluster(snapshot, ({ subsetKeys }) => subsetKeys)
  return {
    within: (cluster) => within.get(cluster) ?? [],
    among: (cluster) => among.get(cluster) ?? [],
    toSubset: (cluster) => toSubset.get(cluster),
    session: (cluster) => sessions.get(cluster),
    defaults: (cluster) => defaults.get(cluster),
    text: JSON.stringify([[...within], [...among], [...toSubset], [...sessions], [...defaults]]),
  }
}

function byCluster<T>(
  { services }: MeshSnapshot,
  partsOf: (traffic: MeshTraffic) => T | undefined,
): ReadonlyMap<string, T> {
  const parts = new Map<string, T>()
  for (const { host, ports } of services.values()) {
    for (const { port, traffic } of ports) {
      const found = traffic === undefined ? undefined : partsOf(traffic)
      if (found !== undefined) parts.set(hostPort(host, port), found)
    }
  }
  return parts
}
