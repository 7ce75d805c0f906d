// A collector of OpenTelemetry for metrics, OTLP/gRPC (on grpc-js) and OTLP/HTTP, that decodes with OpenTelemetry's own generated code.
import { createServer } from 'node:http'

import { Server, ServerCredentials, status } from '@grpc/grpc-js'
import type { sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js'

import { listenOn } from './greeting-server.ts'
import { type CollectedMetric, type CollectedPoint, type CollectedResource, decodeMetrics } from './otlp-metrics.ts'

export class MetricsCollector {
  /** The newest of each process that counts, by its `service.instance.id` and the metric's name. */
  readonly #newest = new Map<string, Map<string, CollectedMetric>>()
  readonly #resources = new Map<string, CollectedResource['attributes']>()
  /** By which of the two they have come. */
  readonly requests: Record<'grpc' | 'http', number> = { grpc: 0, http: 0 }
  /** refuses: every message is; silent: none is answered. */
  behaviour: 'takes' | 'refuses' | 'silent' = 'takes'
  readonly #stops: (() => void)[] = []

  async listen(grpcPort: number, httpPort: number): Promise<void> {
    const grpc = new Server({ 'grpc.max_receive_message_length': 4 * 1024 * 1024 })
    const method = {
      path: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
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
          const taken = this.#take('grpc', request)
          if (taken === undefined) return
          if (taken) reply(null, Buffer.alloc(0))
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
        const wanted = request.url === '/v1/metrics' && request.headers['content-type'] === 'application/x-protobuf'
        const taken = wanted && this.#take('http', Buffer.concat(chunks))
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

  /** Of all processes with that `service.name`; of its newest messages. */
  metrics(service: string, name: string): CollectedMetric[] {
    return [...this.#newest].flatMap(([instance, metrics]) => {
      const found = metrics.get(name)
      return found === undefined || this.#resources.get(instance)?.['service.name'] !== service ? [] : [found]
    })
  }

  points(service: string, name: string): CollectedPoint[] {
    return this.metrics(service, name).flatMap(({ points }) => points)
  }

  names(service: string): string[] {
    return [...this.#newest].flatMap(([instance, metrics]) =>
      this.#resources.get(instance)?.['service.name'] === service ? [...metrics.keys()] : [],
    )
  }

  resources(service: string): CollectedResource['attributes'][] {
    return [...this.#resources.values()].filter((attributes) => attributes['service.name'] === service)
  }

  forget(): void {
    this.#newest.clear()
    this.#resources.clear()
  }

  /** Undefined: no answer. */
  #take(by: 'grpc' | 'http', message: Buffer): boolean | undefined {
    this.requests[by]++
    if (this.behaviour === 'silent') return undefined
    if (this.behaviour === 'refuses') return false
    for (const { attributes, metrics } of decodeMetrics(message)) {
      const instance = attributes['service.instance.id'] ?? ''
      this.#resources.set(instance, attributes)
      const newest = this.#newest.get(instance) ?? new Map<string, CollectedMetric>()
      this.#newest.set(instance, newest)
      for (const metric of metrics) newest.set(metric.name, metric)
    }
    return true
  }
}

function asIs(message: Buffer): Buffer {
  return message
}
