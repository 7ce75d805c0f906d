// Reads requests as a strict application would, by its own rules and not by the proxy's code: what a proxy sends must pass here.

export interface ReadRequest {
  readonly method: string
  readonly target: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
}

export interface Reading {
  readonly requests: readonly ReadRequest[]
  /** Bytes of a request that is not complete. */
  readonly rest: string
}

/** Throws an Error that says what is not well-formed. `text` is Latin-1. */
export function readRequests(text: string): Reading {
  const requests: ReadRequest[] = []
  let rest = text
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n')
    if (end === -1) break
    const { method, target, headers } = readHead(rest.slice(0, end))
    const framing = readFraming(headers)
    const after = rest.slice(end + 4)
    const read = framing === 'chunked' ? readChunked(after) : after.length < framing ? undefined : split(after, framing)
    if (read === undefined) break
    requests.push({ method, target, headers, body: read.body })
    rest = read.rest
  }
  return { requests, rest }
}

function split(text: string, at: number): { body: string; rest: string } {
  return { body: text.slice(0, at), rest: text.slice(at) }
}

function readHead(head: string): Omit<ReadRequest, 'body'> {
  const [first = '', ...lines] = head.split('\r\n')
  const line = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\/[!-"$-~]*|\*) HTTP\/1\.1$/.exec(first)
  if (line === null) fail('request line', first)
  const headers = lines.map((text) => {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)$/.exec(
      text,
    )
    if (field === null) fail('header line', text)
    return [(field[1] as string).toLowerCase(), field[2] as string] as const
  })
  const target = line[2] as string
  const path = target.split('?', 1)[0] as string
  if (/\/\.\.?(?:\/|;|%3b|$)|\\|%00|%2e|%(?![0-9A-F]{2})/.test(path)) fail('path', path)
  return { method: line[1] as string, target, headers }
}

function readFraming(headers: ReadRequest['headers']): number | 'chunked' {
  const all = (name: string): string[] => headers.filter((line) => line[0] === name).map((line) => line[1])
  const [host, ...hosts] = all('host')
  if (host === undefined || hosts.length > 0) fail('number of Host lines', `${hosts.length + 1}`)
  if (!/^(?:\[[0-9a-f:.]+\]|[\w.~!$&'()*+,;=%-]*)(?::\d{0,5})?$/.test(host)) fail('Host', host)
  for (const name of ['keep-alive', 'te', 'proxy-connection', 'x-forwarded-client-cert']) {
    if (all(name).length > 0) fail('line of another hop', name)
  }
  for (const value of all('connection')) if (!/^(?:Upgrade|close)$/i.test(value)) fail('Connection', value)
  const lengths = all('content-length')
  const codings = all('transfer-encoding')
  if (lengths.length + codings.length > 1) fail('framing', [...lengths, ...codings].join(' | '))
  if (lengths.length === 1 && !/^\d{1,15}$/.test(lengths[0] as string)) fail('Content-Length', lengths[0] as string)
  if (codings.length === 1 && codings[0] !== 'chunked') fail('Transfer-Encoding', codings[0] as string)
  return codings.length === 1 ? 'chunked' : Number(lengths[0] ?? 0)
}

/** Undefined: not complete. No extensions, no leading zeros: there is one way to write a chunk. */
function readChunked(text: string): { body: string; rest: string } | undefined {
  let body = ''
  let at = 0
  for (;;) {
    const end = text.indexOf('\r\n', at)
    if (end === -1) {
      if (!/^[0-9a-fA-F]*\r?$/.test(text.slice(at))) fail('chunk size', text.slice(at, at + 40))
      return undefined
    }
    const size = text.slice(at, end)
    if (!/^(?:0|[1-9a-fA-F][0-9a-fA-F]{0,11})$/.test(size)) fail('chunk size', size)
    const length = Number.parseInt(size, 16)
    at = end + 2
    if (length === 0) break
    if (text.length < at + length + 2) return undefined
    body += text.slice(at, at + length)
    if (text.slice(at + length, at + length + 2) !== '\r\n')
      fail('end of chunk', text.slice(at + length, at + length + 2))
    at += length + 2
  }
  for (;;) {
    const end = text.indexOf('\r\n', at)
    if (end === -1) return undefined
    const line = text.slice(at, end)
    at = end + 2
    if (line === '') return { body, rest: text.slice(at) }
    const name = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): [\t -~\x80-\xff]*$/.exec(line)?.[1]?.toLowerCase()
    if (name === undefined) fail('trailer line', line)
    if (/^(?:content-length|transfer-encoding|host|trailer|te|connection|authorization|expect)$/.test(name)) {
      fail('trailer', name)
    }
  }
}

function fail(what: string, text: string): never {
  throw new Error(`the application got a bad ${what}: ${JSON.stringify(text)}`)
}
