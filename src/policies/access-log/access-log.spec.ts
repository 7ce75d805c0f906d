// Which requests the access log has a line for.

export interface AccessLogSpec {
  readonly enabled: boolean
  /** Share of the requests that went as planned, 0 to 100. The others always have a line. */
  readonly samplePercent: number
  /** Of a line of text, with Envoy's command operators. Absent: lines are JSON. */
  readonly format?: string
}
