// The two ports that tell about one sidecar: admin (token) and metrics (open), both on loopback and off the data path.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

import type { X509Svid } from '../../contracts/identity/svid.ts'
import type { Clock } from '../../core/clock.ts'
import { FailureLimit } from '../../core/failure-limit.ts'
import { sameDigest, secretDigest } from '../../core/secret-digest.ts'
import type { ListeningHandle } from '../io/connection.ts'
import type { ListeningState } from '../listener/listener-set.ts'
import type { RuntimeConfig } from '../runtime/runtime-config.ts'
import type { MetricsPages } from '../telemetry/metrics-pages.ts'
import type { PlaintextCallersOfListener } from '../telemetry/plaintext-callers.ts'
import { refuseAtDoor } from './admin-door.ts'
import { describeCertificates } from './certificate-report.ts'
import { describeConfig } from './config-dump.ts'
import { describeListeners } from './listener-report.ts'
import { streamTap, type TapSource } from './tap-stream.ts'

export interface AdminServerOptions {
  /** "127.0.0.1:20003". */
  readonly address: string
  /** Accept there on this socket. */
  readonly handle?: ListeningHandle | undefined
  /** Bearer token of every path but `/ready`. */
  readonly token: string
  readonly clock: Clock
  readonly isReady: () => boolean
  readonly config: () => RuntimeConfig
  /** By listener; one that is just being opened is absent. */
  readonly listening: () => ReadonlyMap<string, ListeningState>
  /** The certificate in use; undefined before the first. */
  readonly svid: () => X509Svid | undefined
  /** Live state of the clusters (endpoints, requests under way, pools), as JSON. */
  readonly clusters: () => unknown
  /** Counters by name, as JSON. */
  readonly stats: () => unknown
  /** Of the listeners under PERMISSIVE. */
  readonly plaintextCallers: () => readonly PlaintextCallersOfListener[]
  readonly tap: TapSource
}

export interface MetricsServerOptions {
  readonly address: string
  readonly handle?: ListeningHandle | undefined
  /** Metrics, by path. */
  readonly pages: MetricsPages
}

export interface HttpEndpoint {
  /** "127.0.0.1:20003", with the port that was really taken. */
  readonly address: string
  stop(): Promise<void>
}

/** Answered with 401 in a minute; beyond, 429. A right token always serves: locking its holder out would be an attack too. */
const mostFailures = 30

type Handler = (request: IncomingMessage, response: ServerResponse, url: URL) => void

/** Rejects with the system's error (EADDRINUSE) when the address cannot be had. */
export function createAdminServer(options: AdminServerOptions): Promise<HttpEndpoint> {
  const expected = secretDigest(`Bearer ${options.token}`)
  const limit = new FailureLimit(options.clock, mostFailures)
  const routes: Record<string, Handler> = {
    '/config_dump': (_, response) => sendJson(response, describeConfig(options.config())),
    '/listeners': (_, response) => sendJson(response, describeListeners(options.config(), options.listening())),
    '/clusters': (_, response) => sendJson(response, options.clusters()),
    '/certs': (_, response) => sendJson(response, describeCertificates(options.svid())),
    '/stats': (_, response) => sendJson(response, options.stats()),
    '/plaintext_callers': (_, response) => sendJson(response, options.plaintextCallers()),
    '/tap': (_, response, url) => streamTap(options.tap, url.searchParams, response),
  }
  return serve(options, (request, response, url) => {
    if (url.pathname === '/ready') {
      const ready = options.isReady()
      sendJson(response, { ready }, ready ? 200 : 503)
    } else if (!sameDigest(secretDigest(request.headers.authorization ?? ''), expected)) {
      refuseToken(response, limit.failed())
    } else {
      const handler = routes[url.pathname]
      if (handler === undefined) sendJson(response, { message: 'not found', paths: Object.keys(routes) }, 404)
      else handler(request, response, url)
    }
  })
}

/** Rejects as createAdminServer does. */
export function createMetricsServer(options: MetricsServerOptions): Promise<HttpEndpoint> {
  return serve(options, (request, response, url) => {
    const page = options.pages[url.pathname]
    if (page !== undefined) {
      const { type, body } = page(request.headers.accept)
      response.writeHead(200, { 'content-type': type }).end(body)
    } else if (url.pathname === '/healthz') sendJson(response, { status: 'ok' })
    else sendJson(response, { message: 'not found', paths: [...Object.keys(options.pages), '/healthz'] }, 404)
  })
}

function serve(
  { address, handle }: Pick<AdminServerOptions, 'address' | 'handle'>,
  answer: Handler,
): Promise<HttpEndpoint> {
  const server = createServer((request, response) => {
    if (refuseAtDoor(request, response)) return
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      sendJson(response, { message: 'only GET' }, 405)
      return
    }
    const url = URL.parse(request.url ?? '/', 'http://admin')
    if (url === null) sendJson(response, { message: 'not a path' }, 400)
    else answer(request, response, url)
  })
  const colon = address.lastIndexOf(':')
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    const onListening = (): void => {
      const bound = server.address() as { address: string; port: number }
      resolve({ address: `${bound.address}:${bound.port}`, stop: () => close(server) })
    }
    if (handle !== undefined) server.listen(handle, onListening)
    else server.listen({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)) }, onListening)
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

function refuseToken(response: ServerResponse, waitMs: number | undefined): void {
  if (waitMs === undefined) {
    sendJson(response, { message: 'this API needs the bearer token of the mesh: adminToken in mesh.json' }, 401)
    return
  }
  response.setHeader('retry-after', Math.ceil(waitMs / 1000))
  sendJson(response, { message: 'too many requests without a valid token' }, 429)
}

function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(value)}\n`)
}
