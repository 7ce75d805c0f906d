// Several sinks as one, in the order given.
import type { Exchange, ExchangeSink } from './exchange.ts'

export function composeSinks(...sinks: readonly ExchangeSink[]): ExchangeSink {
  return {
    finished(exchange: Exchange): void {
      for (const sink of sinks) sink.finished(exchange)
    },
  }
}
