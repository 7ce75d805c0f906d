// How something is asked whether it works (Kubernetes: readinessProbe; Envoy: health_checks). For both planes and the supervisor.

export interface HealthCheckSpec {
  readonly question: HealthQuestion
  /** Between the end of one question and the next. */
  readonly intervalMs: number
  readonly timeoutMs: number
  /** Good answers in a row that make it healthy. */
  readonly healthyThreshold: number
  /** Bad or missing answers in a row that make it unhealthy. */
  readonly unhealthyThreshold: number
}

export type HealthQuestion =
  | {
      readonly kind: 'http'
      readonly path: string
      /** Authority of the request; absent: where it goes. */
      readonly host?: string
      readonly headers: readonly { readonly name: string; readonly value: string }[]
      /** Good statuses: from `start` on, below `end`. */
      readonly statuses: readonly { readonly start: number; readonly end: number }[]
    }
  /** `grpc.health.v1.Health/Check`: good is SERVING. `service` "": the server as a whole. */
  | { readonly kind: 'grpc'; readonly service: string }
  /** Good is a connection, TLS included where the endpoint has it. */
  | { readonly kind: 'tcp' }

/** Of an application, asked by whoever supervises it. */
export interface ProbeSpec {
  readonly host: string
  readonly port: number
  /** After the application listens. */
  readonly initialDelayMs: number
  readonly check: HealthCheckSpec
}
