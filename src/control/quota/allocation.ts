// How the rate of a limit is dealt out to the proxies that enforce it together. Pure.

/** Demand moves between two reports: who asks for little gets a little more than that. */
const headroom = 1.25

/**
 * Shares of `perSecond`, 0 to 1, which sum up to 1: who asks for less than an even share gets that (and some headroom), the others have the
 * rest evenly between them (max-min fairness). What nobody asks for is dealt out evenly, for whoever comes next.
 */
export function allocate(perSecond: number, demands: readonly number[]): number[] {
  const wanted = demands.map((demand) => demand * headroom)
  const order = [...wanted.keys()].toSorted((a, b) => (wanted[a] as number) - (wanted[b] as number))
  const granted = wanted.map(() => 0)
  let left = perSecond
  for (const [rank, index] of order.entries()) {
    const rate = Math.min(wanted[index] as number, left / (order.length - rank))
    granted[index] = rate
    left -= rate
  }
  const spare = left / Math.max(1, demands.length)
  return granted.map((rate) => (rate + spare) / perSecond)
}
