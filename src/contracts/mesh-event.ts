// Something that happened in the mesh at one time: what the control plane remembers for whoever asks "what changed?".

export type MeshEventKind =
  | 'configuration' // a new revision
  | 'problem' // one was found, or is gone
  | 'workload' // started, ready, failing, restarted, stopped
  | 'proxy' // connected, gone, or refused a configuration
  | 'endpoint' // ejected or let back in, failed or passed its health check
  | 'certificate' // renewed
  | 'tap' // somebody begins to read bodies of requests

export interface MeshEvent {
  /** Grows by one with each. */
  readonly id: number
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number
  readonly kind: MeshEventKind
  readonly severity: 'info' | 'warning' | 'error'
  /** What it is about: "Workload/default/web", "Service/default/reviews", "HTTPRoute/default/reviews"; absent: the mesh. */
  readonly subject?: string
  readonly message: string
  /** Of a configuration. */
  readonly revision?: string
  /** Ids of the documents that a new revision has changed. */
  readonly documents?: readonly string[]
}
