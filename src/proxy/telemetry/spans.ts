// The spans of one finished request: one of the hop, and one of each attempt that the next hop was told of as its parent.
import type { AttemptRecord, DecisionRecord } from '../../contracts/decision-record.ts'
import { grpcFaults } from '../../contracts/telemetry/grpc-faults.ts'
import type { Random } from '../../core/random.ts'
import { defaultRedactor, type Redactor } from '../../policies/redaction/redaction.runtime.ts'
import { newSpanId } from '../../policies/tracing/trace-context.runtime.ts'
import type { TraceContext } from '../../policies/tracing/trace-context.runtime.ts'
import type { AttributeValue, SpanRecord } from '../../policies/tracing/tracing.spec.ts'
import type { Exchange } from './exchange.ts'

type Attributes = Readonly<Record<string, AttributeValue | undefined>>

/** A server's fault, or the proxy's. */
export function hasFailed({ status, grpcStatus, flags }: DecisionRecord['response'] | Exchange): boolean {
  return status === 0 || status >= 500 || flags.length > 0 || grpcFaults.has(grpcStatus ?? 0)
}

/**
 * `startMs`: milliseconds since the Unix epoch. Names of attributes are OpenTelemetry's where it has some. Attempts of a request that nobody samples
 * have been told to nobody: several of them get their spans here.
 */
export function spansOf(
  exchange: Exchange,
  trace: TraceContext,
  startMs: number,
  random: Random,
  redactor: Redactor = defaultRedactor,
): SpanRecord[] {
  const { reporter, request, status, flags, detail, destinationService, attempts } = exchange
  const failed = hasFailed(exchange)
  const own = ownAttributes(exchange, redactor)
  const hop: SpanRecord = {
    traceId: trace.traceId,
    spanId: trace.spanId,
    parentSpanId: trace.parentSpanId,
    traceState: trace.traceState,
    name: destinationService === undefined ? request.method : `${request.method} ${destinationService}`,
    kind: reporter === 'source' ? 'client' : 'server',
    startMs,
    endMs: startMs + exchange.durationMs,
    attributes: { ...hopAttributes(exchange, failed, redactor), ...own },
    status: { error: failed || (reporter === 'source' && status >= 400), message: detail ?? flags.join(',') },
    sampled: trace.sampled,
  }
  const untold = trace.sampled || attempts.length < 2 ? undefined : random
  return [
    hop,
    ...attempts.flatMap((attempt, i) => {
      const spanId = attempt.spanId ?? (untold && newSpanId(untold))
      return spanId === undefined ? [] : [attemptSpan(attempt, spanId, i, hop, own)]
    }),
  ]
}

function hopAttributes(exchange: Exchange, failed: boolean, redactor: Redactor): Attributes {
  const { request, route, authorization, rateLimit, status, flags } = exchange
  const [path = '', query] = request.path.split('?')
  const userAgent = request.headers.get('user-agent')
  return {
    'http.request.method': request.method,
    'url.scheme': request.scheme,
    'url.path': path,
    // its values may be secrets: whether there was one is enough to find the log line
    'heddle.query': query === undefined ? undefined : true,
    'server.address': request.authority,
    'http.response.status_code': status === 0 ? undefined : status,
    'http.request.body.size': exchange.requestBytes,
    'http.response.body.size': exchange.responseBytes,
    'network.protocol.version': exchange.protocol.split('/')[1],
    'user_agent.original': userAgent && redactor.header('user-agent', userAgent.slice(0, 256)),
    'rpc.grpc.status_code': exchange.grpcStatus,
    'error.type': failed ? (flags[0] ?? String(status)) : undefined,
    'client.address': exchange.source.remoteAddress,
    'heddle.request_id': request.headers.get('x-request-id'),
    'heddle.reporter': exchange.reporter,
    'heddle.listener': exchange.listener,
    'heddle.mtls': exchange.mtls,
    'heddle.source.principal': exchange.sourcePrincipal,
    'heddle.destination.service': exchange.destinationService,
    'heddle.destination.workload': exchange.destinationWorkload,
    'heddle.destination.principal': exchange.destinationPrincipal,
    'heddle.destination.address': exchange.destinationAddress,
    'heddle.route': route?.name,
    'heddle.route_source': route?.source?.file === undefined ? undefined : `${route.source.file}:${route.source.line}`,
    'heddle.cluster': exchange.cluster,
    'heddle.response_flags': flags.length === 0 ? undefined : flags.join(','),
    'heddle.attempts': exchange.attempts.length,
    'heddle.authorization.allowed': authorization?.allowed,
    'heddle.authorization.policy': authorization?.policy,
    'heddle.rate_limit': rateLimit?.limit,
    'heddle.revision': exchange.revision,
  }
}

const mostCharacters = 1_024

/** Those that somebody has asked for. Headers are as they are once the request is over. */
function ownAttributes({ traced, request }: Exchange, redactor: Redactor): Attributes {
  if (traced?.attributes === undefined) return {}
  return Object.fromEntries(
    traced.attributes.map((attribute) => {
      if (attribute.kind === 'literal') return [attribute.name, attribute.value]
      const value = request.headers.get(attribute.header)?.slice(0, mostCharacters)
      return [attribute.name, value && redactor.header(attribute.header, value)]
    }),
  )
}

function attemptSpan(
  attempt: AttemptRecord,
  spanId: string,
  index: number,
  hop: SpanRecord,
  own: Attributes,
): SpanRecord {
  const { outcome, status } = attempt
  const startMs = hop.startMs + (attempt.startMs ?? 0)
  const failed = outcome !== 'response' || (status ?? 0) >= 500
  return {
    ...hop,
    spanId,
    parentSpanId: hop.spanId,
    kind: 'client',
    startMs,
    endMs: startMs + attempt.durationMs,
    attributes: {
      'http.request.method': hop.attributes['http.request.method'],
      'server.address': attempt.endpoint,
      'http.response.status_code': status,
      'http.request.resend_count': index === 0 ? undefined : index,
      'error.type': failed ? (outcome === 'response' ? String(status) : outcome) : undefined,
      'heddle.destination.workload': attempt.workload,
      'heddle.attempt.outcome': outcome,
      'heddle.attempt.retried_because': attempt.retriedBecause,
      ...own,
    },
    status: { error: failed, message: failed ? outcome : undefined },
  }
}
