// What the control plane wants to run on this host, told to the supervisor: which sidecars, and which applications behind them.
import type { ProbeSpec } from './health-check.ts'
import type { Locality } from './locality.ts'
import type { ProblemCode } from './problem.ts'
import type { UnixRegistration } from './unix-registration.ts'

export interface DesiredState {
  readonly revision: string
  readonly sidecars: readonly DesiredSidecar[]
}

export interface DesiredSidecar {
  readonly kind: 'sidecar' | 'gateway'
  readonly namespace: string
  readonly name: string
  readonly spiffeId: string
  /** "127.0.0.1:20003": admin API of this sidecar. */
  readonly adminAddress: string
  readonly metricsAddress: string
  /** Absent: not told, as of gateways. */
  readonly locality?: Locality
  /** Where the application accepts connections once it is up, whoever starts it. Empty for gateways. */
  readonly applicationPorts: readonly { readonly host: string; readonly port: number }[]
  /** Whether it is ready once it listens; absent: it is. */
  readonly readiness?: ProbeSpec
  /** Whether `application` still works once it listens: it is started again when it does not. Absent: nobody asks. */
  readonly liveness?: ProbeSpec
  /** Absent for gateways and for workloads that something else starts. */
  readonly application?: DesiredApplication
  /** Which processes may ask its Workload API; absent: those of the mesh's user. */
  readonly unix?: UnixRegistration
}

export interface DesiredApplication {
  readonly command: readonly string[]
  readonly workingDirectory: string
  /** Complete but for the supervisor's own environment below it: proxy variables, <SVC>_SERVICE_HOST, PORT, the document's env. */
  readonly env: Readonly<Record<string, string>>
  /** It carries traces on by itself, if it runs on Node. */
  readonly preloadsPropagation?: true
  /** Changes exactly when the document asks for another process. A new Service changes `env` only: no application restarts for it. */
  readonly fingerprint: string
}

/** What the supervisor tells back about one workload or gateway. */
export interface WorkloadStatus {
  readonly kind: DesiredSidecar['kind']
  readonly namespace: string
  readonly name: string
  readonly state: 'waiting' | 'starting' | 'ready' | 'failing' | 'stopping'
  /** Of the application; absent while it does not run or when something else starts it. */
  readonly pid?: number
  readonly restarts: number
  /** HDL014 unless it says otherwise. */
  readonly code?: ProblemCode
  /** Why it is failing, or not ready yet, for a person. */
  readonly message?: string
  /** The end of what the application wrote, when it is failing. */
  readonly lastLines?: readonly string[]
}
