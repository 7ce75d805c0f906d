// mesh.json: what `heddle up` and `heddle ps -o json` tell about a running mesh. Other people's scripts read it: fields are only ever added.

export interface MeshState {
  readonly adminUrl: string
  /** Bearer token of the control-plane API. The file is 0600. */
  readonly adminToken: string
  readonly dashboardUrl?: string
  readonly xdsAddress: string
  /** xDS over mutual TLS, where data planes that are not Heddle's get certificates too. */
  readonly xdsTlsAddress?: string
  readonly revision: string
  readonly gateways: readonly GatewayState[]
  readonly workloads: readonly WorkloadState[]
}

export interface GatewayState {
  readonly namespace: string
  readonly name: string
  readonly listener: string
  readonly address: string
  readonly spiffeId: string
  readonly adminUrl: string
  readonly metricsUrl: string
}

export interface WorkloadState {
  readonly namespace: string
  readonly name: string
  readonly spiffeId: string
  /** The sidecar has its configuration, and the application's ports accept connections and its readiness probe, if it has one, succeeds. */
  readonly ready: boolean
  /** Why it is not ready, where that is known. */
  readonly reason?: string
  readonly outboundProxy: string
  readonly adminUrl: string
  readonly metricsUrl: string
  readonly inbound: readonly { readonly port: number; readonly address: string }[]
  readonly services: readonly {
    readonly namespace: string
    readonly name: string
    readonly port: number
    /** The listener that stands for dialling that Service and port from this workload. */
    readonly address: string
  }[]
}
