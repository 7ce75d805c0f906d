// Lines of the access log, with Envoy's command operators. What both planes and whoever writes them agree on.
import { recordFields } from './record-fields.ts'
import { isSecretName } from './secret-names.ts'

/** By Envoy's names, of what a decision record knows. */
export const lineOperators = [
  'START_TIME',
  'PROTOCOL',
  'RESPONSE_CODE',
  'RESPONSE_CODE_DETAILS',
  'RESPONSE_FLAGS',
  'GRPC_STATUS_NUMBER',
  'BYTES_RECEIVED',
  'BYTES_SENT',
  'DURATION',
  'UPSTREAM_HOST',
  'UPSTREAM_CLUSTER',
  'UPSTREAM_PEER_URI_SAN',
  'UPSTREAM_REQUEST_ATTEMPT_COUNT',
  'DOWNSTREAM_REMOTE_ADDRESS',
  'DOWNSTREAM_PEER_URI_SAN',
  'ROUTE_NAME',
  'TRACE_ID',
] as const

export type LineOperator = (typeof lineOperators)[number]

export type LinePart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'operator'; readonly operator: LineOperator }
  /** The first of them that there is, in lower case; ":method", ":path" and ":authority" among them. */
  | { readonly kind: 'header'; readonly names: readonly string[]; readonly mostCharacters?: number }
  /** Of the decision record, by dotted name. */
  | { readonly kind: 'field'; readonly field: string }

/** Envoy's own, of what there is here. */
export const defaultLineFormat: string =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% ' +
  '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" ' +
  '%UPSTREAM_CLUSTER% %DOWNSTREAM_REMOTE_ADDRESS% %ROUTE_NAME%'

/** Or what is wrong with it. */
export function parseLineFormat(format: string): readonly LinePart[] | string {
  const parts: LinePart[] = []
  const pieces = format.split('%')
  if (pieces.length % 2 === 0) return 'an operator has no second "%": a single one is written "%%"'
  for (const [index, piece] of pieces.entries()) {
    if (index % 2 === 0) {
      if (piece !== '') parts.push({ kind: 'text', text: piece })
    } else if (piece === '') parts.push({ kind: 'text', text: '%' })
    else {
      const part = parseOperator(piece)
      if (typeof part === 'string') return part
      parts.push(part)
    }
  }
  return parts
}

function parseOperator(text: string): LinePart | string {
  const header = /^REQ\(([^()]*)\)(?::([1-9][0-9]{0,4}))?$/.exec(text)
  if (header !== null) return parseHeader(header[1] ?? '', header[2])
  const field = /^CEL\((.*)\)$/.exec(text)?.[1]
  if (field !== undefined)
    return Object.hasOwn(recordFields, field)
      ? { kind: 'field', field }
      : `"${field}" is no field of a decision record; these are: ${Object.keys(recordFields).join(', ')}`
  return isOneOf(lineOperators, text)
    ? { kind: 'operator', operator: text }
    : `%${text}% is not known; known are REQ(…), CEL(…), ${lineOperators.join(', ')}`
}

function parseHeader(text: string, most: string | undefined): LinePart | string {
  const names = text.toLowerCase().split('?')
  for (const name of names) {
    if (!/^(?::(?:method|path|authority)|[a-z0-9!#$&'*+\-.^_`|~]+)$/.test(name))
      return `"${name}" is no name of a header`
    if (isSecretName(name)) return `the header "${name}" is in no line: it may hold credentials`
  }
  return { kind: 'header', names, ...(most === undefined ? {} : { mostCharacters: Number(most) }) }
}

function isOneOf<T extends string>(known: readonly T[], text: string): text is T {
  return (known as readonly string[]).includes(text)
}
