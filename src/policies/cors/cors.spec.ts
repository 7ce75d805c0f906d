// Cross-origin resource sharing (Gateway API HTTPCORSFilter; Fetch standard, section 3.2).

export interface CorsSpec {
  /** Origins as written: "https://a.example", "https://*.example", "*". */
  readonly allowOrigins: readonly string[]
  readonly allowCredentials: boolean
  readonly allowMethods: readonly string[]
  readonly allowHeaders: readonly string[]
  readonly exposeHeaders: readonly string[]
  /** Seconds. */
  readonly maxAgeSeconds: number
}
