// Requests that failed, were slow or are sampled, newest first; one of them opened is shown hop by hop.
import type { DecisionRecord } from '../../../src/contracts/decision-record.ts'
import type { RequestList, RequestSummary } from '../../../src/contracts/read-api.ts'
import { useAnswer } from '../api/ask.ts'
import { useLive } from '../api/live.ts'
import { formatClock, formatMs } from '../format.ts'
import { amend, href } from '../route.ts'

import './traffic.css'

const statuses = ['5xx', '4xx', '2xx', '0xx'] as const
const durations = [
  ['250', '250 ms'],
  ['1000', '1 s'],
  ['5000', '5 s'],
] as const
const most = 200
const asked = ['service', 'workload', 'status', 'flag', 'minDurationMs'] as const

export function TrafficPage({ query, windowMs }: { readonly query: URLSearchParams; readonly windowMs: number }) {
  const { topology } = useLive()
  const filter = Object.fromEntries(asked.flatMap((name) => (query.has(name) ? [[name, query.get(name) ?? '']] : [])))
  const { answer, error } = useAnswer<RequestList>(
    `requests ${JSON.stringify(filter)} ${windowMs}`,
    () => {
      const sinceMs = String(Date.now() - windowMs)
      return `v1/requests?${new URLSearchParams({ ...filter, sinceMs, most: String(most) }).toString()}`
    },
    2_000,
  )
  const services = (topology?.nodes ?? []).filter(({ kind }) => kind === 'service')
  return (
    <div className="page">
      <h1>Traffic</h1>
      <div className="filters">
        <Choice label="Service" name="service" query={query}>
          {services.map(({ namespace, name }) => (
            <option key={`${namespace}/${name}`}>{`${namespace}/${name}`}</option>
          ))}
        </Choice>
        <Choice label="Status" name="status" query={query}>
          {statuses.map((one) => (
            <option key={one} value={one}>
              {one === '0xx' ? 'none' : one}
            </option>
          ))}
        </Choice>
        <Choice label="Took" name="minDurationMs" query={query}>
          {durations.map(([ms, text]) => (
            <option key={ms} value={ms}>
              {text} and more
            </option>
          ))}
        </Choice>
      </div>
      {answer === undefined ? (
        <p className="empty">{error?.message ?? 'Asking the control plane…'}</p>
      ) : (
        <Requests requests={answer.requests} isFiltered={Object.keys(filter).length > 0} />
      )}
    </div>
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

export function Status({
  request: { status, grpcStatus, flags },
}: {
  readonly request: Pick<DecisionRecord['response'], 'status' | 'grpcStatus' | 'flags'>
}) {
  const kind = status === 0 || status >= 500 ? 'bad' : status >= 400 ? 'refused' : 'ok'
  return (
    <span className="codes">
      <span className={`code ${kind}`}>{status === 0 ? 'none' : status}</span>
      {grpcStatus !== undefined && <span className="code">gRPC {grpcStatus}</span>}
      {flags.map((flag) => (
        <span key={flag} className="code refused" title={flagMeanings[flag]}>
          {flag}
        </span>
      ))}
    </span>
  )
}

const flagMeanings: Readonly<Record<RequestSummary['flags'][number], string>> = {
  NR: 'no route',
  NC: 'no cluster',
  UH: 'no healthy endpoint',
  UF: 'the connection to the endpoint failed',
  UC: 'the endpoint ended the connection',
  UT: 'the endpoint took too long',
  URX: 'retries are used up',
  UO: 'a circuit breaker was at its limit',
  DC: 'the caller went away',
  DPE: 'the caller broke the protocol',
  UPE: 'the endpoint broke the protocol',
  UAEX: 'refused by an authorization policy',
  RL: 'beyond a rate limit',
  RLSE: 'the rate limit server gave no answer',
  FI: 'a fault was injected',
  DI: 'a delay was injected',
  SI: 'idle for too long',
  LR: 'reset here',
}

/** Sidecars are asked by address: the name of the service says more. */
export function askedFor({ method, service, authority, path }: RequestSummary): string {
  return `${method} ${service === '' ? authority : service.replace(/\.svc\.cluster\.local$/, '')}${path}`
}
