// Requests that came over a connection opened for other names (RFC 9110 section 15.5.20).

/** `hostnames`: exact, or "*.suffix" for all names below it; lower case. `authority` is host[:port], lower case. */
export function isMisdirected(authority: string, hostnames: readonly string[]): boolean {
  const colon = authority.lastIndexOf(':')
  const host = colon > authority.lastIndexOf(']') ? authority.slice(0, colon) : authority
  return hostnames.some((hostname) =>
    hostname.startsWith('*.') ? host.endsWith(hostname.slice(1)) && host.length >= hostname.length : host === hostname,
  )
}
