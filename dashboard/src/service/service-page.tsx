// A service: its golden signals over time with what happened meanwhile, the workloads behind it, who calls it, and what is written about it.
import { useMemo } from 'react'

import type { ServiceView } from '../../../src/contracts/read-api.ts'
import { Refused, useAnswer } from '../api/ask.ts'
import { useLive } from '../api/live.ts'
import { EdgeTable } from '../edge-table.tsx'
import { EventList } from '../events/event-list.tsx'
import { HealthText } from '../health.tsx'
import { WorkloadTable } from '../lists/workload-table.tsx'
import { href } from '../route.ts'
import { FailedRequests } from '../traffic/failed-requests.tsx'
import { Documents } from './documents.tsx'
import { EndpointTable } from './endpoint-table.tsx'
import { useChartMs } from './look-back.tsx'
import { RouteTable } from './route-table.tsx'
import { SignalCharts } from './signal-charts.tsx'
import { Tiles } from './tiles.tsx'

export interface ServicePageProps {
  readonly namespace: string
  readonly name: string
  readonly windowMs: number
}

export function ServicePage({ namespace, name, windowMs }: ServicePageProps) {
  const { events } = useLive()
  const path = `v1/services/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`
  const { answer: service, error } = useAnswer<ServiceView>(
    `${path} ${windowMs}`,
    () => `${path}?windowMs=${windowMs}`,
    2_000,
  )
  const chartMs = useChartMs(windowMs)
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
        <span className="actions">
          <a className="button" href={href(['traffic'], { live: 'yes', service: `${namespace}/${name}` })}>
            Live requests
          </a>
          <FailedRequests service={service.id} failed={service.failed} />
          <a className="button" href={href(['topology'], { node: service.id })}>
            In the topology
          </a>
        </span>
      </header>
      <Tiles signals={service} windowMs={service.windowMs} />
      <SignalCharts of={`service=${encodeURIComponent(`${namespace}/${name}`)}`} chartMs={chartMs} events={happened} />
      <section>
        <h2>Meanwhile</h2>
        <EventList events={happened.slice(-20)} empty="Nothing happened to this service in this time." />
      </section>
      <section>
        <h2>Workloads</h2>
        {service.passedOver.map(({ by, ejected, unhealthy }) => (
          <p key={by} className="degraded">
            ▲ {by} passes over{' '}
            {[
              ...(ejected > 0 ? [`${ejected} by outlier detection`] : []),
              ...(unhealthy > 0 ? [`${unhealthy} by health checks`] : []),
            ].join(', ')}
          </p>
        ))}
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
        <h2>Endpoints</h2>
        <EndpointTable namespace={namespace} name={name} windowMs={windowMs} />
      </section>
      <section>
        <h2>Routes</h2>
        <RouteTable routes={service.routes} windowMs={service.windowMs} />
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
        <Documents places={[service.document, ...service.policies]} />
      </section>
    </div>
  )
}

/** What events may be about that concern it. */
function relatedTo(service: ServiceView | undefined): ReadonlySet<string> {
  if (service === undefined) return new Set()
  const workloads = service.workloads.map(({ namespace, name }) => `Workload/${namespace}/${name}`)
  return new Set([service.document.id, ...service.policies.map(({ id }) => id), ...workloads])
}
