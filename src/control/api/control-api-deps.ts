// What the control-plane API needs from the rest of the control plane.
import type { FastifyInstance } from 'fastify'

import type { ApplyResult, DocumentKey, DocumentView, ProxyStatus } from '../../contracts/control-api.ts'
import type { DesiredState } from '../../contracts/desired-state.ts'
import type { MeshState } from '../../contracts/mesh-state.ts'
import type { Problem } from '../../contracts/problem.ts'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logger.ts'
import type { Watchable } from '../../core/watchable.ts'
import type { ApiTokens } from './api-tokens.ts'
import type { AuditLog } from './audit-log.ts'
import type { AuthorityPort } from './authority-routes.ts'
import type { JoinTokensPort } from './join-token-routes.ts'
import type { WorkloadStatuses } from './workload-statuses.ts'

/** Everything the API shows or changes; the composition root gives each function from the part that owns it. */
export interface ControlApiDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly tokens: ApiTokens
  readonly audit: AuditLog
  /** Of the configuration. */
  readonly revision: () => string
  /** A new value with each revision. */
  readonly desired: Watchable<DesiredState>
  readonly mesh: () => MeshState
  /** Of the documents, of NACKs; those of workloads are added here. */
  readonly problems: () => readonly Problem[]
  readonly proxies: () => readonly ProxyStatus[]
  /** The RouteConfiguration of that name as the sidecar of a workload gets it, serialised; undefined: it gets none. */
  readonly routesOf: (namespace: string, workload: string, routes: string) => Uint8Array | undefined
  readonly documents: DocumentsPort
  readonly joinTokens: JoinTokensPort
  readonly authority: AuthorityPort
  /** In the text format of Prometheus. */
  readonly renderMetrics: () => string
  /** The supervisor's newest word on the workloads it runs. */
  readonly workloadStatuses: WorkloadStatuses
  /** What only reads: routes of the floor above, behind the same door. */
  readonly registerReadApi: (app: FastifyInstance) => void
}

/** The documents in force, and the store behind `apply` and `delete`. */
export interface DocumentsPort {
  list(filter: Partial<DocumentKey>): readonly DocumentView[]
  /**
   * `yaml`: one or more documents. With `dryRun` only says what would happen. Without `mayRunPrograms` a Workload with `command` or `unix` is a
   * problem. Rejects only when the store fails.
   */
  apply(yaml: string, options: { readonly dryRun: boolean; readonly mayRunPrograms: boolean }): Promise<ApplyResult>
  /** Undefined: no such document. A document that comes from a file is a problem in the result, and stays. */
  delete(key: DocumentKey): Promise<ApplyResult | undefined>
}
