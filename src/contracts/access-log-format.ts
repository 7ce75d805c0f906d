// Lines of the access log as text, with Envoy's command operators. What both planes and whoever writes them agree on.

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
] as const

export type LineOperator = (typeof lineOperators)[number]

/** Headers that decision records keep, and what else is asked for like one. */
const lineHeaders = [
  ':method',
  ':path',
  ':authority',
  'host',
  'user-agent',
  'x-request-id',
  'traceparent',
  'content-type',
] as const

export type LineHeader = (typeof lineHeaders)[number]

export type LinePart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'operator'; readonly operator: LineOperator }
  | { readonly kind: 'header'; readonly header: LineHeader }

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
  const header = /^REQ\(([^()]*)\)$/.exec(text)?.[1]?.toLowerCase()
  if (header !== undefined)
    return isOneOf(lineHeaders, header)
      ? { kind: 'header', header }
      : `%${text}% is not kept of a request; these are: ${lineHeaders.join(', ')}`
  return isOneOf(lineOperators, text)
    ? { kind: 'operator', operator: text }
    : `%${text}% is not known; known are REQ(…), ${lineOperators.join(', ')}`
}

function isOneOf<T extends string>(known: readonly T[], text: string): text is T {
  return (known as readonly string[]).includes(text)
}
