// The tests' own HTTP client: says exactly what goes on the wire and follows nothing.
import { Agent, request as httpRequest } from 'node:http'

export interface WireRequest {
  /** "127.0.0.1:20001": where to connect. */
  readonly address: string
  /** The request target as sent: "/path", or "http://name/path" for a forward proxy. */
  readonly target: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string
}

export interface WireResponse {
  readonly status: number
  /** By lower-case name; repeated headers joined with ",". */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const agent = new Agent({ keepAlive: true, maxSockets: 16 })
const timeoutMs = 10_000

/** Rejects when there is no complete response within ten seconds. */
export function send({ address, target, method = 'GET', headers = {}, body }: WireRequest): Promise<WireResponse> {
  const { hostname, port } = new URL(`http://${address}`)
  const signal = AbortSignal.timeout(timeoutMs)
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      { agent, host: hostname, port, path: target, method, headers: { host: address, ...headers }, signal },
      (incoming) => {
        const chunks: Buffer[] = []
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
        incoming.on('error', reject)
        incoming.on('end', () => {
          const joined = Object.entries(incoming.headersDistinct).map(([name, values]) => [
            name,
            values?.join(',') ?? '',
          ])
          resolve({
            status: incoming.statusCode ?? 0,
            headers: Object.fromEntries(joined) as Record<string, string>,
            body: Buffer.concat(chunks).toString(),
          })
        })
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

/** The same request through a workload's outbound proxy, in absolute form. `url` may lack a path. */
export function sendThroughProxy(
  outboundProxy: string,
  url: string,
  options: Omit<WireRequest, 'address' | 'target'> = {},
): Promise<WireResponse> {
  const target = new URL(url)
  return send({
    ...options,
    address: new URL(outboundProxy).host,
    // URL drops the default port and adds the missing slash, as clients do
    target: `http://${target.host}${target.pathname}${target.search}`,
    headers: { host: target.host, ...options.headers },
  })
}
