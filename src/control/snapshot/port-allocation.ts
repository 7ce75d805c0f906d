// Which address each listener of each sidecar has where many sidecars share one host.

export type ListenerPurpose = 'outbound' | 'admin' | 'metrics' | `inbound|${number}` | `service|${string}`

export interface PortAllocation {
  /** Stable for as long as the workload exists, over restarts of everything. `proxy` is "namespace/name". */
  address(proxy: string, purpose: ListenerPurpose): { readonly host: string; readonly port: number }
}
