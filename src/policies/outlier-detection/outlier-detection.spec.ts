// When an endpoint that fails or is slow is passed over for a while (Envoy: outlier_detection), as one caller sees it.

export interface OutlierDetectionSpec {
  /** So many responses of 5xx in a row; 0: not looked at. Without `splitLocalOrigin` failures of the connection count as well. */
  readonly consecutive5xx: number
  /** So many of 502, 503 and 504 in a row; 0: not looked at. Without `splitLocalOrigin` failures of the connection count as well. */
  readonly consecutiveGatewayErrors: number
  /** So many failures of the connection in a row (refused, reset, timed out); only with `splitLocalOrigin`. 0: not looked at. */
  readonly consecutiveLocalOriginFailures: number
  readonly splitLocalOrigin: boolean
  /** How often endpoints are compared with each other. */
  readonly intervalMs: number
  /** Of the first ejection; doubles with each that follows. */
  readonly baseEjectionMs: number
  readonly maxEjectionMs: number
  /** Of all endpoints; one may always be ejected, unless this is 0 or it is the last one. */
  readonly maxEjectionPercent: number
  /** Absent: not looked at. */
  readonly successRate?: OutlierComparison & {
    /** So many thousandths of a standard deviation below the mean of all. */
    readonly stdevFactor: number
  }
  readonly failurePercentage?: OutlierComparison & {
    /** Percent of an endpoint's requests in the interval. */
    readonly threshold: number
  }
  readonly latency?: OutlierComparison & {
    /** So many times the median of the endpoints' mean times. */
    readonly factor: number
  }
}

export interface OutlierComparison {
  /** Fewer endpoints with enough requests are not compared. */
  readonly minimumHosts: number
  /** Fewer requests in the interval say nothing. */
  readonly requestVolume: number
}

export type EjectionReason =
  | 'consecutive-5xx'
  | 'consecutive-gateway-errors'
  | 'consecutive-local-origin-failures'
  | 'success-rate'
  | 'failure-percentage'
  | 'latency'
