// Makes decision records of finished exchanges, but only while somebody wants them.
import type { DecisionRecord } from '../../contracts/decision-record.ts'
import type { BatchedWork } from '../../core/batched-work.ts'
import type { Clock } from '../../core/clock.ts'
import type { HeaderList } from '../../core/header-list.ts'
import { defaultRedactor, type Redactor } from '../../policies/redaction/redaction.runtime.ts'
import type { Exchange, ExchangeSink, TelemetryIdentity } from './exchange.ts'

export interface RecordConsumer {
  /** Asked once per request: false costs nothing more. */
  wants(exchange: Exchange): boolean
  consume(record: DecisionRecord, exchange: Exchange): void
}

/** Headers that a record keeps; never one that carries credentials. */
const keptHeaders = ['host', 'user-agent', 'x-request-id', 'traceparent', 'content-type'] as const

/** A record's id is unique among those of this process's life. */
export function createRecordSink(
  identity: TelemetryIdentity & { readonly redactor?: () => Redactor },
  clock: Clock,
  work: Pick<BatchedWork, 'add'>,
  ...consumers: readonly RecordConsumer[]
): ExchangeSink {
  let sequence = 0
  const recordOf = (exchange: Exchange): DecisionRecord => {
    const startMs = clock.nowMs() - (clock.monotonicMs() - exchange.startMonotonicMs)
    const id = `${Math.trunc(startMs).toString(36)}-${(sequence++).toString(36)}`
    return toDecisionRecord(exchange, identity, id, startMs, identity.redactor?.())
  }
  return {
    finished(exchange) {
      let wanting: RecordConsumer[] | undefined
      for (const consumer of consumers) if (consumer.wants(exchange)) (wanting ??= []).push(consumer)
      const asked = wanting
      if (asked === undefined) return
      work.add(() => {
        const record = recordOf(exchange)
        for (const consumer of asked) consumer.consume(record, exchange)
      })
    },
  }
}

/** `startMs`: milliseconds since the Unix epoch. */
export function toDecisionRecord(
  exchange: Exchange,
  identity: TelemetryIdentity,
  id: string,
  startMs: number,
  redactor: Redactor = defaultRedactor,
): DecisionRecord {
  const { request, route } = exchange
  const inbound = exchange.reporter === 'destination'
  return {
    id,
    startMs,
    reporter: exchange.reporter,
    proxy: identity.workload,
    revision: exchange.revision,
    request: {
      method: request.method,
      authority: request.authority,
      path: redactor.path(request.path),
      protocol: exchange.protocol,
      headers: keepHeaders(request.headers, redactor),
      bytes: exchange.requestBytes,
    },
    source: {
      workload: inbound ? undefined : identity.workload,
      principal: inbound ? exchange.sourcePrincipal : identity.spiffeId,
      address: `${exchange.source.remoteAddress}:${exchange.source.remotePort}`,
    },
    destination: {
      workload: inbound ? identity.workload : exchange.destinationWorkload,
      principal: inbound ? identity.spiffeId : exchange.destinationPrincipal,
      service: exchange.destinationService,
      address: exchange.destinationAddress,
    },
    listener: exchange.listener,
    authorization: exchange.authorization,
    rateLimit: exchange.rateLimit,
    filters: exchange.filters,
    metadata: exchange.metadata,
    routeConfiguration: exchange.routeConfiguration,
    virtualHost: exchange.virtualHost,
    route: route?.name,
    routeSource: route?.source,
    split: exchange.split,
    cluster: exchange.cluster,
    attempts: exchange.attempts,
    response: {
      status: exchange.status,
      grpcStatus: exchange.grpcStatus,
      flags: exchange.flags,
      bytes: exchange.responseBytes,
      detail: exchange.detail,
    },
    durationMs: exchange.durationMs,
    mtls: exchange.mtls,
    trace: traceOf(exchange),
  }
}

function traceOf({ traced }: Exchange): DecisionRecord['trace'] {
  if (traced === undefined) return undefined
  const { traceId, spanId, parentSpanId, passedOn } = traced.context
  // that is not the hop before, which has passed it on as this one does
  return { traceId, spanId, parentSpanId: passedOn ? undefined : parentSpanId }
}

function keepHeaders(headers: HeaderList, redactor: Redactor): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const name of keptHeaders) {
    const value = headers.get(name)
    if (value !== undefined) kept[name] = redactor.header(name, value)
  }
  return kept
}
