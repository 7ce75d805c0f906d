// Turns by weight: each endpoint has a deadline, the earliest is next and gets a new one, the sooner the greater its weight. A binary heap (as Envoy's EDF).
import type { Random } from '../../core/random.ts'

/** `weightOf` is asked at each turn. The first deadlines are random: proxies do not all begin with the same endpoint. */
export function compileTurns<E>(items: readonly E[], weightOf: (item: E) => number, random: Random): () => E {
  const count = items.length
  const deadlines = Float64Array.from(items, (item) => random.next() / weightOf(item))
  const heap = Uint32Array.from(items.keys())
  const sink = (from: number): void => {
    const moved = heap[from] as number
    const deadline = deadlines[moved] as number
    let at = from
    for (;;) {
      let child = 2 * at + 1
      if (child >= count) break
      if (child + 1 < count && deadlineAt(child + 1) < deadlineAt(child)) child++
      if (deadlineAt(child) >= deadline) break
      heap[at] = heap[child] as number
      at = child
    }
    heap[at] = moved
  }
  const deadlineAt = (place: number): number => deadlines[heap[place] as number] as number
  for (let place = (count >>> 1) - 1; place >= 0; place--) sink(place)
  return () => {
    const next = heap[0] as number
    const item = items[next] as E
    deadlines[next] = (deadlines[next] as number) + 1 / weightOf(item)
    sink(0)
    return item
  }
}
