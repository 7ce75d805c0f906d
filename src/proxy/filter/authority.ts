// Which services a caller may mean by an authority, as a resolver would try them: search domains, then the name as it stands.

export interface Authority {
  readonly host: string
  readonly port: number
}

export function formatAuthority({ host, port }: Authority): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Of a text that is host:port, as that of a CONNECT. */
export function splitAuthority(authority: string): Authority {
  const colon = authority.lastIndexOf(':')
  return { host: authority.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(authority.slice(colon + 1)) }
}

/** Undefined when the text is not host[:port]. IPv6 addresses keep their brackets off. */
export function parseAuthority(authority: string, defaultPort: number): Authority | undefined {
  const parts = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/i.exec(authority)
  if (parts === null) return undefined
  const [, v6, name, portText] = parts
  const port = portText === undefined ? defaultPort : Number(portText)
  const host = (v6 ?? name ?? '').toLowerCase()
  return port > 0 && port <= 65_535 ? { host, port } : undefined
}

/** A name with so many dots is tried as it stands first ("ndots" of Kubernetes' resolver configuration). */
const absoluteDots = 4

/** Route configuration names, best first. */
export function candidates({ host, port }: Authority, searchDomains: readonly string[]): readonly string[] {
  if (host.endsWith('.')) return [`${host.slice(0, -1)}:${port}`]
  const absolute = `${host}:${port}`
  if (/^[\d.]+$/.test(host) || host.includes(':')) return [absolute]
  const searched = searchDomains.map((domain) => `${host}.${domain}:${port}`)
  const dots = host.split('.').length - 1
  return host.endsWith('.cluster.local') || dots >= absoluteDots ? [absolute, ...searched] : [...searched, absolute]
}
