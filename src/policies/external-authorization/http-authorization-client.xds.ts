// Asks an authorization server by HTTP: the head of the request itself, without body, below a prefix.
import { Agent, request as httpRequest } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'

import { errorCode } from '../../core/errors.ts'
import type { AskAuthorization, AuthorizationAnswer, AuthorizationCheck } from './external-authorization.spec.ts'
import type { AuthorizationClient } from './grpc-authorization-client.xds.ts'

export interface HttpAuthorizationClientOptions {
  readonly host: string
  readonly port: number
  readonly pathPrefix: string
}

const maxConnections = 64
const maxBodyBytes = 64 * 1024

/** About a body, of which there is none, or about the connection. */
const notAsked = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
  'expect',
])

/** Connects on the first question, in clear text, and keeps connections. */
export function createHttpAuthorizationClient(options: HttpAuthorizationClientOptions): AuthorizationClient {
  const agent = new Agent({ keepAlive: true, maxSockets: maxConnections })
  const closing = new AbortController()
  const ask: AskAuthorization = async (check, signal) => {
    const either = AbortSignal.any([signal, closing.signal])
    try {
      return await askOnce(options, agent, check, either)
    } catch (thrown) {
      if (!(thrown instanceof StaleConnection)) throw thrown
      return await askOnce(options, agent, check, either)
    }
  }
  return {
    ask,
    close() {
      closing.abort()
      agent.destroy()
    },
  }
}

/** The server closed a connection that had been idle while the question was on its way. */
class StaleConnection extends Error {}

function askOnce(
  { host, port, pathPrefix }: HttpAuthorizationClientOptions,
  agent: Agent,
  check: AuthorizationCheck,
  signal: AbortSignal,
): Promise<AuthorizationAnswer> {
  return new Promise((resolve, reject) => {
    const headers = [...check.headers].filter(([name]) => !notAsked.has(name)).flat()
    const request: ClientRequest = httpRequest({
      agent,
      host,
      port,
      method: check.method,
      path: pathPrefix + check.path,
      headers: ['host', check.authority, 'content-length', '0', ...headers],
      signal,
    })
    request.on('error', (error) => {
      const isStale = request.reusedSocket && errorCode(error) === 'ECONNRESET' && !signal.aborted
      reject(isStale ? new StaleConnection(error.message) : error)
    })
    request.on('response', (response) => readAnswer(response, resolve, reject))
    request.end()
  })
}

function readAnswer(
  response: IncomingMessage,
  resolve: (answer: AuthorizationAnswer) => void,
  reject: (reason: Error) => void,
): void {
  const chunks: Buffer[] = []
  let bytes = 0
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    chunks.push(chunk)
    if (bytes > maxBodyBytes) response.destroy(new Error(`the answer is larger than ${maxBodyBytes} bytes`))
  })
  response.on('error', reject)
  response.on('end', () => {
    const headers: [string, string][] = []
    for (let at = 0; at < response.rawHeaders.length; at += 2)
      headers.push([(response.rawHeaders[at] ?? '').toLowerCase(), response.rawHeaders[at + 1] ?? ''])
    resolve({ kind: 'http', status: response.statusCode ?? 0, headers, body: Buffer.concat(chunks).toString() })
  })
}
