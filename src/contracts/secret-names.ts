// Names of headers and query parameters whose values are taken for credentials: nothing that is told of a request holds them.

/** Of query parameters. */
export const secretName: RegExp = /token|secret|passw|api[-_]?key|signature|credential/i

const secretHeaders: ReadonlySet<string> = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie'])

export function isSecretHeader(name: string): boolean {
  return secretHeaders.has(name.toLowerCase()) || secretName.test(name)
}
