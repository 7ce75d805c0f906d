/** Not passed on as trailers: they would change framing, routing or authentication after the fact (RFC 9110 section 6.5.1). */
export const forbiddenTrailers: ReadonlySet<string> = new Set([
  'content-length',
  'host',
  'te',
  'trailer',
  'expect',
  'authorization',
  'cookie',
  'set-cookie',
  'content-encoding',
  'content-type',
  'content-range',
  'cache-control',
  'x-forwarded-client-cert',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
])
