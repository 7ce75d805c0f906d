// What a metric is before anybody counts: its name, labels and help.

export interface MetricDefinition {
  /** Prometheus name; the unit is in it, counters end in "_total". */
  readonly name: string
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly labels: readonly string[]
}

/** Value of every label of the series that takes what comes after a metric has reached its greatest number of series. */
export const overflowLabel = 'overflow'
