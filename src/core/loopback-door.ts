// What every HTTP API of ours checks before it looks at a request: that no page in a browser sent it. And what each of its answers says.
import type { IncomingMessage } from 'node:http'

type Knocking = Pick<IncomingMessage, 'headers'> & {
  readonly socket: Partial<Pick<IncomingMessage['socket'], 'localAddress' | 'localPort'>>
}

/** No browser guesses another type, keeps an answer, or runs anything in one. */
export const doorHeaders = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
} as const

/** Why the request is refused; undefined: it may come in. */
export function doorRefusal({ headers, socket }: Knocking): string | undefined {
  const { host = '', origin } = headers
  // a page whose name was made to lead here (DNS rebinding) has that name in Host
  if (!isOwnHost(host, socket)) return `"${host.slice(0, 100)}" is not an address of this API`
  if (origin !== undefined && origin !== `http://${host}`) return 'another origin may not ask this API'
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return 'another site may not ask this API'
  return undefined
}

/** The address that was connected to, or `localhost` for one on loopback; with its port. */
function isOwnHost(host: string, { localAddress = '127.0.0.1', localPort = 80 }: Knocking['socket']): boolean {
  const [, name = '', port = '80'] = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/i.exec(host) ?? []
  if (Number(port) !== localPort) return false
  const address = localAddress.replace(/^::ffff:/i, '')
  const isLoopback = address.startsWith('127.') || address === '::1'
  return name.replace(/^\[|\]$/g, '') === address || (isLoopback && name.toLowerCase() === 'localhost')
}
