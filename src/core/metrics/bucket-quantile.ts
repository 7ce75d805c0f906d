// Which value a share of the observations in a histogram's buckets does not exceed.

/**
 * `buckets`: upper bound and number of observations up to it, ascending. Interpolated inside its bucket, as Prometheus' histogram_quantile does;
 * beyond the last finite bound, that bound. Undefined when there is no observation.
 */
export function bucketQuantile(
  buckets: readonly (readonly [bound: number, upTo: number])[],
  quantile: number,
): number | undefined {
  const total = buckets.at(-1)?.[1] ?? 0
  if (total <= 0) return undefined
  const rank = quantile * total
  let lowerBound = 0
  let lowerCount = 0
  for (const [bound, count] of buckets) {
    if (count >= rank) {
      if (bound === Infinity) return lowerBound
      return lowerBound + ((bound - lowerBound) * (rank - lowerCount)) / Math.max(1e-9, count - lowerCount)
    }
    lowerBound = bound
    lowerCount = count
  }
  return undefined
}
