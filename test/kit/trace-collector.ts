// A collector of OpenTelemetry for spans and log records, OTLP/gRPC (on grpc-js) and OTLP/HTTP, that decodes with OpenTelemetry's own generated code.
import { createServer } from 'node:http'
import { createRequire } from 'node:module'

import { Server, ServerCredentials, status } from '@grpc/grpc-js'
import type { sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js'

import { listenOn } from './greeting-server.ts'

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

type Signal = 'traces' | 'logs'

export class TraceCollector {
  readonly spans: CollectedSpan[] = []
  readonly logs: CollectedLog[] = []
  /** By which of the two they have come. */
  readonly requests: Record<'grpc' | 'http', number> = { grpc: 0, http: 0 }
  /** False: every batch is refused. */
  takes = true
  /** True: no batch is answered. */
  hangs = false
  readonly #stops: (() => void)[] = []

  async listen(grpcPort: number, httpPort: number): Promise<void> {
    const grpc = new Server()
    this.#serve(grpc, '/opentelemetry.proto.collector.trace.v1.TraceService/Export', 'traces')
    this.#serve(grpc, '/opentelemetry.proto.collector.logs.v1.LogsService/Export', 'logs')
    await new Promise<void>((resolve, reject) => {
      grpc.bindAsync(`127.0.0.1:${grpcPort}`, ServerCredentials.createInsecure(), (error) => {
        if (error === null) resolve()
        else reject(error)
      })
    })
    this.#stops.push(() => grpc.forceShutdown())
    const http = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const signal = /^\/v1\/(traces|logs)$/.exec(request.url ?? '')?.[1] as Signal | undefined
        const wanted = signal !== undefined && request.headers['content-type'] === 'application/x-protobuf'
        response.statusCode = wanted && this.#take('http', signal, Buffer.concat(chunks)) ? 200 : 503
        if (!this.hangs) response.end()
      })
    })
    await listenOn(httpPort, http)
    this.#stops.push(() => {
      http.close()
      http.closeAllConnections()
    })
  }

  stop(): void {
    for (const stop of this.#stops) stop()
  }

  trace(traceId: string): CollectedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId)
  }

  #serve(grpc: Server, path: string, signal: Signal): void {
    const method = {
      path,
      requestStream: false,
      responseStream: false,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    } as const
    grpc.addService(
      { export: method },
      {
        export: ({ request }: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) => {
          const taken = this.#take('grpc', signal, request)
          if (this.hangs) return
          if (taken) reply(null, Buffer.alloc(0))
          else reply({ code: status.UNAVAILABLE, details: 'not now' })
        },
      },
    )
  }

  #take(by: 'grpc' | 'http', signal: Signal, message: Buffer): boolean {
    this.requests[by]++
    if (!this.takes || this.hangs) return false
    if (signal === 'traces') this.#takeSpans(message)
    else this.#takeLogs(message)
    return true
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

function asIs(message: Buffer): Buffer {
  return message
}

function attributesOf(values: readonly DecodedValue[] = []): Record<string, string> {
  return Object.fromEntries(values.map(({ key, value = {} }) => [key, String(Object.values(value)[0])]))
}
