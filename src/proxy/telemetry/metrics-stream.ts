// Tells the control plane what this proxy has counted: once a second the totals of the series that changed, by Envoy's MetricsService.
import { create } from '@bufbuild/protobuf'
import type { JsonObject } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { Client, ClientWritableStream, StatusObject } from '@grpc/grpc-js'

import { proxyMetrics, streamedMetrics } from '../../contracts/telemetry/metrics.ts'
import {
  MetricsService,
  StreamMetricsMessageSchema,
} from '../../contracts/xds/gen/envoy/service/metrics/v3/metrics_service_pb.ts'
import type { StreamMetricsMessage } from '../../contracts/xds/gen/envoy/service/metrics/v3/metrics_service_pb.ts'
import { grpcMethod } from '../../contracts/xds/grpc-method.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import type { MetricRegistry } from '../../core/metrics/metric-registry.ts'
import { ChangedSeries } from './changed-series.ts'

export interface MetricsStreamOptions {
  readonly node: { readonly id: string; readonly metadata: JsonObject }
  readonly registry: MetricRegistry
  /** When the registry began to count, milliseconds since the Unix epoch. */
  readonly startedAtMs: number
  readonly counter: ReportCounter
  readonly clock: Clock
}

export interface ReportCounter {
  /** A report has left; or it could not, as the control plane is away or slow. */
  reported(result: 'sent' | 'skipped'): void
}

export interface MetricsStream {
  /** Sends what has changed since the last report, and ends. Resolves when the control plane has it, or after `withinMs`. */
  finish(withinMs: number): Promise<void>
  stop(): void
}

export const reportIntervalMs = 1_000
const method = grpcMethod(MetricsService.method.streamMetrics)
const names = new Set(streamedMetrics.map((metric) => proxyMetrics[metric].name))

/**
 * On a channel that somebody else opened and closes. Totals, so that a report that is lost is made up for by the next; nothing is kept for a
 * control plane that is away. Ends where nobody knows of the service: any xDS server will do.
 */
export function streamMetrics(client: Client, options: MetricsStreamOptions): MetricsStream {
  const { node, registry, startedAtMs, counter, clock } = options
  let call: ClientWritableStream<StreamMetricsMessage> | undefined
  let changed = new ChangedSeries(registry, names, startedAtMs)
  let blocked = false
  let unknown = false
  let ended: (() => void) | undefined
  let timer: Timer | undefined
  const open = (): void => {
    try {
      call = client.makeClientStreamRequest(method.path, method.requestSerialize, method.responseDeserialize, () => {
        // its status follows
      })
    } catch {
      // the channel was closed meanwhile
      return
    }
    const opened = call
    blocked = false
    changed = new ChangedSeries(registry, names, startedAtMs)
    call.on('drain', () => {
      if (call === opened) blocked = false
    })
    call.on('status', ({ code }: StatusObject) => {
      if (call === opened) call = undefined
      unknown = code === status.UNIMPLEMENTED
      ended?.()
    })
    write({ identifier: { node } })
  }
  const write = (message: Parameters<typeof create<typeof StreamMetricsMessageSchema>>[1]): void => {
    blocked = call?.write(create(StreamMetricsMessageSchema, message)) === false
  }
  const report = (): void => {
    if (call === undefined && !unknown) open()
    if (call === undefined || blocked) {
      if (!unknown) counter.reported('skipped')
      return
    }
    const envoyMetrics = changed.take()
    if (envoyMetrics.length === 0) return
    write({ envoyMetrics })
    counter.reported('sent')
  }
  const tick = (): void => {
    report()
    timer = clock.setTimer(reportIntervalMs, tick)
  }
  tick()
  return {
    finish(withinMs) {
      timer?.cancel()
      report()
      if (call === undefined) return Promise.resolve()
      const { promise, resolve } = Promise.withResolvers<void>()
      const deadline = clock.setTimer(withinMs, resolve)
      ended = () => {
        deadline.cancel()
        resolve()
      }
      call.end()
      return promise
    },
    stop() {
      timer?.cancel()
      call?.cancel()
    },
  }
}
