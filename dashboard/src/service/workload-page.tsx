// A workload: its golden signals over time with what happened meanwhile, what it answered and sent, and who is let in.
import type { EdgeView, TelemetryView, WorkloadDetail } from '../../../src/contracts/read-api.ts'
import { Refused, useAnswer } from '../api/ask.ts'
import { useLive } from '../api/live.ts'
import { Codes, Name } from '../edge-table.tsx'
import { EventList } from '../events/event-list.tsx'
import { Admissions } from '../lists/security-page.tsx'
import { WorkloadTable } from '../lists/workload-table.tsx'
import { href } from '../route.ts'
import { SignalCells, SignalHeads } from '../signal-cells.tsx'
import { Documents } from './documents.tsx'
import { useChartMs } from './look-back.tsx'
import { SignalCharts } from './signal-charts.tsx'
import { Tiles } from './tiles.tsx'

const columns = ['rate', 'success', 'p99'] as const

export interface WorkloadPageProps {
  readonly namespace: string
  readonly name: string
  readonly windowMs: number
}

export function WorkloadPage({ namespace, name, windowMs }: WorkloadPageProps) {
  const { events } = useLive()
  const path = `v1/workloads/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`
  const { answer, error } = useAnswer<WorkloadDetail>(
    `${path} ${windowMs}`,
    () => `${path}?windowMs=${windowMs}`,
    2_000,
  )
  const chartMs = useChartMs(windowMs)
  const id = `Workload/${namespace}/${name}`
  const sinceMs = Date.now() - chartMs
  const happened = events.filter(
    ({ atMs, subject, documents }) => atMs >= sinceMs && (subject === id || documents?.includes(id) === true),
  )
  if (answer === undefined) {
    const missing = error instanceof Refused && error.status === 404
    return (
      <div className="page">
        <h1>{name}</h1>
        <p className="empty">
          {missing
            ? `There is no Workload ${namespace}/${name} in this mesh (any more).`
            : (error?.message ?? 'Asking the control plane…')}{' '}
          {missing && <a href={href(['workloads'])}>All workloads</a>}
        </p>
      </div>
    )
  }
  const { workload } = answer
  return (
    <div className="page">
      <header className="page-head">
        <h1>{workload.name}</h1>
        <span className={`state ${workload.state ?? 'unknown'}`}>{workload.state ?? 'run by others'}</span>
        <span className="quiet">
          {workload.namespace} · <code>{workload.spiffeId}</code>
        </span>
        <span className="actions">
          <a className="button" href={href(['traffic'], { live: 'yes', workload: `${namespace}/${name}` })}>
            Live requests
          </a>
          <a className="button" href={href(['configuration'], { find: id })}>
            Where it is written
          </a>
        </span>
      </header>
      <p className="quiet">
        {answer.services.length === 0 ? 'No Service leads to it.' : 'Behind '}
        {answer.services.map((service) => (
          <span key={service}>
            <Name id={service} />{' '}
          </span>
        ))}
        {Object.entries(workload.labels).map(([label, value]) => (
          <span key={label} className="code">
            {label}={value}
          </span>
        ))}
      </p>
      <Told telemetry={answer.telemetry} />
      <Tiles signals={workload} windowMs={answer.windowMs} />
      <SignalCharts of={`workload=${encodeURIComponent(`${namespace}/${name}`)}`} chartMs={chartMs} events={happened} />
      <section>
        <h2>Meanwhile</h2>
        <EventList events={happened.slice(-20)} empty="Nothing happened to this workload in this time." />
      </section>
      <section>
        <h2>Now</h2>
        <WorkloadTable workloads={[workload]} windowMs={answer.windowMs} empty="" />
      </section>
      <section>
        <h2>Answered</h2>
        <Requests
          edges={answer.answered}
          windowMs={answer.windowMs}
          end="source"
          empty="It has answered nobody in this time."
        />
      </section>
      <section>
        <h2>Sent</h2>
        <Requests
          edges={answer.sent}
          windowMs={answer.windowMs}
          end="service"
          empty="It has called nobody in this time."
        />
      </section>
      <section>
        <h2>Who is let in</h2>
        <Admissions admissions={[answer.admission]} />
      </section>
      <section>
        <h2>Written about it</h2>
        <Documents places={[workload.document, ...answer.policies]} />
      </section>
    </div>
  )
}

/** What is not told of its requests, so that nobody takes silence for calm. */
function Told({ telemetry }: { readonly telemetry: TelemetryView }) {
  const { metrics, decisionRecords, accessLog, documents } = telemetry
  const off = [
    ...(metrics ? [] : ['metrics (what is shown is what others count)']),
    ...(decisionRecords ? [] : ['requests that are kept']),
    ...(accessLog ? [] : ['access log']),
  ]
  if (off.length === 0) return null
  return (
    <p className="quiet">
      Off: {off.join(', ')}
      {documents.map(({ id, file, line }) => (
        <span key={id} className="code">
          {file === undefined ? id : `${id} ${file}:${line}`}
        </span>
      ))}
    </p>
  )
}

interface RequestsProps {
  readonly edges: readonly EdgeView[]
  readonly windowMs: number
  /** Which end is the other one. */
  readonly end: 'source' | 'service'
  readonly empty: string
}

function Requests({ edges, windowMs, end, empty }: RequestsProps) {
  if (edges.length === 0) return <p className="empty">{empty}</p>
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{end === 'source' ? 'From' : 'To'}</th>
          <th scope="col">Route</th>
          <SignalHeads columns={columns} />
          <th scope="col">Answers</th>
        </tr>
      </thead>
      <tbody>
        {edges.map((edge) => {
          const other =
            end === 'source'
              ? edge.source || edge.sourcePrincipal || 'outside the mesh'
              : edge.service || 'outside the mesh'
          return (
            <tr key={`${edge.reporter} ${other} ${edge.workload} ${edge.route} ${edge.protocol}`}>
              <td>{other}</td>
              <td>{edge.route === '' ? '–' : <code>{edge.route}</code>}</td>
              <SignalCells signals={edge} windowMs={windowMs} columns={columns} />
              <td>
                <Codes codes={edge.codes} />
              </td>
            </tr>
          )
        })}
      </tbody>
    </table>
  )
}
