// One line a request of those that the listener's access log wants, a projection of its decision record: flat JSON, or text. Whoever writes the
// lines may batch them.
import type { DecisionRecord, SourceLocation } from '../../contracts/decision-record.ts'
import type { Random } from '../../core/random.ts'
import { isLogged } from '../../policies/access-log/access-log.runtime.ts'
import { formatLine } from '../../policies/access-log/line-format.runtime.ts'
import type { RecordConsumer } from './decision-records.ts'

export interface AccessLogDeps {
  /** Takes one line without its line break. */
  readonly write: (line: string) => void
  readonly random: Random
}

export function createAccessLog({ write, random }: AccessLogDeps): RecordConsumer {
  return {
    wants: ({ accessLog, status, flags }) =>
      accessLog !== undefined && isLogged(accessLog, status, flags.length, random),
    consume: (record, { accessLog }) =>
      write(accessLog?.format === undefined ? formatAccessLogLine(record) : formatLine(accessLog.format, record)),
  }
}

/** Absent facts are left out. `time` is the start of the request, milliseconds since the Unix epoch. */
export function formatAccessLogLine(record: DecisionRecord): string {
  const { request, response, source, destination, attempts, authorization } = record
  return JSON.stringify({
    time: record.startMs,
    id: record.id,
    reporter: record.reporter,
    proxy: record.proxy,
    method: request.method,
    authority: request.authority,
    path: request.path,
    protocol: request.protocol,
    status: response.status,
    grpc_status: response.grpcStatus,
    flags: response.flags,
    detail: response.detail,
    authorization: authorization?.allowed === false ? authorization.reason : undefined,
    authorization_source: authorization?.allowed === false ? placeOf(authorization.source) : undefined,
    duration_ms: Math.round(record.durationMs * 1000) / 1000,
    request_bytes: request.bytes,
    response_bytes: response.bytes,
    source_workload: source.workload,
    source_principal: source.principal,
    source_address: source.address,
    destination_workload: destination.workload,
    destination_principal: destination.principal,
    destination_service: destination.service,
    destination_address: destination.address,
    listener: record.listener,
    route: record.route,
    route_source: placeOf(record.routeSource),
    cluster: record.cluster,
    attempts: attempts.length,
    metadata: record.metadata,
    mtls: record.mtls,
    revision: record.revision,
    request_id: request.headers['x-request-id'],
    traceparent: request.headers['traceparent'],
    user_agent: request.headers['user-agent'],
  })
}

function placeOf(source: SourceLocation | undefined): string | undefined {
  return source?.file === undefined ? source?.document : `${source.file}:${source.line}`
}
