// Has the spans of finished requests exported, of those that are told of.
import type { Clock } from '../../core/clock.ts'
import { KeptRequests } from '../../policies/tracing/tracing.runtime.ts'
import type { ExchangeSink } from './exchange.ts'
import { hasFailed, spansOf } from './spans.ts'
import type { TraceExporter } from './trace-exporter.ts'

export function createTraceSink(clock: Clock, exporter: Pick<TraceExporter, 'add'>): ExchangeSink {
  const kept = new KeptRequests(clock)
  return {
    finished(exchange) {
      const { traced, durationMs } = exchange
      if (traced === undefined || !kept.keeps(traced.context.sampled, hasFailed(exchange), durationMs)) return
      const startMs = clock.nowMs() - (clock.monotonicMs() - exchange.startMonotonicMs)
      exporter.add(traced.collector, spansOf(exchange, traced.context, startMs))
    },
  }
}
