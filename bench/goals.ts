// What Heddle is to reach: against a peer in the same run, or (without a peer) as it is.
export interface Goal {
  readonly work: string
  readonly metric: string
  /** `heddle`: as it comes, for a variant. A variant: for Heddle as it comes. */
  readonly peer?: string
  /** Which Heddle; absent: as it comes. */
  readonly variant?: string
  readonly atLeast?: number
  readonly atMost?: number
}

export const goals: readonly Goal[] = [
  { work: 'plain-http1-64', metric: 'requests_per_s', peer: 'haproxy', atLeast: 1 },
  { work: 'plain-http1-64', metric: 'requests_per_s', peer: 'nginx', atLeast: 1 },
  { work: 'plain-http1-64', metric: 'requests_per_s', peer: 'caddy', atLeast: 4 },
  { work: 'plain-http1-64', metric: 'cpu_us_per_request', peer: 'haproxy', atMost: 1.1 },
  { work: 'mtls-two-hops-64', metric: 'requests_per_s', peer: 'haproxy', atLeast: 2 },
  { work: 'mtls-two-hops-64', metric: 'requests_per_s', peer: 'nginx', atLeast: 2 },
  { work: 'mtls-two-hops-64', metric: 'requests_per_s', peer: 'haproxy-h2', atLeast: 1.25 },
  { work: 'mtls-two-hops-64', metric: 'cpu_us_per_request', peer: 'haproxy', atMost: 0.5 },
  { work: 'mtls-two-hops-64', metric: 'p99_us', peer: 'haproxy', atMost: 0.3 },
  { work: 'mtls-two-hops-64', metric: 'requests_per_s', peer: 'haproxy', variant: 'heddle-http1', atLeast: 1.2 },
  { work: 'mtls-two-hops-64', metric: 'requests_per_s', peer: 'heddle', variant: 'heddle-authz', atLeast: 0.95 },
  { work: 'mtls-two-hops-64', metric: 'p99_us', peer: 'heddle', variant: 'heddle-authz', atMost: 1.1 },
  { work: 'mtls-two-hops-64', metric: 'requests_per_s', peer: 'heddle', variant: 'heddle-tracing', atLeast: 0.95 },
  { work: 'mtls-two-hops-64', metric: 'requests_per_s', peer: 'heddle-telemetry-off', atLeast: 0.92 },
  { work: 'mtls-two-hops-1000', metric: 'requests_per_s', peer: 'haproxy', atLeast: 3.5 },
  { work: 'mtls-two-hops-1000', metric: 'requests_per_s', peer: 'haproxy-h2', atLeast: 1.6 },
  { work: 'mtls-two-hops-1000', metric: 'p99_us', peer: 'haproxy', atMost: 0.5 },
  { work: 'mtls-two-hops-1', metric: 'p50_us', peer: 'haproxy', atMost: 1.05 },
  { work: 'mtls-two-hops-1', metric: 'p50_us', peer: 'haproxy-h2', atMost: 0.9 },
  ...['haproxy', 'haproxy-h2'].flatMap((peer): Goal[] => [
    { work: 'mtls-fixed-8000', metric: 'cpu_us_per_request', peer, atMost: 0.9 },
    { work: 'mtls-fixed-8000', metric: 'p50_us', peer, atMost: 0.9 },
    { work: 'mtls-fixed-8000', metric: 'p99_us', peer, atMost: 1 },
  ]),
  { work: 'policies-64', metric: 'requests_per_s', peer: 'heddle', variant: 'heddle-all', atLeast: 0.85 },
  { work: 'grpc-unary-64', metric: 'requests_per_s', peer: 'nginx', atLeast: 1.5 },
  { work: 'grpc-unary-64', metric: 'requests_per_s', peer: 'haproxy-h2', atLeast: 1.5 },
  { work: 'tcp-throughput', metric: 'mb_per_s', peer: 'haproxy', atLeast: 1.2 },
  { work: 'tcp-connections', metric: 'connections_per_s', peer: 'haproxy', atLeast: 1 },
  { work: 'memory', metric: 'idle_kib', atMost: 60 * 1024 },
  { work: 'memory', metric: 'per_workload_kib', atMost: 1024 },
  { work: 'memory', metric: 'per_idle_connection_kib', atMost: 6 },
  { work: 'memory', metric: 'huge_body_growth_kib', atMost: 32 * 1024 },
]
