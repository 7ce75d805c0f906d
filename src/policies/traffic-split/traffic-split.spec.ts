// Weighted choice between the backends of a rule (Gateway API BackendRef.weight).

export interface WeightedSpec {
  readonly weight: number
}
