// A decision record as a log record of OpenTelemetry, with the attributes of its conventions where it has some.
import type { DecisionRecord } from '../../contracts/decision-record.ts'
import type { LogRecord } from '../../policies/access-log/access-log.spec.ts'
import type { Exchange } from './exchange.ts'
import { hasFailed } from './spans.ts'

/** `observedMs`: now, milliseconds since the Unix epoch. */
export function logRecordOf(
  record: DecisionRecord,
  { traced, request }: Exchange,
  body: string | undefined,
  attributes: LogRecord['attributes'] | undefined,
  observedMs: number,
): LogRecord {
  const failed = hasFailed(record.response)
  const [traceId, spanId, flags] = tracedBy(request.headers.get('traceparent'))
  return {
    startMs: record.startMs,
    observedMs,
    failed,
    body: body === undefined ? undefined : cut(body),
    attributes: shortened(attributes ?? attributesOf(record, failed)),
    traceId: traced?.context.traceId ?? traceId,
    spanId: traced?.context.spanId ?? spanId,
    sampled: traced?.context.sampled ?? (Number.parseInt(flags ?? '0', 16) & 1) === 1,
  }
}

/** Of one text: collectors take messages of 4 MiB, and a batch has 512 records. */
const mostCharacters = 1_024

function shortened(attributes: LogRecord['attributes']): LogRecord['attributes'] {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, shortenedValue(value)]))
}

function shortenedValue(value: unknown): unknown {
  if (typeof value === 'string') return cut(value)
  if (Array.isArray(value)) return value.map(shortenedValue)
  return typeof value === 'object' && value !== null ? shortened(value as LogRecord['attributes']) : value
}

function cut(text: string): string {
  return text.length > mostCharacters ? `${text.slice(0, mostCharacters)}…` : text
}

/** Of a trace that passes by: the span of the caller is the nearest that there is. */
function tracedBy(traceparent: string | undefined): readonly (string | undefined)[] {
  return /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(traceparent ?? '')?.slice(1) ?? []
}

const httpMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'])

function attributesOf(record: DecisionRecord, failed: boolean): LogRecord['attributes'] {
  const { request, response, source, destination, authorization, rateLimit, routeSource } = record
  const { status, flags } = response
  const known = httpMethods.has(request.method)
  const [path, query] = parted(request.path, request.path.indexOf('?'))
  const [server, serverPort] = parted(request.authority, portColon(request.authority))
  const [client, clientPort] = parted(source.address ?? '', portColon(source.address ?? ''))
  return {
    'http.request.method': known ? request.method : '_OTHER',
    'http.request.method_original': known ? undefined : request.method,
    'url.path': path,
    'url.query': query,
    'server.address': server,
    'server.port': serverPort === undefined ? undefined : Number(serverPort),
    'http.response.status_code': status === 0 ? undefined : status,
    'http.request.body.size': request.bytes,
    'http.response.body.size': response.bytes,
    'network.protocol.name': 'http',
    'network.protocol.version': request.protocol.split('/')[1],
    'user_agent.original': request.headers['user-agent'],
    'rpc.grpc.status_code': response.grpcStatus,
    'error.type': failed ? (flags[0] ?? String(status)) : undefined,
    'client.address': client === '' ? undefined : client,
    'client.port': clientPort === undefined ? undefined : Number(clientPort),
    'heddle.duration_ms': Math.round(record.durationMs * 1_000) / 1_000,
    'heddle.record_id': record.id,
    'heddle.request_id': request.headers['x-request-id'],
    'heddle.reporter': record.reporter,
    'heddle.listener': record.listener,
    'heddle.mtls': record.mtls,
    'heddle.source.workload': source.workload,
    'heddle.source.principal': source.principal,
    'heddle.destination.workload': destination.workload,
    'heddle.destination.principal': destination.principal,
    'heddle.destination.service': destination.service,
    'heddle.destination.address': destination.address,
    'heddle.route': record.route,
    'heddle.route_source': routeSource?.file === undefined ? undefined : `${routeSource.file}:${routeSource.line}`,
    'heddle.cluster': record.cluster,
    'heddle.response_flags': flags.length === 0 ? undefined : flags.join(','),
    'heddle.response_detail': response.detail,
    'heddle.attempts': record.attempts.length,
    'heddle.authorization.allowed': authorization?.allowed,
    'heddle.authorization.policy': authorization?.policy,
    'heddle.rate_limit': rateLimit?.limit,
    'heddle.metadata': record.metadata,
    'heddle.revision': record.revision,
  }
}

/** What is before and behind the character there. */
function parted(text: string, at: number): readonly [string, string | undefined] {
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}

/** -1: no port follows. */
function portColon(address: string): number {
  return /:[0-9]+$/.test(address) ? address.lastIndexOf(':') : -1
}
