// What no codec takes from a peer as trailers, either way: it would change framing, routing or authentication after the fact (RFC 9110 section
// 6.5.1), or be the word of a proxy.

const names: ReadonlySet<string> = new Set([
  'content-length',
  'host',
  'te',
  'trailer',
  'expect',
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'content-encoding',
  'content-type',
  'content-range',
  'cache-control',
  'forwarded',
  'x-forwarded-client-cert',
  // servers of the CGI kind read one as the other
  'x_forwarded_client_cert',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-real-ip',
])

/** Between the proxies of a mesh. */
const meshPrefix = 'x-heddle-'

/** `name` in lower case. */
export function isForbiddenTrailer(name: string): boolean {
  return names.has(name) || name.startsWith(meshPrefix)
}
