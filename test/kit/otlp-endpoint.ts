// Where a collector of OpenTelemetry listens, OTLP/gRPC (on grpc-js) and OTLP/HTTP: it takes, refuses or hangs.
import { createServer } from 'node:http'

import { Server, ServerCredentials, status } from '@grpc/grpc-js'
import type { sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js'

import { listenOn } from './greeting-server.ts'
import { rawUnary } from './raw-unary.ts'

export type OtlpSignal = 'traces' | 'logs' | 'metrics'

const grpcPaths: Readonly<Record<OtlpSignal, string>> = {
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
}

export abstract class OtlpEndpoint {
  /** By which of the two they have come. */
  readonly requests: Record<'grpc' | 'http', number> = { grpc: 0, http: 0 }
  /** refuses: every message is; silent: none is answered. */
  behaviour: 'takes' | 'refuses' | 'silent' = 'takes'
  readonly #signals: readonly OtlpSignal[]
  readonly #stops: (() => void)[] = []

  constructor(signals: readonly OtlpSignal[]) {
    this.#signals = signals
  }

  protected abstract take(signal: OtlpSignal, message: Buffer): void

  async listen(grpcPort: number, httpPort: number): Promise<void> {
    const grpc = new Server()
    for (const signal of this.#signals) this.#serve(grpc, signal)
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
        const signal = this.#signals.find((one) => request.url === `/v1/${one}`)
        const wanted = signal !== undefined && request.headers['content-type'] === 'application/x-protobuf'
        const taken = wanted && this.#take('http', signal, Buffer.concat(chunks))
        if (taken === undefined) return
        response.statusCode = taken ? 200 : 503
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

  #serve(grpc: Server, signal: OtlpSignal): void {
    const implementation = {
      export: ({ request }: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>): void => {
        const taken = this.#take('grpc', signal, request)
        if (taken === undefined) return
        if (taken) reply(null, Buffer.alloc(0))
        else reply({ code: status.UNAVAILABLE, details: 'not now' })
      },
    }
    grpc.addService({ export: rawUnary(grpcPaths[signal]) }, implementation)
  }

  /** Undefined: no answer. */
  #take(by: 'grpc' | 'http', signal: OtlpSignal, message: Buffer): boolean | undefined {
    this.requests[by]++
    if (this.behaviour === 'silent') return undefined
    if (this.behaviour === 'refuses') return false
    this.take(signal, message)
    return true
  }
}

/** The document of the service that it is to a mesh: `otel.example`, OTLP/gRPC at 4317 and OTLP/HTTP at 4318. */
export function collectorService(grpc: number, http: number): string {
  return `apiVersion: heddle.dev/v1alpha1
kind: ExternalService
metadata: { name: otel }
spec:
  hosts: [otel.example]
  ports: [{ name: grpc, port: 4317, targetPort: ${grpc}, protocol: grpc }, { name: http, port: 4318, targetPort: ${http} }]
  resolution: static
  endpoints: [{ address: 127.0.0.1 }]
---`
}
