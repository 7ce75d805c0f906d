// Envoy's MetricsService: proxies stream what they have counted; each may speak of itself alone.
import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type {
  ServerReadableStream,
  ServiceDefinition,
  UntypedServiceImplementation,
  sendUnaryData,
} from '@grpc/grpc-js'

import {
  MetricsService as Description,
  StreamMetricsResponseSchema,
} from '../../contracts/xds/gen/envoy/service/metrics/v3/metrics_service_pb.ts'
import type {
  StreamMetricsMessage,
  StreamMetricsResponse,
} from '../../contracts/xds/gen/envoy/service/metrics/v3/metrics_service_pb.ts'
import { grpcMethod } from '../../contracts/xds/grpc-method.ts'
import { nodeMetadata } from '../../contracts/xds/names.ts'
import type { Clock } from '../../core/clock.ts'
import { ReportedTotals } from './reported-totals.ts'
import type { ReportSink } from './reported-totals.ts'
import { ReportingPeer } from './reporting-proxy.ts'
import type { Reporter, ReportingProxies } from './reporting-proxy.ts'

export interface MetricsServiceOptions extends ReportingProxies {
  readonly clock: Clock
  readonly sink: (reporter: Reporter) => ReportSink
}

type Call = ServerReadableStream<StreamMetricsMessage, StreamMetricsResponse>
type Done = sendUnaryData<StreamMetricsResponse>

/** One process of a proxy: it goes on where it was when it comes back. */
interface Process {
  readonly totals: ReportedTotals
  readonly spiffeId: string
  readonly sink: ReportSink
  streams: number
  leftMs: number
}

/** So long the totals of a process that is away are remembered. */
const rememberMs = 15 * 60_000
/** Of the same proxy, gone and not forgotten. */
const mostProcesses = 64
const method = grpcMethod(Description.method.streamMetrics)

export class MetricsService {
  readonly #options: MetricsServiceOptions
  readonly #startedAtMs: number
  /** By node id, then by instance. */
  readonly #processes = new Map<string, Map<string, Process>>()
  /** Number of processes by SPIFFE ID. */
  readonly #reporting = new Map<string, number>()

  constructor(options: MetricsServiceOptions) {
    this.#options = options
    this.#startedAtMs = options.clock.nowMs()
  }

  /** For `grpc.Server.addService`. */
  service(): { readonly definition: ServiceDefinition; readonly implementation: UntypedServiceImplementation } {
    return {
      definition: { StreamMetrics: method },
      implementation: { StreamMetrics: (call: Call, done: Done) => this.#accept(call, done) },
    }
  }

  /** Whether a proxy with this SPIFFE ID streams what it counts, or did a moment ago. */
  reports(spiffeId: string): boolean {
    return this.#reporting.has(spiffeId)
  }

  #accept(call: Call, done: Done): void {
    const peer = new ReportingPeer(call, this.#options)
    let process: Process | undefined
    let over = false
    const end = (error?: { code: status; details: string }): void => {
      if (over) return
      over = true
      if (process !== undefined) this.#left(process)
      done(error ?? null, error === undefined ? create(StreamMetricsResponseSchema) : undefined)
    }
    call.on('data', ({ identifier, envoyMetrics }: StreamMetricsMessage) => {
      if (over) return
      if (process === undefined) {
        const node = identifier?.node?.id ?? ''
        const reporter = peer.introduce(node)
        if (typeof reporter === 'string') {
          end({ code: status.PERMISSION_DENIED, details: reporter })
          return
        }
        const instance = identifier?.node?.metadata?.[nodeMetadata.instance]
        process = this.#process(node, typeof instance === 'string' ? instance : '', reporter)
        process.streams++
      }
      const details = peer.refusal()
      if (details !== undefined) {
        end({ code: status.PERMISSION_DENIED, details })
        return
      }
      process.totals.take(envoyMetrics, process.sink)
    })
    call.on('end', () => end())
    call.on('cancelled', () => end())
    call.on('error', () => end())
  }

  #process(node: string, instance: string, reporter: Reporter): Process {
    const processes = this.#processes.get(node) ?? new Map<string, Process>()
    this.#processes.set(node, processes)
    let process = processes.get(instance)
    if (process === undefined) {
      const { spiffeId } = reporter
      process = {
        totals: new ReportedTotals(this.#startedAtMs),
        spiffeId,
        sink: this.#options.sink(reporter),
        streams: 0,
        leftMs: 0,
      }
      processes.set(instance, process)
      this.#reporting.set(spiffeId, (this.#reporting.get(spiffeId) ?? 0) + 1)
    }
    this.#forgetOld(node, processes)
    return process
  }

  #left(process: Process): void {
    process.streams--
    if (process.streams === 0) process.sink.left?.()
    process.leftMs = this.#options.clock.nowMs()
  }

  #forgetOld(ofNode: string, own: Map<string, Process>): void {
    const nowMs = this.#options.clock.nowMs()
    for (const [node, processes] of this.#processes) {
      for (const [instance, { spiffeId, streams, leftMs }] of processes) {
        const goes = nowMs - leftMs > rememberMs || (node === ofNode && own.size > mostProcesses)
        if (streams > 0 || leftMs === 0 || !goes) continue
        processes.delete(instance)
        const left = (this.#reporting.get(spiffeId) ?? 0) - 1
        if (left > 0) this.#reporting.set(spiffeId, left)
        else this.#reporting.delete(spiffeId)
      }
      if (processes.size === 0) this.#processes.delete(node)
    }
  }
}
