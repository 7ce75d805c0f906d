// The newest events of the mesh, in memory: for the timeline, and for whoever follows it.
import type { MeshEvent } from '../../contracts/mesh-event.ts'
import type { Clock } from '../../core/clock.ts'
import { RingBuffer } from '../../core/ring-buffer.ts'
import { WatchableValue } from '../../core/watchable.ts'
import type { Watchable } from '../../core/watchable.ts'

export type NewEvent = Omit<MeshEvent, 'id' | 'atMs'>

const mostEvents = 5_000

export class MeshEvents {
  readonly #clock: Clock
  readonly #ring = new RingBuffer<MeshEvent>(mostEvents)
  readonly #newest = new WatchableValue<MeshEvent | undefined>(undefined)
  #nextId = 1

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Undefined before there is one. */
  get newest(): Watchable<MeshEvent | undefined> {
    return this.#newest
  }

  /** `atMs`: of something that was written down before; now, unless told. */
  add(event: NewEvent, atMs: number = this.#clock.nowMs()): void {
    const added = { id: this.#nextId++, atMs, ...event }
    this.#ring.push(added)
    this.#newest.set(added)
  }

  /** Oldest first: the newest `most` of those after the one with that id. */
  list({
    afterId = 0,
    most = mostEvents,
  }: { readonly afterId?: number; readonly most?: number } = {}): readonly MeshEvent[] {
    const later = this.#ring.toArray().filter(({ id }) => id > afterId)
    return later.slice(Math.max(0, later.length - most))
  }
}
