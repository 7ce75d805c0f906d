// What every service of the shop needs of HTTP: routes in, JSON or HTML out, a clean stop. Knows nothing of any mesh.
import { createServer } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'

export interface Call {
  readonly url: URL
  readonly headers: IncomingHttpHeaders
  /** Path segments that the route wrote as `:name`, in order. */
  readonly params: readonly string[]
  readonly text: () => Promise<string>
  /** Decoded, unchecked; throws a Refusal when it is no JSON object. */
  readonly json: () => Promise<Readonly<Record<string, unknown>>>
}

export interface Reply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** A string is HTML, anything else is sent as JSON. */
  readonly body?: unknown
}

export type Handler = (call: Call) => Reply | Promise<Reply>

/** Thrown by a handler: becomes this status with the message as JSON. */
export class Refusal extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

const maxBodyBytes = 64 * 1024

/** Serves `routes` ("GET /products/:sku") on 127.0.0.1:$PORT until SIGTERM or SIGINT, then finishes what is in flight. */
export function serve(name: string, defaultPort: number, routes: Readonly<Record<string, Handler>>): void {
  const table = Object.entries(routes).map(([route, handler]) => {
    const [method = '', path = ''] = route.split(' ')
    return { method, pattern: new RegExp(`^${path.replaceAll(/:\w+/g, '([^/]+)')}$`), handler }
  })
  const answer = async (request: IncomingMessage): Promise<Reply> => {
    const url = new URL(request.url ?? '/', 'http://shop')
    for (const { method, pattern, handler } of table) {
      const found = request.method === method && pattern.exec(url.pathname)
      if (!found) continue
      return handler({
        url,
        headers: request.headers,
        params: found.slice(1).map(decodeSegment),
        text: () => read(request),
        json: async () => decodeObject(await read(request)),
      })
    }
    throw new Refusal(404, `${name} has no ${request.method} ${url.pathname}`)
  }
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const {
      status = 200,
      headers = {},
      body,
    } = await answer(request).catch((error: unknown): Reply => {
      const refused = error instanceof Refusal ? error.status : 502
      if (refused >= 500) console.error(`${name}: ${request.method} ${request.url}: ${String(error)}`)
      return { status: refused, body: { error: error instanceof Error ? error.message : String(error) } }
    })
    const html = typeof body === 'string'
    response.writeHead(status, { 'content-type': html ? 'text/html; charset=utf-8' : 'application/json', ...headers })
    response.end(body === undefined ? '' : html ? body : `${JSON.stringify(body)}\n`)
  }
  const server = createServer((request, response) => void respond(request, response))
  const port = Number(process.env['PORT'] ?? defaultPort)
  server.listen(port, '127.0.0.1', () => console.log(`${name} listens on 127.0.0.1:${port}`))
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      server.close(() => process.exit(0))
      server.closeIdleConnections()
    })
  }
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new Refusal(400, `${segment} is not well encoded`)
  }
}

function decodeObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // refused below
  }
  throw new Refusal(400, 'the body must be a JSON object')
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length
    if (size > maxBodyBytes) throw new Refusal(413, `a body has at most ${maxBodyBytes} bytes`)
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString()
}
