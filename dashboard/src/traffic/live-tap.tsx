// Requests as they happen, by the records of the proxies themselves: while this is open, and not while it is paused.
import { useEffect, useState } from 'react'

import type { DecisionRecord } from '../../../src/contracts/decision-record.ts'
import type { TapView } from '../../../src/contracts/read-api.ts'
import { Refused } from '../api/ask.ts'
import { readEventStream } from '../api/event-stream.ts'
import { formatClock, formatMs } from '../format.ts'
import { href } from '../route.ts'
import { Status } from './request-status.tsx'

import './traffic.css'

const mostShown = 200
/** Rows come together: one by one nobody could read them. */
const everyMs = 250
const retryMs = 1_000
/** It tells how it does every two seconds. */
const silentMs = 10_000

export interface LiveTapProps {
  /** As the read API takes it. */
  readonly query: string
  readonly paused: boolean
}

interface Tapped {
  /** Newest first. */
  readonly records: readonly DecisionRecord[]
  readonly state: TapView | undefined
  readonly error: string | undefined
}

export function LiveTap({ query, paused }: LiveTapProps) {
  const { records, state, error } = useTap(query, paused)
  return (
    <>
      <p className="quiet" role="status">
        {paused ? 'Paused. ' : ''}
        {error ?? (state === undefined ? 'Asking the proxies…' : describeState(state))}
      </p>
      {records.length === 0 ? (
        <p className="empty">
          {paused ? 'Nothing was seen before it was paused.' : 'No request that fits has come yet.'}
        </p>
      ) : (
        <Records records={records} />
      )}
    </>
  )
}

function useTap(query: string, paused: boolean): Tapped {
  const [tapped, setTapped] = useState<Tapped>({ records: [], state: undefined, error: undefined })
  useEffect(() => {
    setTapped({ records: [], state: undefined, error: undefined })
  }, [query])
  useEffect(() => {
    if (paused) return undefined
    const aborting = new AbortController()
    const { signal } = aborting
    let waiting: DecisionRecord[] = []
    const show = setInterval(() => {
      if (waiting.length === 0) return
      const newest = waiting.slice(-mostShown).toReversed()
      waiting = []
      setTapped((before) => ({ ...before, records: [...newest, ...before.records].slice(0, mostShown) }))
    }, everyMs)
    const follow = async (): Promise<void> => {
      while (!signal.aborted) {
        try {
          await readEventStream(`v1/tap?${query}`, {
            signal,
            silentMs,
            take(messages) {
              for (const { name, data } of messages) {
                if (name === 'record') waiting.push(data as DecisionRecord)
                else setTapped((before) => ({ ...before, state: data as TapView, error: undefined }))
              }
            },
          })
        } catch (error) {
          if (signal.aborted) return
          const { message } = error as Error
          setTapped((before) => ({ ...before, error: message }))
          // asked wrongly: it would be the same again
          if (error instanceof Refused && error.status === 400) return
        }
        await new Promise((resolve) => setTimeout(resolve, retryMs))
      }
    }
    void follow()
    return () => {
      aborting.abort()
      clearInterval(show)
    }
  }, [query, paused])
  return tapped
}

function describeState({ answering, silent, leftOut }: TapView): string {
  const proxies = `${answering.length} ${answering.length === 1 ? 'proxy tells' : 'proxies tell'}`
  const missing =
    silent.length === 0
      ? ''
      : `, ${silent.slice(0, 3).join(', ')}${silent.length > 3 ? ' and others' : ''} do not answer`
  return `${proxies}${missing}${leftOut === 0 ? '' : `, ${leftOut} requests were left out: they come too fast`}.`
}

function Records({ records }: { readonly records: readonly DecisionRecord[] }) {
  return (
    <table className="requests">
      <caption className="visually-hidden">Requests as they happen, newest first</caption>
      <thead>
        <tr>
          <th scope="col">At</th>
          <th scope="col">From</th>
          <th scope="col">To</th>
          <th scope="col">Request</th>
          <th scope="col">Status</th>
          <th scope="col" className="number">
            Took
          </th>
          <th scope="col">Seen by</th>
        </tr>
      </thead>
      <tbody>
        {records.map((record) => {
          const { proxy, reporter, id, startMs, source, destination, request, response, durationMs } = record
          return (
            <tr key={`${proxy} ${reporter} ${id} ${startMs}`}>
              <td>
                <time dateTime={new Date(startMs).toISOString()}>{formatClock(startMs)}</time>
              </td>
              <td>{source.workload ?? source.principal ?? source.address ?? 'outside'}</td>
              <td>{destination.workload ?? destination.service ?? destination.address ?? '–'}</td>
              <td>
                <a href={href(['traffic', idOf(record)])}>
                  {request.method} {request.path}
                </a>
              </td>
              <td>
                <Status request={response} />
              </td>
              <td className="number">{formatMs(durationMs)}</td>
              <td>
                {proxy} <span className="kind">{reporter}</span>
              </td>
            </tr>
          )
        })}
      </tbody>
    </table>
  )
}

/** What the read API knows the whole request by. */
function idOf({ id, proxy, request: { headers }, trace }: DecisionRecord): string {
  return headers['x-request-id'] ?? trace?.traceId ?? `${proxy.replace('/', '.')}.${id}`
}
