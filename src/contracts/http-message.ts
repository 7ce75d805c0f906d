// Heads of HTTP messages, independent of the version that carried them.
import type { HeaderList } from '../core/header-list.ts'

/**
 * Lines about framing, the connection or the authority: they belong to the codec, and who changed them could desynchronise the next hop. In
 * lower case.
 */
export const codecHeaders: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

export interface RequestHead {
  method: string
  scheme: 'http' | 'https'
  /** host[:port] as the caller wrote it, lower case; visible ASCII. */
  authority: string
  /** Path with query, always starting with "/" (or "*" for OPTIONS); visible ASCII, so that it cannot end the line that it stands in. */
  path: string
  /** Without Host and pseudo-headers, without hop-by-hop lines. */
  readonly headers: HeaderList
}

export interface ResponseHead {
  status: number
  readonly headers: HeaderList
}
