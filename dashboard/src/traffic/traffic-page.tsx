// Requests: those that failed, were slow or are sampled, newest first, or all as they happen; one of them opened is shown hop by hop.
import type { RequestList, RequestSummary } from '../../../src/contracts/read-api.ts'
import { useAnswer } from '../api/ask.ts'
import { useLive } from '../api/live.ts'
import { formatClock, formatMs } from '../format.ts'
import { amend, href } from '../route.ts'
import { LiveTap } from './live-tap.tsx'
import { Status } from './request-status.tsx'

import './traffic.css'

const statuses = ['5xx', '4xx', '2xx', '0xx'] as const
const durations = [
  ['250', '250 ms'],
  ['1000', '1 s'],
  ['5000', '5 s'],
] as const
const most = 200
const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'] as const
// as the read API takes them
const askedKept = ['service', 'workload', 'status', 'flag', 'minDurationMs'] as const
const askedLive = ['service', 'workload', 'status', 'method', 'path', 'where'] as const

export function TrafficPage({ query, windowMs }: { readonly query: URLSearchParams; readonly windowMs: number }) {
  const isLive = query.get('live') !== null
  const paused = query.get('live') === 'paused'
  return (
    <div className="page">
      <header className="page-head">
        <h1>Traffic</h1>
        <div className="segments" role="group" aria-label="Which requests">
          <button type="button" aria-pressed={!isLive} onClick={() => amend({ live: undefined })}>
            Kept
          </button>
          <button type="button" aria-pressed={isLive} onClick={() => amend({ live: 'yes' })}>
            Live
          </button>
        </div>
        {isLive && (
          <button type="button" aria-pressed={paused} onClick={() => amend({ live: paused ? 'yes' : 'paused' })}>
            Pause
          </button>
        )}
        <span className="quiet">
          {isLive ? 'Every request, while this page is open.' : 'Requests that failed, took a second or are sampled.'}
        </span>
      </header>
      <div className="filters">
        <ServiceChoice query={query} />
        <Choice label="Status" name="status" query={query}>
          {statuses.map((one) => (
            <option key={one} value={one}>
              {one === '0xx' ? 'none' : one}
            </option>
          ))}
        </Choice>
        {isLive ? (
          <>
            <Choice label="Method" name="method" query={query}>
              {methods.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </Choice>
            <Text label="Path begins with" name="path" query={query} />
            <Text label="Where" name="where" query={query} placeholder="durationMs > 250.0 && !mtls" />
          </>
        ) : (
          <Choice label="Took" name="minDurationMs" query={query}>
            {durations.map(([ms, text]) => (
              <option key={ms} value={ms}>
                {text} and more
              </option>
            ))}
          </Choice>
        )}
      </div>
      {isLive ? (
        <LiveTap query={new URLSearchParams(filterOf(query, askedLive)).toString()} paused={paused} />
      ) : (
        <KeptList filter={filterOf(query, askedKept)} windowMs={windowMs} />
      )}
    </div>
  )
}

function KeptList({ filter, windowMs }: { readonly filter: Record<string, string>; readonly windowMs: number }) {
  const { answer, error } = useAnswer<RequestList>(
    `requests ${JSON.stringify(filter)} ${windowMs}`,
    () => {
      const sinceMs = String(Date.now() - windowMs)
      return `v1/requests?${new URLSearchParams({ ...filter, sinceMs, most: String(most) }).toString()}`
    },
    2_000,
  )
  if (answer === undefined) return <p className="empty">{error?.message ?? 'Asking the control plane…'}</p>
  return <Requests requests={answer.requests} isFiltered={Object.keys(filter).length > 0} />
}

function filterOf(query: URLSearchParams, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (query.has(name) ? [[name, query.get(name) ?? '']] : [])))
}

function ServiceChoice({ query }: { readonly query: URLSearchParams }) {
  const { topology } = useLive()
  const services = (topology?.nodes ?? []).filter(({ kind }) => kind === 'service')
  return (
    <Choice label="Service" name="service" query={query}>
      {services.map(({ namespace, name }) => (
        <option key={`${namespace}/${name}`}>{`${namespace}/${name}`}</option>
      ))}
    </Choice>
  )
}

/** Takes effect with Enter, or when it is left. */
function Text(props: {
  readonly label: string
  readonly name: string
  readonly query: URLSearchParams
  readonly placeholder?: string
}) {
  const { label, name, query, placeholder } = props
  const value = query.get(name) ?? ''
  const change = (text: string): void => {
    if (text !== value) amend({ [name]: text || undefined })
  }
  return (
    <label>
      {label}{' '}
      <input
        key={value}
        name={name}
        type="search"
        defaultValue={value}
        placeholder={placeholder}
        onBlur={(event) => change(event.target.value)}
        onKeyDown={(event) => event.key === 'Enter' && change(event.currentTarget.value)}
      />
    </label>
  )
}

function Choice(props: {
  readonly label: string
  readonly name: string
  readonly query: URLSearchParams
  readonly children: React.ReactNode
}) {
  const { label, name, query, children } = props
  const value = query.get(name) ?? ''
  return (
    <label>
      {label}{' '}
      <select value={value} onChange={(event) => amend({ [name]: event.target.value || undefined })}>
        <option value="">all</option>
        {children}
      </select>
    </label>
  )
}

function Requests({
  requests,
  isFiltered,
}: {
  readonly requests: readonly RequestSummary[]
  readonly isFiltered: boolean
}) {
  if (requests.length === 0)
    return (
      <p className="empty">
        {isFiltered
          ? 'No request fits in this time: choose a longer one, or leave a filter out.'
          : 'No request failed, took a second or was sampled in this time.'}
      </p>
    )
  return (
    <table className="requests">
      <caption className="visually-hidden">Requests, newest first</caption>
      <thead>
        <tr>
          <th scope="col">At</th>
          <th scope="col">From</th>
          <th scope="col">Request</th>
          <th scope="col">Status</th>
          <th scope="col" className="number">
            Took
          </th>
          <th scope="col" className="number">
            Hops
          </th>
          <th scope="col">What went wrong</th>
        </tr>
      </thead>
      <tbody>
        {requests.map((request) => (
          <tr key={`${request.id} ${request.startMs}`}>
            <td>
              <time dateTime={new Date(request.startMs).toISOString()}>{formatClock(request.startMs)}</time>
            </td>
            <td>{request.source}</td>
            <td>
              <a href={href(['traffic', request.id])}>{askedFor(request)}</a>
            </td>
            <td>
              <Status request={request} />
            </td>
            <td className="number">{formatMs(request.durationMs)}</td>
            <td className="number">{request.hops}</td>
            <td>
              {request.fault !== undefined && (
                <>
                  <b>{request.fault.proxy}</b> {request.fault.reason}{' '}
                  {request.fault.source !== undefined && <code>{request.fault.source}</code>}
                </>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** Sidecars are asked by address: the name of the service says more. */
export function askedFor({ method, service, authority, path }: RequestSummary): string {
  return `${method} ${service === '' ? authority : service.replace(/\.svc\.cluster\.local$/, '')}${path}`
}
