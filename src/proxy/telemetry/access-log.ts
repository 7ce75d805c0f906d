// One line a request of those that the listener's access log wants, a projection of its decision record: flat JSON, text, or a record for a
// collector. Whoever writes the lines may batch them.
import type { DecisionRecord, SourceLocation } from '../../contracts/decision-record.ts'
import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { CountLines } from '../../core/line-file.ts'
import type { Logger } from '../../core/logger.ts'
import type { Random } from '../../core/random.ts'
import { isLogged } from '../../policies/access-log/access-log.runtime.ts'
import type { AccessLogSpec, FileRotationSpec, LogRecord } from '../../policies/access-log/access-log.spec.ts'
import {
  compileJsonFields,
  compileTextLine,
  jsonLine,
  type LineOf,
  type ShownHeaders,
} from '../../policies/access-log/line-format.runtime.ts'
import { compileRecordCondition } from '../../policies/access-log/record-condition.runtime.ts'
import type { Redactor } from '../../policies/redaction/redaction.runtime.ts'
import type { TraceCollectorSpec } from '../../policies/tracing/tracing.spec.ts'
import type { RecordConsumer } from './decision-records.ts'
import type { Exchange } from './exchange.ts'
import { logRecordOf } from './log-records.ts'
import type { BatchResult } from './otlp-batches.ts'

export type AccessLogResult = 'written' | 'refused' | 'failed' | 'overflow'

export interface AccessLogCounter {
  accessLogCounted(output: 'stdout' | 'file' | 'collector', result: AccessLogResult, lines: number): void
}

/** Where lines go, each without its line break. */
export interface AccessLogOutputs {
  /** False: there is no place for it now. */
  readonly write: (line: string) => boolean
  readonly writeFile: (path: string, rotation: FileRotationSpec, line: string, counted: CountLines) => void
  readonly send: (collector: TraceCollectorSpec, record: LogRecord) => void
}

export interface AccessLogDeps {
  readonly outputs: AccessLogOutputs
  readonly counter: AccessLogCounter
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** What the configuration wants shown nowhere. */
  readonly redactor: () => Redactor
}

/** What becomes of a request. */
type Write = (record: DecisionRecord, exchange: Exchange) => void

export function createAccessLog(deps: AccessLogDeps): RecordConsumer {
  const { random, logger } = deps
  /** By what came with the configuration: compiled once. */
  const compiled = new WeakMap<AccessLogSpec, Write>()
  const compile = (spec: AccessLogSpec): Write => {
    try {
      return compileWrite(spec, deps)
    } catch (error) {
      logger.error('the access log cannot be written', { error: errorMessage(error) })
      return () => {
        // said once
      }
    }
  }
  return {
    wants: ({ accessLog, status, flags }) =>
      accessLog !== undefined && isLogged(accessLog, status, flags.length, random),
    consume(record, exchange) {
      const { accessLog } = exchange
      if (accessLog === undefined) return
      let write = compiled.get(accessLog)
      if (write === undefined) compiled.set(accessLog, (write = compile(accessLog)))
      write(record, exchange)
    },
  }
}

function compileWrite(spec: AccessLogSpec, deps: AccessLogDeps): Write {
  const write = compileOutput(spec, deps)
  if (spec.matches === undefined) return write
  const matches = compileRecordCondition(spec.matches)
  return (record, exchange) => {
    if (matches(record, exchange.request.headers)) write(record, exchange)
  }
}

function compileOutput(spec: AccessLogSpec, { outputs, counter, clock, redactor }: AccessLogDeps): Write {
  const { output } = spec
  const shown = ({ request: { headers } }: Exchange): ShownHeaders => ({
    get(name) {
      const value = headers.get(name)
      return value === undefined ? undefined : redactor().header(name, value)
    },
  })
  if (output?.kind === 'collector') {
    const body = spec.format === undefined ? undefined : compileTextLine(spec.format)
    const attributes = spec.json === undefined ? undefined : compileJsonFields(spec.json)
    return (record, exchange) => {
      const headers = shown(exchange)
      const of = logRecordOf(record, exchange, body?.(record, headers), attributes?.(record, headers), clock.nowMs())
      outputs.send(output.collector, of)
    }
  }
  const lineOf = compileLine(spec)
  if (output === undefined) {
    return (record, exchange) => {
      const isWritten = outputs.write(lineOf(record, shown(exchange)))
      counter.accessLogCounted('stdout', isWritten ? 'written' : 'overflow', 1)
    }
  }
  const counted: CountLines = (result, lines) => counter.accessLogCounted('file', result, lines)
  return (record, exchange) => outputs.writeFile(output.path, output.rotation, lineOf(record, shown(exchange)), counted)
}

function compileLine({ format, json }: AccessLogSpec): LineOf<string> {
  if (format !== undefined) return compileTextLine(format)
  if (json === undefined) return formatAccessLogLine
  const fields = compileJsonFields(json)
  return (record, headers) => jsonLine(fields(record, headers))
}

/** For the collector's batches. */
export function countBatches(counter: AccessLogCounter): (result: BatchResult, records: number) => void {
  return (result, records) => counter.accessLogCounted('collector', result === 'exported' ? 'written' : result, records)
}

/** Absent facts are left out. `time` is the start of the request, milliseconds since the Unix epoch. */
export function formatAccessLogLine(record: DecisionRecord): string {
  const { request, response, source, destination, attempts, authorization } = record
  return jsonLine({
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
