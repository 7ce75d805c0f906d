// Envoy's MetricsService: proxies stream what they have counted; each may speak of itself alone.
import { X509Certificate } from 'node:crypto'

import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type {
  ServerReadableStream,
  ServiceDefinition,
  UntypedServiceImplementation,
  sendUnaryData,
} from '@grpc/grpc-js'

import { spiffeIdOf } from '../../contracts/identity/certificate-spiffe-id.ts'
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
import type { Reporter } from './traffic-reports.ts'

export interface MetricsServiceOptions {
  readonly clock: Clock
  /** SPIFFE ID of each proxy that the mesh has, by node id. */
  readonly proxies: () => ReadonlyMap<string, string>
  readonly isRevoked: (spiffeId: string, notBeforeMs: number) => boolean
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
    const peer = call.getAuthContext().sslPeerCertificate
    const spiffeId = peer && spiffeIdOf(peer)
    const notBeforeMs =
      peer === undefined || spiffeId === undefined ? 0 : new X509Certificate(peer.raw).validFromDate.getTime()
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
        if (spiffeId === undefined || this.#options.proxies().get(node) !== spiffeId) {
          const details = `${spiffeId ?? 'who shows no X.509-SVID'} may not report for ${JSON.stringify(node)}`
          end({ code: status.PERMISSION_DENIED, details })
          return
        }
        const instance = identifier?.node?.metadata?.[nodeMetadata.instance]
        process = this.#process(node, typeof instance === 'string' ? instance : '', spiffeId)
        process.streams++
      }
      if (this.#options.isRevoked(process.spiffeId, notBeforeMs)) {
        const details = `the X.509-SVID of ${process.spiffeId} was revoked: join again with a new token`
        end({ code: status.PERMISSION_DENIED, details })
        return
      }
      process.totals.take(envoyMetrics, process.sink)
    })
    call.on('end', () => end())
    call.on('cancelled', () => end())
    call.on('error', () => end())
  }

  #process(node: string, instance: string, spiffeId: string): Process {
    const processes = this.#processes.get(node) ?? new Map<string, Process>()
    this.#processes.set(node, processes)
    let process = processes.get(instance)
    if (process === undefined) {
      const [kind, ...name] = node.split('~')
      process = {
        totals: new ReportedTotals(this.#startedAtMs),
        spiffeId,
        sink: this.#options.sink({ kind: kind === 'gateway' ? kind : 'sidecar', name: name.join('/'), spiffeId }),
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
