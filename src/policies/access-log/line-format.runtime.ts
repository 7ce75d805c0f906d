// A line of text of one decision record.
import {
  type LineHeader,
  type LineOperator,
  type LinePart,
  parseLineFormat,
} from '../../contracts/access-log-format.ts'
import type { DecisionRecord } from '../../contracts/decision-record.ts'
import { formatRfc3339 } from '../../core/rfc3339.ts'

type Value = string | number | undefined

/** What the field is called in Envoy, of a record. */
const operators: Readonly<Record<LineOperator, (record: DecisionRecord) => Value>> = {
  START_TIME: ({ startMs }) => formatRfc3339(startMs),
  PROTOCOL: ({ request }) => request.protocol,
  RESPONSE_CODE: ({ response }) => response.status,
  RESPONSE_CODE_DETAILS: ({ response }) => response.detail,
  RESPONSE_FLAGS: ({ response }) => (response.flags.length === 0 ? undefined : response.flags.join(',')),
  GRPC_STATUS_NUMBER: ({ response }) => response.grpcStatus,
  BYTES_RECEIVED: ({ request }) => request.bytes,
  BYTES_SENT: ({ response }) => response.bytes,
  DURATION: ({ durationMs }) => Math.round(durationMs),
  UPSTREAM_HOST: ({ destination }) => destination.address,
  UPSTREAM_CLUSTER: ({ cluster }) => cluster,
  UPSTREAM_PEER_URI_SAN: ({ destination }) => destination.principal,
  UPSTREAM_REQUEST_ATTEMPT_COUNT: ({ attempts }) => attempts.length,
  DOWNSTREAM_REMOTE_ADDRESS: ({ source }) => source.address,
  DOWNSTREAM_PEER_URI_SAN: ({ source }) => source.principal,
  ROUTE_NAME: ({ route }) => route,
}

const ofRequest: Partial<Record<LineHeader, (request: DecisionRecord['request']) => Value>> = {
  ':method': ({ method }) => method,
  ':path': ({ path }) => path,
  ':authority': ({ authority }) => authority,
}

/** A mesh has one format or two. */
const compiled = new Map<string, readonly ((record: DecisionRecord) => string)[]>()

/** What is missing is "-". Nothing in a value ends the line or the quotes around it. */
export function formatLine(format: string, record: DecisionRecord): string {
  let parts = compiled.get(format)
  if (parts === undefined) compiled.set(format, (parts = compile(format)))
  let line = ''
  for (const part of parts) line += part(record)
  return line
}

/** Throws an Error that says what is wrong with it. */
function compile(format: string): ((record: DecisionRecord) => string)[] {
  const parts = parseLineFormat(format)
  if (typeof parts === 'string') throw new Error(parts)
  return parts.map(compilePart)
}

function compilePart(part: LinePart): (record: DecisionRecord) => string {
  if (part.kind === 'text') return () => part.text
  if (part.kind === 'operator') {
    const read = operators[part.operator]
    return (record) => shown(read(record))
  }
  const { header } = part
  const read = ofRequest[header] ?? ((request): Value => request.headers[header])
  return ({ request }) => shown(read(request))
}

function shown(value: Value): string {
  if (value === undefined || value === '') return '-'
  return typeof value === 'number' ? String(value) : value.replaceAll(/[\p{Cc}\u2028\u2029"\\]/gu, escapeCharacter)
}

function escapeCharacter(character: string): string {
  if (character === '"' || character === '\\') return `\\${character}`
  return `\\u${(character.codePointAt(0) as number).toString(16).padStart(4, '0')}`
}
