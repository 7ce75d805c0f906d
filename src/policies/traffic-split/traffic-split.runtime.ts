// Draws one of several by weight (Gateway API BackendRef.weight: a share is the weight over the sum of all weights).
import type { Random } from '../../core/random.ts'
import type { WeightedSpec } from './traffic-split.spec.ts'

export interface SplitDraw<T> {
  readonly item: T
  /** The number drawn, in [0, total). */
  readonly drawn: number
  readonly total: number
}

/** The function returns undefined when no item has a weight above 0. A single choice is not drawn. */
export function compileSplit<T extends WeightedSpec>(
  items: readonly T[],
): (random: Random) => SplitDraw<T> | undefined {
  const live = items.filter((item) => item.weight > 0)
  const total = live.reduce((sum, item) => sum + item.weight, 0)
  const [first] = live
  if (first === undefined) return () => undefined
  if (live.length === 1) {
    const only = { item: first, drawn: 0, total }
    return () => only
  }
  return (random) => {
    const drawn = random.int(total)
    let left = drawn
    for (const item of live) {
      left -= item.weight
      if (left < 0) return { item, drawn, total }
    }
    return { item: first, drawn, total }
  }
}
