// Preloaded into Node applications (`--import`) where the MeshConfig says so: requests that one makes while it serves another carry on its trace.
// What the application sets itself is left alone. Needs Node 22.12 or newer there; serves HTTP/1.1.
import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe } from 'node:diagnostics_channel'
import type { ClientRequest, IncomingMessage } from 'node:http'

/** W3C Trace Context and Baggage, B3, and what joins the lines of logs. */
const carried = [
  'traceparent',
  'tracestate',
  'baggage',
  'b3',
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-sampled',
  'x-b3-flags',
  'x-request-id',
] as const

type Carried = readonly (readonly [name: string, value: string])[]

/** Of undici, which is what `fetch` is. */
interface FetchRequest {
  readonly method: string
  /** Names and values in turn, or lines. */
  readonly headers: readonly (string | Buffer)[] | string
  addHeader(name: string, value: string): void
}

const served = new AsyncLocalStorage<Carried>()

subscribe('http.server.request.start', (message) => {
  const { headers } = (message as { readonly request: IncomingMessage }).request
  served.enterWith(
    carried.flatMap((name) => {
      const value = headers[name]
      return typeof value === 'string' ? [[name, value] as const] : []
    }),
  )
})

subscribe('http.client.request.created', (message) => {
  const { request } = message as { readonly request: ClientRequest }
  for (const [name, value] of served.getStore() ?? [])
    if (!request.headersSent && !request.hasHeader(name)) request.setHeader(name, value)
})

subscribe('undici:request:create', (message) => {
  const { request } = message as { readonly request: FetchRequest }
  // a tunnel is for many requests
  if (request.method === 'CONNECT') return
  for (const [name, value] of served.getStore() ?? []) if (!hasHeader(request, name)) request.addHeader(name, value)
})

function hasHeader({ headers }: FetchRequest, name: string): boolean {
  if (typeof headers === 'string') return headers.toLowerCase().includes(`${name}:`)
  return headers.some((one, i) => i % 2 === 0 && String(one).toLowerCase() === name)
}
