// Which Unix process may be a workload: said by the Workload, checked by its sidecar's Workload API.

/** At least one field; every one that is there must match. The names are those of SPIRE's unix workload attestor. */
export interface UnixRegistration {
  readonly uid?: number
  readonly gid?: number
  /** Absolute: of the file that the process runs. */
  readonly path?: string
}
