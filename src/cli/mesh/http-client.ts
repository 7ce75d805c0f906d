// HTTP to the mesh's own loopback APIs. Never through a proxy, whatever the environment says.
import { Agent, request, type IncomingMessage } from 'node:http'

export interface HttpRequest {
  readonly method?: 'GET' | 'PUT' | 'POST' | 'DELETE'
  readonly token?: string
  readonly body?: { readonly contentType: string; readonly text: string }
  /** Without any byte for so long the request fails; 10 s unless given. */
  readonly idleTimeoutMs?: number
  readonly signal?: AbortSignal
}

export interface HttpAnswer {
  readonly status: number
  readonly text: string
}

export class HttpClient {
  // an own agent: Node's global one obeys HTTP_PROXY when NODE_USE_ENV_PROXY is set
  readonly #agent = new Agent({ keepAlive: true })

  async ask(url: string, options: HttpRequest = {}): Promise<HttpAnswer> {
    const response = await this.open(url, options)
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }
  }

  /** Resolves with the head; the body is the caller's to read. Rejects with the system's error. */
  open(url: string, options: HttpRequest = {}): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const outgoing = request(url, {
        method: options.method ?? 'GET',
        agent: this.#agent,
        timeout: options.idleTimeoutMs ?? 10_000,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
        headers: {
          ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
          ...(options.body === undefined
            ? {}
            : { 'content-type': options.body.contentType, 'content-length': Buffer.byteLength(options.body.text) }),
        },
      })
      outgoing.once('timeout', () => outgoing.destroy(new Error('no answer in time')))
      outgoing.once('response', resolve)
      outgoing.once('error', reject)
      outgoing.end(options.body?.text)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}
