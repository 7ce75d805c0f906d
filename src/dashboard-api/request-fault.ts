// Why a hop of a request went wrong, in one sentence, and where what decided it is written.
import type { DecisionRecord, SourceLocation } from '../contracts/decision-record.ts'
import type { RequestFault } from '../contracts/read-api.ts'
import { grpcFaults } from '../contracts/telemetry/grpc-faults.ts'

/** Undefined: it went well, or, where something went wrong behind it, its answer was handed on. */
export function faultOf(record: DecisionRecord, isHandedOn: boolean): RequestFault | undefined {
  const { proxy, authorization, rateLimit, attempts } = record
  const { status, grpcStatus, flags, detail } = record.response
  if (authorization?.allowed === false)
    return { proxy, reason: authorization.reason, ...writtenAt(authorization.source) }
  if (rateLimit?.enforced === true) return { proxy, reason: `beyond the rate limit ${rateLimit.limit}` }
  const isGood = status > 0 && status < 500 && flags.length === 0 && !grpcFaults.has(grpcStatus ?? 0)
  if (isGood) return undefined
  if (flags.length > 0 || detail !== undefined) {
    const why = [flags.join(','), detail].filter((one) => one !== undefined && one !== '').join(': ')
    return { proxy, reason: why }
  }
  const last = attempts.at(-1)
  if (last !== undefined && last.outcome !== 'response') return { proxy, reason: `${last.endpoint}: ${last.outcome}` }
  if (isHandedOn) return undefined
  const answer = grpcStatus !== undefined && grpcStatus !== 0 ? `gRPC status ${grpcStatus}` : `status ${status}`
  return { proxy, reason: status === 0 ? 'ended without an answer' : `the application answered with ${answer}` }
}

function writtenAt(place: SourceLocation | undefined): Pick<RequestFault, 'source'> {
  return place?.file === undefined ? {} : { source: `${place.file}:${place.line}` }
}
