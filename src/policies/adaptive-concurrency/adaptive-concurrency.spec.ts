// How many requests an application gets at once, found out by its sidecar from how long its answers take.

export interface AdaptiveConcurrencySpec {
  /** Of the times of a window, in percent: what a window is judged by. */
  readonly sampleAggregatePercentile: number
  readonly maxConcurrencyLimit: number
  /** Of a window, at the end of which the limit is calculated anew. */
  readonly concurrencyUpdateIntervalMs: number
  readonly minRtt: MinRttSpec
}

/** The time that an answer takes when nothing waits. */
export interface MinRttSpec {
  /** How often it is measured. */
  readonly intervalMs: number
  /** Of how many answers. */
  readonly requestCount: number
  /** The interval is up to so much longer. */
  readonly jitterPercent: number
  /** The limit never falls below this. */
  readonly minConcurrency: number
  /** Answers that take so much longer are as good. */
  readonly bufferPercent: number
}
