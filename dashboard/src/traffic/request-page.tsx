// One request: a waterfall of its hops, what each decided, why, where that is written; and what had changed before.
import type { CSSProperties } from 'react'

import type { DecisionRecord, SourceLocation } from '../../../src/contracts/decision-record.ts'
import type { RequestHop, RequestView } from '../../../src/contracts/read-api.ts'
import { Refused, useAnswer } from '../api/ask.ts'
import { useLive } from '../api/live.ts'
import { EventList } from '../events/event-list.tsx'
import { formatMs } from '../format.ts'
import { href } from '../route.ts'
import { Status } from './request-status.tsx'
import { askedFor } from './traffic-page.tsx'

import './traffic.css'

/** What changed so long before may have caused it. */
const beforeMs = 15 * 60_000
const mostEvents = 8

export function RequestPage({ id }: { readonly id: string }) {
  const { answer: request, error } = useAnswer<RequestView>(
    `request ${id}`,
    () => `v1/requests/${encodeURIComponent(id)}`,
    5_000,
  )
  const { events } = useLive()
  if (request === undefined) {
    const isMissing = error instanceof Refused && error.status === 404
    return (
      <div className="page">
        <h1>Request</h1>
        <p className="empty">
          {isMissing ? 'This request is not known, or not any more.' : (error?.message ?? 'Asking the control plane…')}{' '}
          <a href={href(['traffic'])}>All that are kept</a>
        </p>
      </div>
    )
  }
  const { startMs, durationMs, fault, waterfall, requestIds, traceIds } = request
  const before = events.filter(
    ({ atMs, kind }) => kind !== 'certificate' && atMs >= startMs - beforeMs && atMs <= startMs + durationMs,
  )
  return (
    <div className="page">
      <header className="page-head">
        <h1>{askedFor(request)}</h1>
        <Status request={request} />
        <span className="quiet">
          {formatMs(durationMs)} · {new Date(startMs).toLocaleString()}
        </span>
        <a className="button" href={href(['traffic'])}>
          All requests
        </a>
      </header>
      {fault !== undefined && (
        <p className="fault">
          <b>{fault.proxy}</b> {fault.reason} {fault.source !== undefined && <code>{fault.source}</code>}
        </p>
      )}
      <ol className="waterfall" aria-label="Hops">
        {waterfall.map((hop, index) => (
          <Hop key={index} hop={hop} wholeMs={durationMs} />
        ))}
      </ol>
      <section>
        <h2>Before it</h2>
        <EventList
          events={before.slice(-mostEvents)}
          empty="Nothing happened in the quarter of an hour before it, as far as that is known."
        />
      </section>
      <p className="quiet">
        {requestIds.length > 0 && (
          <>
            x-request-id <code>{requestIds.join(', ')}</code>
          </>
        )}{' '}
        {traceIds.length > 0 && (
          <>
            trace <code>{traceIds.join(', ')}</code>
          </>
        )}{' '}
        In a terminal: <code>heddle trace {request.id}</code>
      </p>
    </div>
  )
}

function Hop({ hop, wholeMs }: { readonly hop: RequestHop; readonly wholeMs: number }) {
  const { record, depth, offsetMs, fault } = hop
  const { response, reporter, source, destination, mtls } = record
  const from = source.workload ?? source.principal ?? source.address ?? 'outside'
  const to = destination.workload ?? destination.service ?? destination.address ?? '–'
  return (
    <li>
      <details open={fault !== undefined}>
        <summary>
          <span className="hop" style={{ '--depth': depth } as CSSProperties}>
            {reporter === 'destination' ? (
              <>
                <b>{to}</b> got it {mtls ? 'by mTLS' : <span className="code refused">plaintext</span>}
              </>
            ) : (
              <>
                {from} → <b>{to}</b>
              </>
            )}{' '}
            <Status request={response} />
          </span>
          <span className="lane" aria-hidden="true">
            <span
              className={`bar-of-time ${fault === undefined ? '' : 'bad'}`}
              style={{ left: share(offsetMs, wholeMs), width: share(record.durationMs, wholeMs) }}
            />
          </span>
          <span className="number">
            {formatMs(offsetMs)} + {formatMs(record.durationMs)}
          </span>
        </summary>
        <Decisions record={record} fault={fault} />
      </details>
    </li>
  )
}

function Decisions({ record, fault }: { readonly record: DecisionRecord; readonly fault: RequestHop['fault'] }) {
  const { route, routeSource, cluster, authorization, rateLimit, filters, split, attempts, revision, request } = record
  const facts: readonly (readonly [string, React.ReactNode])[] = [
    ['Why', fault && <b className="failing">{fault.reason}</b>],
    ['Route', route && <Written what={route} place={routeSource} />],
    ['Cluster', cluster],
    ['Split', split && `${split.drawn} of ${split.total}: ${split.cluster}`],
    ['Authorization', authorization && <Written what={authorization.reason} place={authorization.source} />],
    ['Rate limit', rateLimit && `${rateLimit.limit}${rateLimit.enforced ? '' : ', not enforced'}`],
    ['Filters', filters?.map(({ filter, phase, did }) => `${filter} ${did} the ${phase.replace('_', ' ')}`).join(', ')],
    ['User agent', request.headers['user-agent']],
    ['Revision', revision],
  ]
  return (
    <>
      <dl className="figures">
        {facts.map(
          ([name, value]) =>
            value !== undefined && (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ),
        )}
      </dl>
      {attempts.length > 0 && (
        <table>
          <caption className="visually-hidden">Attempts</caption>
          <thead>
            <tr>
              <th scope="col">Attempt</th>
              <th scope="col">Endpoint</th>
              <th scope="col">What came</th>
              <th scope="col" className="number">
                After
              </th>
              <th scope="col" className="number">
                Took
              </th>
              <th scope="col">Tried again because</th>
            </tr>
          </thead>
          <tbody>
            {attempts.map((attempt, index) => (
              <tr key={index}>
                <td>{index + 1}</td>
                <td>
                  {attempt.workload} <code>{attempt.endpoint}</code>
                </td>
                <td>{attempt.outcome === 'response' ? attempt.status : attempt.outcome}</td>
                <td className="number">{formatMs(attempt.startMs)}</td>
                <td className="number">{formatMs(attempt.durationMs)}</td>
                <td>{attempt.retriedBecause ?? '–'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  )
}

function Written({ what, place }: { readonly what: string; readonly place: SourceLocation | undefined }) {
  return (
    <>
      {what}{' '}
      {place !== undefined && (
        <a href={href(['configuration'], { find: place.document })}>
          {place.file === undefined ? place.document : `${place.file}:${place.line}`}
        </a>
      )}
    </>
  )
}

function share(partMs: number, wholeMs: number): string {
  return `${Math.min(100, (Math.max(0, partMs) / (wholeMs || 1)) * 100).toFixed(2)}%`
}
