// A collector of OpenTelemetry for spans and log records that decodes with OpenTelemetry's own generated code.
import { createRequire } from 'node:module'

import { OtlpEndpoint, type OtlpSignal } from './otlp-endpoint.ts'

export interface CollectedSpan {
  readonly service: string
  readonly traceId: string
  readonly spanId: string
  /** Empty: it is the first. */
  readonly parentSpanId: string
  readonly name: string
  readonly kind: string
  readonly attributes: Readonly<Record<string, string>>
  readonly error: boolean
  readonly durationMs: number
}

export interface CollectedLog {
  readonly service: string
  readonly traceId: string
  readonly spanId: string
  readonly severity: string
  readonly body: string
  readonly attributes: Readonly<Record<string, string>>
}

interface DecodedValue {
  readonly key: string
  readonly value?: Readonly<Record<string, string | number | boolean>>
}

interface Decoded {
  readonly resourceSpans?: readonly {
    readonly resource?: { readonly attributes?: readonly DecodedValue[] }
    readonly scopeSpans?: readonly {
      readonly spans?: readonly {
        readonly traceId: Buffer
        readonly spanId: Buffer
        readonly parentSpanId?: Buffer
        readonly name: string
        readonly kind: string
        readonly attributes?: readonly DecodedValue[]
        readonly status?: { readonly code?: string }
        readonly startTimeUnixNano: string
        readonly endTimeUnixNano: string
      }[]
    }[]
  }[]
}

interface DecodedLogs {
  readonly resourceLogs?: readonly {
    readonly resource?: { readonly attributes?: readonly DecodedValue[] }
    readonly scopeLogs?: readonly {
      readonly logRecords?: readonly {
        readonly traceId?: Uint8Array
        readonly spanId?: Uint8Array
        readonly severityText?: string
        readonly body?: { readonly stringValue?: string }
        readonly attributes?: readonly DecodedValue[]
      }[]
    }[]
  }[]
}

interface Message<T> {
  decode(bytes: Uint8Array): unknown
  toObject(message: unknown, options: object): T
}

const generated = createRequire(import.meta.url)('@opentelemetry/otlp-transformer/build/src/generated/root.js') as {
  readonly opentelemetry: {
    proto: {
      collector: {
        trace: { v1: { ExportTraceServiceRequest: Message<Decoded> } }
        logs: { v1: { ExportLogsServiceRequest: Message<DecodedLogs> } }
      }
    }
  }
}
const { ExportTraceServiceRequest } = generated.opentelemetry.proto.collector.trace.v1
const { ExportLogsServiceRequest } = generated.opentelemetry.proto.collector.logs.v1

export class TraceCollector extends OtlpEndpoint {
  readonly spans: CollectedSpan[] = []
  readonly logs: CollectedLog[] = []

  constructor() {
    super(['traces', 'logs'])
  }

  trace(traceId: string): CollectedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId)
  }

  protected override take(signal: OtlpSignal, message: Buffer): void {
    if (signal === 'traces') this.#takeSpans(message)
    else this.#takeLogs(message)
  }

  #takeLogs(message: Buffer): void {
    const read = ExportLogsServiceRequest.toObject(ExportLogsServiceRequest.decode(message), {
      longs: String,
      enums: String,
    })
    for (const { resource, scopeLogs = [] } of read.resourceLogs ?? []) {
      const service = attributesOf(resource?.attributes)['service.name'] ?? ''
      for (const log of scopeLogs.flatMap(({ logRecords = [] }) => logRecords))
        this.logs.push({
          service,
          traceId: Buffer.from(log.traceId ?? []).toString('hex'),
          spanId: Buffer.from(log.spanId ?? []).toString('hex'),
          severity: log.severityText ?? '',
          body: log.body?.stringValue ?? '',
          attributes: attributesOf(log.attributes),
        })
    }
  }

  #takeSpans(message: Buffer): void {
    const read = ExportTraceServiceRequest.toObject(ExportTraceServiceRequest.decode(message), {
      longs: String,
      enums: String,
    })
    for (const { resource, scopeSpans = [] } of read.resourceSpans ?? []) {
      const service = attributesOf(resource?.attributes)['service.name'] ?? ''
      for (const span of scopeSpans.flatMap(({ spans = [] }) => spans))
        this.spans.push({
          service,
          traceId: span.traceId.toString('hex'),
          spanId: span.spanId.toString('hex'),
          parentSpanId: span.parentSpanId?.toString('hex') ?? '',
          name: span.name,
          kind: span.kind,
          attributes: attributesOf(span.attributes),
          error: span.status?.code === 'STATUS_CODE_ERROR',
          durationMs: Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1e6,
        })
    }
  }
}

function attributesOf(values: readonly DecodedValue[] = []): Record<string, string> {
  return Object.fromEntries(values.map(({ key, value = {} }) => [key, String(Object.values(value)[0])]))
}
