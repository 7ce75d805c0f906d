// What the control plane wants to run on this host, told to the supervisor: which sidecars, and which applications behind them.

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
  /** Absent for gateways and for workloads that something else starts. */
  readonly application?: {
    readonly command: readonly string[]
    readonly workingDirectory: string
    /** Complete but for the supervisor's own environment below it: proxy variables, <SVC>_SERVICE_HOST, PORT, the document's env. */
    readonly env: Readonly<Record<string, string>>
    /** Ports that accept connections once it is up. */
    readonly ports: readonly { readonly host: string; readonly port: number }[]
  }
}
