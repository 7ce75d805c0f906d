// What a tap may ask for: `heddle tap`, the proxies' admin API and the dashboard speak it. Every given part must fit.

export interface TapFilter {
  readonly method?: string
  readonly pathPrefix?: string
  /** First digit of the status: 5 for server errors, 0 for requests that ended without a status. */
  readonly statusClass?: number
  /** Of the workload at either end. */
  readonly namespace?: string
  /** "namespace/name" of the workload at either end. */
  readonly workload?: string
  /** Destination service. */
  readonly service?: string
}
