// Signals over a time of which the control plane knows a part: what it knows, and what somebody with a longer memory says of before.
import type { Series, SeriesPoint } from '../contracts/read-api.ts'
import {
  observedForMs,
  type ObservedTraffic,
  type TrafficPoint,
  type TrafficSeries,
} from '../control/telemetry/observed-traffic.ts'
import type { PrometheusHistory } from '../control/telemetry/prometheus-history.ts'
import { errorMessage } from '../core/errors.ts'

export interface SeriesQuery {
  readonly fromMs: number
  readonly toMs: number
  readonly stepMs: number
  /** Host of a Service; undefined: all. */
  readonly service: string | undefined
  /** "namespace/name"; undefined: all. */
  readonly workload: string | undefined
}

/** `history`: undefined: nobody remembers more. */
export async function buildSeries(
  traffic: ObservedTraffic,
  history: Pick<PrometheusHistory, 'points'> | undefined,
  query: SeriesQuery,
  nowMs: number,
): Promise<Series> {
  const { stepMs, service, workload, toMs } = query
  const fits = (one: TrafficSeries): boolean =>
    (service === undefined || one.service === service) && (workload === undefined || one.workload === workload)
  const known = traffic.points(query.fromMs, toMs, stepMs, fits)
  const knownSinceMs = Math.max(traffic.sinceMs, nowMs - observedForMs)
  const series = { stepMs, knownSinceMs: traffic.sinceMs, points: known.map(toPoint) }
  if (history === undefined) return series
  const before = known.filter(({ startMs }) => startMs < knownSinceMs)
  const [first] = before
  if (first === undefined) return { ...series, history: { source: 'prometheus' } }
  try {
    const last = before.at(-1) as TrafficPoint
    const asked = { fromMs: first.startMs, toMs: Math.min(last.startMs + stepMs, nowMs), stepMs, service, workload }
    const remembered = new Map((await history.points(asked)).map((point) => [point.startMs, point]))
    const points = known.map((point) => toPoint(remembered.get(point.startMs) ?? point))
    const sinceMs = Math.min(knownSinceMs, ...remembered.keys())
    return { stepMs, knownSinceMs: sinceMs, points, history: { source: 'prometheus' } }
  } catch (error) {
    return { ...series, history: { source: 'prometheus', problem: errorMessage(error) } }
  }
}

function toPoint({ startMs, ...signals }: TrafficPoint): SeriesPoint {
  return { atMs: startMs, ...signals }
}
