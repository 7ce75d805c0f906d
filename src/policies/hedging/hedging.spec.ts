// When a request that is slow to be answered is sent to another endpoint as well.

export interface HedgingSpec {
  /** Of the response times of the destination, in percent. */
  readonly percentile: number
  /** So many times that percentile is slow ... */
  readonly factor: number
  /** ... but never less than this. */
  readonly minDelayMs: number
}
