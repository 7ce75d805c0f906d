// What a tap may ask for, and what it shows: `heddle tap`, the proxies' admin API and the dashboard speak it.
import type { DecisionRecord } from '../decision-record.ts'

/** Every given part must fit. */
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

/** Bytes of each body. */
export const defaultBodyBytes = 1_024
export const mostBodyBytes = 65_536

export interface TappedRecord extends DecisionRecord {
  /** Where they were asked for, and there are some. */
  readonly bodies?: { readonly request?: TappedBody; readonly response?: TappedBody }
}

/** The beginning of one, without its content coding. */
export interface TappedBody {
  /** Of all of it, as it went. */
  readonly bytes: number
  /** Its media type, as its sender says. */
  readonly type?: string
  /** There is more of it than is shown. */
  readonly isCut: boolean
  /** What sounds like a credential is "***". */
  readonly text?: string
  /** Of what is no text. */
  readonly base64?: string
  /** Why nothing of it is shown. */
  readonly omitted?: string
}
