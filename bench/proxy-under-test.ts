// What a proxy must offer to be measured: the shapes of service, and a running instance of one.
export const topologies = [
  'plain-hop',
  'mtls-hops',
  'policy-hops',
  'grpc-hops',
  'tcp-hop',
  'tls-front',
  'memory',
] as const

export type Topology = (typeof topologies)[number]

/** Where the applications are that every proxy forwards to. */
export interface Backends {
  readonly http: number
  /** The same outside the mesh: the address of a Workload would be reached through its sidecar. */
  readonly outside: number
  /** For what must listen somewhere to count as ready. */
  readonly idle: number
  readonly grpc: number
  readonly tcp: number
}

export interface Bench {
  readonly folder: string
  readonly backends: Backends
  readonly certificates: Certificates
}

/** Files in PEM. `Bundle` is certificate and key in one, as haproxy wants it. */
export interface Certificates {
  readonly ca: string
  readonly client: string
  readonly clientKey: string
  readonly clientBundle: string
  readonly server: string
  readonly serverKey: string
  readonly serverBundle: string
  /** The name in the server's certificate. */
  readonly serverName: string
}

export interface Serving {
  readonly port: number
  /** Every process that a request passes. */
  readonly pids: () => readonly number[]
  stop(): Promise<void>
  /** Sidecars for so many more, in the same process. */
  readonly addWorkloads?: (count: number) => Promise<void>
}

export interface ProxyUnderTest {
  readonly name: string
  /** Where it is compared. */
  readonly topologies: readonly Topology[]
  /** Rejects with the reason when it cannot: that is printed, not skipped. */
  serve(topology: Topology): Promise<Serving>
}
