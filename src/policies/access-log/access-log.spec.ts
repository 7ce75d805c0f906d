// Which requests the access log has a line for, what is in a line, and where it goes.
import type { TraceCollectorSpec } from '../tracing/tracing.spec.ts'

export interface AccessLogSpec {
  readonly enabled: boolean
  /** Share of the requests that went as planned, 0 to 100. The others always have a line. */
  readonly samplePercent: number
  /** A condition in CEL on fields of the decision record: requests for which it is not true have no line. Absent: all may have one. */
  readonly matches?: string
  /** Of a line of text, with Envoy's command operators. */
  readonly format?: string
  /** Of a line of JSON. Without this and `format` all fields are there. */
  readonly json?: JsonLineFormat
  /** Absent: the proxy's own output. */
  readonly output?: AccessLogOutput
}

/** Texts with Envoy's command operators; one that is nothing but an operator is a number where the value is one. */
export interface JsonLineFormat {
  readonly [name: string]: string | JsonLineFormat
}

export type AccessLogOutput =
  | { readonly kind: 'file'; readonly path: string; readonly rotation: FileRotationSpec }
  | { readonly kind: 'collector'; readonly collector: TraceCollectorSpec }

export interface FileRotationSpec {
  /** A file that is as long makes place for a new one. */
  readonly longestBytes: number
  /** Besides the one that is written. */
  readonly keptFiles: number
}

/** A line for a collector of OpenTelemetry, as OTLP has it. Ids in lower-case hexadecimal digits. */
export interface LogRecord {
  /** Begin of the request, and when it was over: milliseconds since the Unix epoch, with fractions. */
  readonly startMs: number
  readonly observedMs: number
  readonly failed: boolean
  readonly body: string | undefined
  /** Undefined ones are left out. */
  readonly attributes: Readonly<Record<string, unknown>>
  /** Of the hop; absent where the request belongs to no trace. */
  readonly traceId: string | undefined
  readonly spanId: string | undefined
  readonly sampled: boolean
}
