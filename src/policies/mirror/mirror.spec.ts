// Sends a copy of some requests to another backend and ignores its answer (Gateway API HTTPRequestMirrorFilter).

export interface MirrorSpec {
  readonly cluster: string
  /** Share of requests: numerator / denominator. */
  readonly numerator: number
  readonly denominator: number
}
