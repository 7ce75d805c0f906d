// What each header name means to HTTP/2: on the way in (RFC 9113 section 8.2), and how it is sent.

/** Kinds of received fields. */
export const fieldKinds = {
  regular: 0,
  method: 1,
  path: 2,
  scheme: 3,
  authority: 4,
  status: 5,
  protocol: 6,
  unknownPseudo: 7,
  contentLength: 8,
  te: 9,
  host: 10,
  cookie: 11,
  expect: 12,
  /** Belongs to one HTTP/1.1 connection. */
  connection: 13,
  /** Name or value hold what they must not. */
  invalid: 14,
} as const

const kinds: ReadonlyMap<string, number> = new Map([
  [':method', fieldKinds.method],
  [':path', fieldKinds.path],
  [':scheme', fieldKinds.scheme],
  [':authority', fieldKinds.authority],
  [':status', fieldKinds.status],
  [':protocol', fieldKinds.protocol],
  ['content-length', fieldKinds.contentLength],
  ['te', fieldKinds.te],
  ['host', fieldKinds.host],
  ['cookie', fieldKinds.cookie],
  ['expect', fieldKinds.expect],
  ['connection', fieldKinds.connection],
  ['keep-alive', fieldKinds.connection],
  ['proxy-connection', fieldKinds.connection],
  ['transfer-encoding', fieldKinds.connection],
  ['upgrade', fieldKinds.connection],
])

export function fieldKindOf(name: string): number {
  return kinds.get(name) ?? (name.startsWith(':') ? fieldKinds.unknownPseudo : fieldKinds.regular)
}

/** How a header is sent. */
export const sendRules = {
  /** Into the table when the same value comes again. */
  index: 0,
  /** Never the same twice: only its name is worth a place in the table. */
  literal: 1,
  /** Nobody on the way may put it into a table either (RFC 7541 section 7.1.3). */
  secret: 2,
  /** Short ones could be guessed. */
  cookie: 3,
  te: 4,
  contentLength: 5,
  drop: 6,
} as const

const rules: ReadonlyMap<string, number> = new Map([
  ...(
    [
      'age',
      'date',
      'etag',
      'expires',
      'if-match',
      'if-modified-since',
      'if-none-match',
      'last-modified',
      'location',
      'range',
      'content-range',
      'referer',
      'traceparent',
      'tracestate',
      'x-request-id',
      'x-b3-traceid',
      'x-b3-spanid',
      'x-b3-parentspanid',
      'b3',
      'grpc-timeout',
      'x-envoy-expected-rq-timeout-ms',
      'retry-after',
      'x-envoy-upstream-service-time',
    ] as const
  ).map((name) => [name, sendRules.literal] as const),
  ...(['authorization', 'proxy-authorization', 'set-cookie'] as const).map((name) => [name, sendRules.secret] as const),
  ...(
    ['host', 'connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'http2-settings'] as const
  ).map((name) => [name, sendRules.drop] as const),
  ['cookie', sendRules.cookie],
  ['te', sendRules.te],
  ['content-length', sendRules.contentLength],
])

/** `name` is lower case. */
export function sendRuleOf(name: string): number {
  return rules.get(name) ?? sendRules.index
}
