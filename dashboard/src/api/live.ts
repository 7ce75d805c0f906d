// What happens in the mesh as it happens: one stream for the whole page, opened before anything is shown, and again when it breaks.
import { useSyncExternalStore } from 'react'

import type { MeshEvent } from '../../../src/contracts/mesh-event.ts'
import type { EventList, Topology } from '../../../src/contracts/read-api.ts'
import { ask, Refused } from './ask.ts'
import { readEventStream } from './event-stream.ts'
import type { Message } from './event-stream.ts'

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

class LiveFeed {
  #live: Live = { topology: undefined, events: [], state: 'connecting' }
  #shown = this.#live
  #telling = false
  #following: { readonly windowMs: number; readonly aborting: AbortController } | undefined
  readonly #listeners = new Set<() => void>()

  /** Figures of so long a time, from now on. */
  watch(windowMs: number): void {
    if (this.#following?.windowMs === windowMs) return
    this.#following?.aborting.abort()
    const aborting = new AbortController()
    this.#following = { windowMs, aborting }
    void this.#follow(windowMs, aborting.signal)
  }

  readonly current = (): Live => this.#shown

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async #follow(windowMs: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const ending = new AbortController()
      const either = AbortSignal.any([signal, ending.signal])
      try {
        await readEventStream(`v1/live?windowMs=${windowMs}`, {
          signal: either,
          silentMs,
          // what happens from here on is in the stream
          opened: () => void this.#askEvents(either, () => ending.abort()),
          take: (messages) => this.#take(messages),
        })
      } catch (error) {
        if (signal.aborted) return
        this.#set({ state: error instanceof Refused && error.status === 401 ? 'refused' : 'lost' })
      } finally {
        ending.abort()
      }
      await new Promise((resolve) => setTimeout(resolve, retryMs))
    }
  }

  async #askEvents(signal: AbortSignal, failed: () => void): Promise<void> {
    // a control plane that began anew counts from one again
    this.#set({ events: [] })
    try {
      this.#add((await ask<EventList>(`v1/events?most=${mostEvents}`, signal)).events)
    } catch {
      failed()
    }
  }

  #take(messages: readonly Message[]): void {
    const topology = messages.findLast(({ name }) => name === 'topology')
    if (topology !== undefined) this.#set({ topology: topology.data as Topology, state: 'live' })
    const events = messages.filter(({ name }) => name === 'event').map(({ data }) => data as MeshEvent)
    if (events.length > 0) this.#add(events)
  }

  #add(events: readonly MeshEvent[]): void {
    const known = new Set(this.#live.events.map(({ id }) => id))
    const all = [...this.#live.events, ...events.filter(({ id }) => !known.has(id))]
    this.#set({ events: all.toSorted((a, b) => a.id - b.id).slice(-mostEvents) })
  }

  #set(changes: Partial<Live>): void {
    this.#live = { ...this.#live, ...changes }
    if (this.#telling) return
    this.#telling = true
    // to read a big answer and to draw it are two tasks: what the user does comes between
    setTimeout(() => {
      this.#telling = false
      this.#shown = this.#live
      for (const listener of this.#listeners) listener()
    })
  }
}

export const liveFeed: LiveFeed = new LiveFeed()

export function useLive(): Live {
  return useSyncExternalStore(liveFeed.subscribe, liveFeed.current)
}
