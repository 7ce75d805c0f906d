// Edges as a table: what the picture shows, for those who cannot see it or want to sort it.
import { useState } from 'react'

import type { TopologyEdge } from '../../src/contracts/read-api.ts'
import { pageOf, shortName } from './format.ts'
import { HealthMark } from './health.tsx'
import { SignalCells, SignalHeads } from './signal-cells.tsx'

export interface EdgeTableProps {
  readonly edges: readonly TopologyEdge[]
  readonly windowMs: number
  readonly caption: string
  readonly empty: string
  /** Leaves out the end that is the same in every row. */
  readonly without?: 'from' | 'to'
}

/** The worst of them; more on demand: thousands of rows would stall the page with each update. */
const rowsAtOnce = 200

export function EdgeTable({ edges, windowMs, caption, empty, without }: EdgeTableProps) {
  const [most, setMost] = useState(rowsAtOnce)
  if (edges.length === 0) return <p className="empty">{empty}</p>
  const worstFirst = edges.toSorted(
    (a, b) => b.failed / (b.requests || 1) - a.failed / (a.requests || 1) || b.requests - a.requests,
  )
  const table = (
    <table>
      <caption className="visually-hidden">{caption}</caption>
      <thead>
        <tr>
          {without !== 'from' && <th scope="col">From</th>}
          {without !== 'to' && <th scope="col">To</th>}
          <SignalHeads />
          <th scope="col">mTLS</th>
          <th scope="col">Answers</th>
        </tr>
      </thead>
      <tbody>
        {worstFirst.slice(0, most).map((edge) => (
          <tr key={`${edge.from} ${edge.to}`}>
            {without !== 'from' && (
              <td>
                {without !== undefined && <HealthMark health={edge.health} />} <Name id={edge.from} />
              </td>
            )}
            {without !== 'to' && (
              <td>
                {without !== 'from' || <HealthMark health={edge.health} />} <Name id={edge.to} />
              </td>
            )}
            <SignalCells signals={edge} windowMs={windowMs} />
            <td>
              <Mtls mtls={edge.mtls} />
            </td>
            <td>
              <Codes codes={edge.codes} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
  if (edges.length <= most) return table
  return (
    <>
      {table}
      <p>
        <button type="button" onClick={() => setMost(most + rowsAtOnce)}>
          Show more
        </button>{' '}
        <span className="quiet">
          The {most} worst of {edges.length}.
        </span>
      </p>
    </>
  )
}

export function Name({ id }: { readonly id: string }) {
  const to = pageOf(id)
  return to === undefined ? <>{shortName(id)}</> : <a href={to}>{shortName(id)}</a>
}

/** The most frequent first. */
export function Codes({ codes }: { readonly codes: Readonly<Record<string, number>> }) {
  const sorted = Object.entries(codes).toSorted(([, a], [, b]) => b - a)
  return (
    <span className="codes">
      {sorted.slice(0, 6).map(([code, count]) => (
        <span key={code} className={`code ${codeClass(code)}`}>
          {code === '0' ? 'none' : code} <b>{count}</b>
        </span>
      ))}
    </span>
  )
}

export function codeClass(code: string): 'ok' | 'refused' | 'bad' {
  if (code.startsWith('grpc '))
    return ['2', '4', '12', '13', '14', '15'].includes(code.slice(5)) ? 'bad' : code === 'grpc 0' ? 'ok' : 'refused'
  if (code === 'failed' || code === '0' || Number(code) >= 500) return 'bad'
  return Number(code) >= 400 ? 'refused' : 'ok'
}

export function Mtls({ mtls }: Pick<TopologyEdge, 'mtls'>) {
  return (
    <>
      <span className={`lock ${mtls}`} aria-hidden="true" />
      {mtls === 'unknown' ? '–' : mtls}
    </>
  )
}
