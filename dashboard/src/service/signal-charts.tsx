// The golden signals of a service or workload over time, with what happened meanwhile.
import { useMemo } from 'react'

import type { MeshEvent } from '../../../src/contracts/mesh-event.ts'
import type { Series } from '../../../src/contracts/read-api.ts'
import { useAnswer } from '../api/ask.ts'
import { formatMs } from '../format.ts'
import { LookBack } from './look-back.tsx'
import { SignalChart } from './signal-chart.tsx'

import './service.css'

export interface SignalChartsProps {
  /** Whose: "service=default/web", as the read API asks for it. */
  readonly of: string
  readonly chartMs: number
  readonly events: readonly MeshEvent[]
}

const mostPoints = 150

export function SignalCharts({ of, chartMs, events }: SignalChartsProps) {
  const stepMs = stepOf(chartMs)
  const { answer: series } = useAnswer<Series>(
    `series ${of} ${chartMs}`,
    () => {
      const toMs = Math.floor(Date.now() / stepMs) * stepMs
      return `v1/series?${of}&fromMs=${toMs - chartMs}&toMs=${toMs}&stepMs=${stepMs}`
    },
    Math.max(2_000, stepMs),
  )
  if (series === undefined) return <div className="charts" />
  return (
    <>
      <LookBack {...(series.history && { history: series.history })} />
      <Charts series={series} events={events} />
    </>
  )
}

function Charts({ series, events }: { readonly series: Series; readonly events: readonly MeshEvent[] }) {
  const { times, rate, failing, success, p50, p90, p99 } = useMemo(() => {
    const perSecond = 1000 / series.stepMs
    // what nobody knows is not nothing
    const firstMs = series.knownSinceMs - series.stepMs
    const quantile = (name: 'p50' | 'p90' | 'p99') => series.points.map(({ durationMs }) => durationMs?.[name] ?? null)
    return {
      times: series.points.map(({ atMs }) => atMs / 1000),
      rate: series.points.map(({ atMs, requests }) => (atMs < firstMs ? null : requests * perSecond)),
      failing: series.points.map(({ atMs, failed }) => (atMs < firstMs ? null : failed * perSecond)),
      success: series.points.map(({ requests, failed }) =>
        requests === 0 ? null : ((requests - failed) / requests) * 100,
      ),
      p50: quantile('p50'),
      p90: quantile('p90'),
      p99: quantile('p99'),
    }
  }, [series])
  const rates = useMemo(
    () => [
      { label: 'requests', colour: 'accent', values: rate, filled: true },
      { label: 'failed', colour: 'bad', values: failing, filled: true },
    ],
    [rate, failing],
  )
  const successes = useMemo(() => [{ label: 'success', colour: 'ok', values: success }], [success])
  const durations = useMemo(
    () => [
      { label: 'p50', colour: 'ok', values: p50 },
      { label: 'p90', colour: 'warn', values: p90 },
      { label: 'p99', colour: 'bad', values: p99 },
    ],
    [p50, p90, p99],
  )
  return (
    <div className="charts">
      <SignalChart
        title="Requests per second"
        times={times}
        curves={rates}
        format={(value) => `${value.toFixed(value >= 10 ? 0 : 1)}/s`}
        events={events}
      />
      <SignalChart
        title="Success"
        times={times}
        curves={successes}
        format={(value) => `${value.toFixed(value === 100 || value === 0 ? 0 : 1)}%`}
        events={events}
        most={100}
      />
      <SignalChart title="Duration" times={times} curves={durations} format={formatMs} events={events} />
    </div>
  )
}

/** Whole quarters of a minute beyond what is known by the second. */
function stepOf(chartMs: number): number {
  const wantedMs = chartMs / mostPoints
  const unitMs = chartMs > 900_000 ? 15_000 : 1_000
  return Math.max(unitMs, Math.ceil(wantedMs / unitMs) * unitMs)
}
