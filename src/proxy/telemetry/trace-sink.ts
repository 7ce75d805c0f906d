// Has the spans of finished requests exported, of those that are told of.
import type { BatchedWork } from '../../core/batched-work.ts'
import type { Clock } from '../../core/clock.ts'
import type { Random } from '../../core/random.ts'
import type { Redactor } from '../../policies/redaction/redaction.runtime.ts'
import type { SpanRecord } from '../../policies/tracing/tracing.spec.ts'
import type { ExchangeSink } from './exchange.ts'
import type { OtlpBatches } from './otlp-batches.ts'
import { hasFailed, spansOf } from './spans.ts'
import { ToldExchanges } from './told-exchanges.ts'

export function createTraceSink(
  clock: Clock,
  random: Random,
  work: Pick<BatchedWork, 'add'>,
  exporter: Pick<OtlpBatches<SpanRecord>, 'add'>,
  redactor?: () => Redactor,
): ExchangeSink {
  const told = new ToldExchanges(clock)
  return {
    finished(exchange) {
      const { traced } = exchange
      if (traced === undefined || !told.has(exchange, hasFailed(exchange))) return
      work.add(() => {
        const startMs = clock.nowMs() - (clock.monotonicMs() - exchange.startMonotonicMs)
        exporter.add(traced.collector, spansOf(exchange, traced.context, startMs, random, redactor?.()))
      })
    },
  }
}
