// A collector of OpenTelemetry for spans, OTLP/gRPC (on grpc-js) and OTLP/HTTP, that decodes with OpenTelemetry's own generated code.
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

interface Message {
  decode(bytes: Uint8Array): unknown
  toObject(message: unknown, options: object): Decoded
}

const generated = createRequire(import.meta.url)('@opentelemetry/otlp-transformer/build/src/generated/root.js') as {
  readonly opentelemetry: { proto: { collector: { trace: { v1: { ExportTraceServiceRequest: Message } } } } }
}
const { ExportTraceServiceRequest } = generated.opentelemetry.proto.collector.trace.v1

export class TraceCollector {
  readonly spans: CollectedSpan[] = []
  /** By which of the two they have come. */
  readonly requests: Record<'grpc' | 'http', number> = { grpc: 0, http: 0 }
  /** False: every batch is refused. */
  takes = true
  readonly #stops: (() => void)[] = []

  async listen(grpcPort: number, httpPort: number): Promise<void> {
    const grpc = new Server()
    const method = {
      path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
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
          if (this.#take('grpc', request)) reply(null, Buffer.alloc(0))
          else reply({ code: status.UNAVAILABLE, details: 'not now' })
        },
      },
    )
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
        const wanted = request.url === '/v1/traces' && request.headers['content-type'] === 'application/x-protobuf'
        response.statusCode = wanted && this.#take('http', Buffer.concat(chunks)) ? 200 : 503
        response.end()
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

  #take(by: 'grpc' | 'http', message: Buffer): boolean {
    this.requests[by]++
    if (!this.takes) return false
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
    return true
  }
}

function asIs(message: Buffer): Buffer {
  return message
}

function attributesOf(values: readonly DecodedValue[] = []): Record<string, string> {
  return Object.fromEntries(values.map(({ key, value = {} }) => [key, String(Object.values(value)[0])]))
}
