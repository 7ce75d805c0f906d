// Observed traffic → requests summed by whatever they are to have in common: by edge, by route, by workload. Pure.
import type { DocumentPlace, TrafficKey, TrafficSum, TrafficSums } from '../contracts/read-api.ts'
import type { MeshSnapshot } from '../control/snapshot/mesh-snapshot.ts'
import type { ObservedTraffic, TrafficSeries } from '../control/telemetry/observed-traffic.ts'
import { nodeIds } from './node-ids.ts'
import { healthOf, mtlsOf, signalsOf } from './topology.ts'

export interface TrafficQuery {
  readonly by: readonly TrafficKey[]
  readonly windowMs: number
  readonly agoMs: number
  /** Of the history, at most; 0: none. */
  readonly parts: number
}

export interface TrafficInput {
  readonly snapshot: MeshSnapshot
  readonly traffic: ObservedTraffic
  readonly placeOfRoute: (route: string) => DocumentPlace | undefined
}

const secondMs = 1_000

/** Of whole seconds: a rate over a second that is not over would be too low. */
export function buildTrafficSums(input: TrafficInput, query: TrafficQuery, nowMs: number): TrafficSums {
  const { snapshot, traffic, placeOfRoute } = input
  const toMs = secondsOf(nowMs - query.agoMs)
  const fromMs = Math.min(toMs - secondMs, Math.max(toMs - query.windowMs, secondsOf(traffic.sinceMs)))
  const period = traffic.period(fromMs, toMs)
  const ids = nodeIds(snapshot, period)
  const valueOf = (series: TrafficSeries, key: TrafficKey): string => {
    if (key === 'from') return ids.from(series)
    return key === 'to' ? ids.to(series) : series[key]
  }
  const keyOf = (series: TrafficSeries): string => query.by.map((key) => valueOf(series, key)).join('\n')
  const histories = query.parts === 0 ? undefined : traffic.history(fromMs, toMs, query.parts, keyOf)
  const sums = [...period.groups(keyOf)].map(([joined, group]): TrafficSum => {
    const values = joined.split('\n')
    const named = Object.fromEntries(query.by.map((key, index) => [key, values[index] ?? '']))
    const document = named['route'] === undefined ? undefined : placeOfRoute(named['route'])
    const history = histories?.get(joined)
    return {
      ...named,
      ...signalsOf(group),
      mtls: mtlsOf(group),
      codes: group.codes,
      health: healthOf(group),
      ...(document !== undefined && { document }),
      ...(history !== undefined && { history }),
    }
  })
  return { atMs: toMs, windowMs: toMs - fromMs, sums }
}

function secondsOf(ms: number): number {
  return Math.floor(ms / secondMs) * secondMs
}
