// What happens in the mesh as it happens: one stream for the whole page, opened again when it breaks.
import { createContext, useContext, useEffect, useState } from 'react'
import type { ReactNode } from 'react'

import type { MeshEvent } from '../../../src/contracts/mesh-event.ts'
import type { EventList, Topology } from '../../../src/contracts/read-api.ts'
import { ask, Refused } from './ask.ts'
import { token } from './token.ts'

export interface Live {
  readonly topology: Topology | undefined
  /** Oldest first. */
  readonly events: readonly MeshEvent[]
  readonly state: 'connecting' | 'live' | 'lost' | 'refused'
}

const mostEvents = 1_000
const retryMs = 1_000
/** The stream speaks every two seconds. */
const silentMs = 10_000

const LiveContext = createContext<Live>({ topology: undefined, events: [], state: 'connecting' })

export function useLive(): Live {
  return useContext(LiveContext)
}

export function LiveProvider({ windowMs, children }: { readonly windowMs: number; readonly children: ReactNode }) {
  const [live, setLive] = useState<Live>({ topology: undefined, events: [], state: 'connecting' })
  useEffect(() => {
    const aborting = new AbortController()
    const { signal } = aborting
    const add = (events: readonly MeshEvent[]): void =>
      setLive((before) => {
        const known = new Set(before.events.map(({ id }) => id))
        const all = [...before.events, ...events.filter(({ id }) => !known.has(id))]
        return { ...before, events: all.toSorted((a, b) => a.id - b.id).slice(-mostEvents) }
      })
    const follow = async (): Promise<void> => {
      while (!signal.aborted) {
        try {
          const { events } = await ask<EventList>(`v1/events?most=${mostEvents}`, signal)
          // a control plane that began anew counts from one again
          setLive((before) => ({ ...before, events: [] }))
          add(events)
          await readStream(`v1/live?windowMs=${windowMs}`, signal, (name, data) => {
            if (name === 'topology') setLive((before) => ({ ...before, topology: data as Topology, state: 'live' }))
            else if (name === 'event') add([data as MeshEvent])
          })
        } catch (error) {
          if (signal.aborted) return
          const refused = error instanceof Refused && error.status === 401
          setLive((before) => ({ ...before, state: refused ? 'refused' : 'lost' }))
        }
        await new Promise((resolve) => setTimeout(resolve, retryMs))
      }
    }
    void follow()
    return () => aborting.abort()
  }, [windowMs])
  return <LiveContext value={live}>{children}</LiveContext>
}

/** Server-sent events by fetch: an EventSource shows no token. Resolves or rejects when the stream ends or falls silent. */
async function readStream(
  path: string,
  signal: AbortSignal,
  take: (name: string, data: unknown) => void,
): Promise<void> {
  const silent = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const heard = (): void => {
    clearTimeout(timer)
    timer = setTimeout(() => silent.abort(new Error('the stream has fallen silent')), silentMs)
  }
  heard()
  try {
    const headers = { authorization: `Bearer ${token()}` }
    const answer = await fetch(path, { headers, signal: AbortSignal.any([signal, silent.signal]) })
    if (!answer.ok || answer.body === null) throw new Refused(answer.status, `status ${answer.status}`)
    let text = ''
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) throw new Error('the stream has ended')
      heard()
      text += value
      const parts = text.split('\n\n')
      text = parts.pop() ?? ''
      for (const part of parts) {
        const [, name, data] = /^event: (.*)\ndata: (.*)$/s.exec(part) ?? []
        if (name !== undefined && data !== undefined) take(name, JSON.parse(data))
      }
    }
  } finally {
    clearTimeout(timer)
  }
}
