// Which requests leave spans, and who gets them; the spans themselves, as OTLP has them.

export interface TracingSpec {
  readonly collector: TraceCollectorSpec
  /** 0 to 100: of the traces that begin here. Whoever has begun one before has decided for it. */
  readonly randomSamplingPercent: number
  /** Of the same, the first that matches says how many. Absent: none does. */
  readonly samplingRules?: readonly SamplingRuleSpec[]
  /** Callers have no say: traces that they have begun are sampled as those that begin here. */
  readonly ignoresCallers?: true
  /** Of every span, beside those that all have. Absent: none. */
  readonly attributes?: readonly SpanAttributeSpec[]
}

export interface SamplingRuleSpec {
  /** A condition in CEL on what is known when a request begins. */
  readonly matches: string
  /** 0 to 100. */
  readonly samplingPercent: number
}

export type SpanAttributeSpec = { readonly name: string } & (
  | { readonly kind: 'literal'; readonly value: string }
  /** Of the request, in lower case; without it there is no attribute. */
  | { readonly kind: 'header'; readonly header: string }
)

export interface TraceCollectorSpec {
  readonly cluster: string
  /** Of OTLP/HTTP: "/v1/traces". Absent: OTLP/gRPC. */
  readonly path?: string
  /** For one batch. */
  readonly timeoutMs: number
}

export type AttributeValue = string | number | boolean

export interface SpanStatus {
  readonly error: boolean
  /** For a person. */
  readonly message?: string | undefined
}

/** Ids in lower-case hexadecimal digits. */
export interface SpanRecord {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly traceState: string | undefined
  readonly name: string
  readonly kind: 'server' | 'client'
  /** Milliseconds since the Unix epoch, with fractions. */
  readonly startMs: number
  readonly endMs: number
  /** Undefined ones are left out. */
  readonly attributes: Readonly<Record<string, AttributeValue | undefined>>
  readonly status: SpanStatus
  readonly sampled: boolean
}
