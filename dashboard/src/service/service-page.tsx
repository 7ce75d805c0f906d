// A service: its golden signals over time with what happened meanwhile, the workloads behind it, who calls it, and what is written about it.
import { useMemo } from 'react'

import type { Series, ServiceView } from '../../../src/contracts/read-api.ts'
import { Refused, useAnswer } from '../api/ask.ts'
import { useLive } from '../api/live.tsx'
import { EdgeTable } from '../edge-table.tsx'
import { EventList } from '../events/event-list.tsx'
import { formatMs, formatRate, formatSuccess } from '../format.ts'
import { HealthText } from '../health.tsx'
import { Place, WorkloadTable } from '../lists/workload-table.tsx'
import { href } from '../route.ts'
import { FailedRequests } from '../traffic/failed-requests.tsx'
import { SignalChart } from './signal-chart.tsx'

export interface ServicePageProps {
  readonly namespace: string
  readonly name: string
  readonly windowMs: number
}

/** Charts look back further than figures: what was before is what they are for. */
const chartFactor = 5
const points = 150

export function ServicePage({ namespace, name, windowMs }: ServicePageProps) {
  const { events } = useLive()
  const path = `v1/services/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`
  const { answer: service, error } = useAnswer<ServiceView>(
    `${path} ${windowMs}`,
    () => `${path}?windowMs=${windowMs}`,
    2_000,
  )
  const chartMs = Math.min(windowMs * chartFactor, 6 * 3_600_000)
  const stepMs = stepOf(chartMs)
  const { answer: series } = useAnswer<Series>(
    `series ${path} ${chartMs}`,
    () => {
      const toMs = Math.floor(Date.now() / stepMs) * stepMs
      const query = {
        service: `${namespace}/${name}`,
        fromMs: String(toMs - chartMs),
        toMs: String(toMs),
        stepMs: String(stepMs),
      }
      return `v1/series?${new URLSearchParams(query)}`
    },
    Math.max(2_000, stepMs),
  )
  const sinceMs = Date.now() - chartMs
  const related = useMemo(() => relatedTo(service), [service])
  const happened = events.filter(({ atMs, subject, documents, kind }) => {
    if (atMs < sinceMs) return false
    const named = [...(subject === undefined ? [] : [subject]), ...(documents ?? [])]
    return kind !== 'certificate' && named.some((one) => related.has(one))
  })
  if (service === undefined) {
    const missing = error instanceof Refused && error.status === 404
    return (
      <div className="page">
        <h1>{name}</h1>
        <p className="empty">
          {missing
            ? `There is no Service ${namespace}/${name} in this mesh (any more).`
            : (error?.message ?? 'Asking the control plane…')}{' '}
          {missing && <a href={href(['services'])}>All services</a>}
        </p>
      </div>
    )
  }
  return (
    <div className="page">
      <header className="page-head">
        <h1>{service.name}</h1>
        <HealthText health={service.health} />
        <span className="quiet">
          {service.namespace} · {service.ports.map(({ port, protocol }) => `${port}/${protocol}`).join(', ')} ·{' '}
          <code>{service.host}</code>
        </span>
        <a className="button" href={href(['topology'], { node: service.id })}>
          In the topology
        </a>
        <FailedRequests service={service.id} failed={service.failed} />
      </header>
      <dl className="tiles">
        <div>
          <dt>Rate</dt>
          <dd>{formatRate(service.requests, service.windowMs)}</dd>
        </div>
        <div className={service.failed > 0 ? service.health : ''}>
          <dt>Success</dt>
          <dd>{formatSuccess(service)}</dd>
        </div>
        <div>
          <dt>p50</dt>
          <dd>{formatMs(service.durationMs?.p50)}</dd>
        </div>
        <div>
          <dt>p90</dt>
          <dd>{formatMs(service.durationMs?.p90)}</dd>
        </div>
        <div>
          <dt>p99</dt>
          <dd>{formatMs(service.durationMs?.p99)}</dd>
        </div>
      </dl>
      {series === undefined ? <div className="charts loading" /> : <Charts series={series} events={happened} />}
      <section>
        <h2>Meanwhile</h2>
        <EventList events={happened.slice(-20)} empty="Nothing happened to this service in this time." />
      </section>
      <section>
        <h2>Workloads</h2>
        <WorkloadTable
          workloads={service.workloads}
          windowMs={service.windowMs}
          empty={
            service.external
              ? 'It is outside the mesh.'
              : 'No workload is behind it: compare its selector with the labels of Workloads.'
          }
        />
      </section>
      <section>
        <h2>Called by</h2>
        <EdgeTable
          edges={service.callers}
          windowMs={service.windowMs}
          caption="Callers"
          empty="Nobody has called it in this time."
          without="to"
        />
      </section>
      <section>
        <h2>Calls</h2>
        <EdgeTable
          edges={service.calls}
          windowMs={service.windowMs}
          caption="What it calls"
          empty="It has called nobody in this time."
          without="from"
        />
      </section>
      <section>
        <h2>Written about it</h2>
        <ul className="plain">
          {[service.document, ...service.policies].map((place) => (
            <li key={place.id}>
              <a href={href(['configuration'], { find: place.id })}>{place.id}</a> <Place place={place} />
            </li>
          ))}
        </ul>
      </section>
    </div>
  )
}

function Charts({
  series,
  events,
}: {
  readonly series: Series
  readonly events: Parameters<typeof SignalChart>[0]['events']
}) {
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
  const wantedMs = chartMs / points
  const unitMs = chartMs > 900_000 ? 15_000 : 1_000
  return Math.max(unitMs, Math.ceil(wantedMs / unitMs) * unitMs)
}

/** What events may be about that concern it. */
function relatedTo(service: ServiceView | undefined): ReadonlySet<string> {
  if (service === undefined) return new Set()
  const workloads = service.workloads.map(({ namespace, name }) => `Workload/${namespace}/${name}`)
  return new Set([service.document.id, ...service.policies.map(({ id }) => id), ...workloads])
}
