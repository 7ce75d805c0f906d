// What is in a line about one request: text, or fields of JSON. Nothing in a value ends the line or the quotes around it.
import { type LineOperator, type LinePart, parseLineFormat } from '../../contracts/access-log-format.ts'
import type { DecisionRecord } from '../../contracts/decision-record.ts'
import type { HeaderList } from '../../core/header-list.ts'
import { formatRfc3339 } from '../../core/rfc3339.ts'
import type { JsonLineFormat } from './access-log.spec.ts'

/** `headers`: all of the request, as they may be shown. */
export type LineOf<T> = (record: DecisionRecord, headers: ShownHeaders) => T

export type ShownHeaders = Pick<HeaderList, 'get'>

/** What is not known is left out. */
export interface JsonFields {
  readonly [name: string]: unknown
}

/** What the field is called in Envoy, of a record. */
const operators: Readonly<Record<LineOperator, (record: DecisionRecord) => string | number | undefined>> = {
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
  TRACE_ID: ({ trace, request }) => trace?.traceId ?? request.headers['traceparent']?.split('-')[1],
}

/** What is missing is "-". Throws an Error that says what is wrong with the format. */
export function compileTextLine(format: string): LineOf<string> {
  return compileText(partsOf(format), (value) => plain(value)?.replaceAll(/[\p{Cc}\u2028\u2029"\\]/gu, escaped))
}

/** What is missing is left out. Throws an Error that says what is wrong with a format. */
export function compileJsonFields(formats: JsonLineFormat): LineOf<JsonFields> {
  const fields = Object.entries(formats).map(
    ([name, format]) => [name, typeof format === 'string' ? compileField(format) : compileJsonFields(format)] as const,
  )
  return (record, headers) => Object.fromEntries(fields.map(([name, valueOf]) => [name, valueOf(record, headers)]))
}

/** What JSON leaves as it is, though some take it for the end of a line, and terminals for commands. */
const unsafe = /[\u007F-\u009F\u2028\u2029]/g

export function jsonLine(fields: JsonFields): string {
  const line = JSON.stringify(fields)
  return line.replace(unsafe, escaped)
}

/** An operator alone is the value that it stands for. */
function compileField(format: string): LineOf<unknown> {
  const parts = partsOf(format)
  const [only] = parts
  return only !== undefined && only.kind !== 'text' && parts.length === 1 ? readerOf(only) : compileText(parts, plain)
}

function compileText(parts: readonly LinePart[], show: (value: unknown) => string | undefined): LineOf<string> {
  const pieces = parts.map((part): LineOf<string> => {
    if (part.kind === 'text') return () => part.text
    const read = readerOf(part)
    return (record, headers) => show(read(record, headers)) ?? '-'
  })
  return (record, headers) => {
    let line = ''
    for (const piece of pieces) line += piece(record, headers)
    return line
  }
}

function partsOf(format: string): readonly LinePart[] {
  const parts = parseLineFormat(format)
  if (typeof parts === 'string') throw new Error(parts)
  return parts
}

function readerOf(part: Exclude<LinePart, { readonly kind: 'text' }>): LineOf<unknown> {
  if (part.kind === 'operator') return operators[part.operator]
  if (part.kind === 'header') return headerReader(part.names, part.mostCharacters)
  const names = part.field.split('.')
  return (record) => names.reduce<unknown>((value, name) => (value as JsonFields | undefined)?.[name], record)
}

const ofRequest: Readonly<Record<string, ((request: DecisionRecord['request']) => string) | undefined>> = {
  ':method': ({ method }) => method,
  ':path': ({ path }) => path,
  ':authority': ({ authority }) => authority,
}

function headerReader(names: readonly string[], mostCharacters = Infinity): LineOf<string | undefined> {
  const readers = names.map((name): LineOf<string | undefined> => {
    const read = ofRequest[name]
    return read === undefined ? (_, headers) => headers.get(name) : ({ request }) => read(request)
  })
  return (record, headers) => {
    for (const read of readers) {
      const value = read(record, headers)
      if (value !== undefined) return value.slice(0, mostCharacters)
    }
    return undefined
  }
}

/** Undefined: there is none. */
function plain(value: unknown): string | undefined {
  if (value === undefined || value === '') return undefined
  if (Array.isArray(value) && value.length === 0) return undefined
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function escaped(character: string): string {
  if (character === '"' || character === '\\') return `\\${character}`
  return `\\u${(character.codePointAt(0) as number).toString(16).padStart(4, '0')}`
}
