// A trace that a finished request belongs to; tests say which, and whether it is sampled.
import type { TracedExchange } from '../../src/proxy/telemetry/exchange.ts'

/** `id`: the last digits of its id, and of the span's. */
export function sampleTrace(id: string, sampled = true): TracedExchange {
  const traceId = id.padStart(32, '0')
  return {
    context: {
      traceId,
      spanId: traceId.slice(-16),
      parentSpanId: undefined,
      sampled,
      b3: undefined,
      traceState: undefined,
      passedOn: false,
    },
    collector: { cluster: 'otel', timeoutMs: 1_000 },
  }
}
