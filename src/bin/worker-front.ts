// The admin and metrics ports of a sidecar that several workers serve: asks all of them and answers as one.
import { createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

import type { SidecarBootstrap } from '../contracts/bootstrap.ts'
import { errorMessage } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import type { MetricRegistry } from '../core/metrics/metric-registry.ts'
import { renderPrometheus } from '../core/metrics/prometheus.ts'
import { sameDigest, secretDigest } from '../core/secret-digest.ts'
import { refuseAtDoor } from '../proxy/admin/admin-door.ts'
import { metricsPaths } from '../proxy/telemetry/metrics-pages.ts'
import { sumMetrics } from '../proxy/telemetry/metrics-sum.ts'
import { mergePlaintextCallers, type PlaintextCallersOfListener } from '../proxy/telemetry/plaintext-callers.ts'
import { type HandedSockets, onHanded } from './handed-sockets.ts'
import { socketAddress } from './sidecar.ts'
import type { WorkerEndpoints } from './worker.ts'

export interface WorkerFrontOptions {
  readonly sidecar: SidecarBootstrap
  /** Of whoever asks here. */
  readonly adminToken: string
  /** That the workers are asked with: they never see the other. */
  readonly workerToken: string
  readonly sockets: HandedSockets
  readonly logger: Logger
  /** What this process itself counts. */
  readonly registry: MetricRegistry
  /** Of the workers that have told theirs. */
  readonly workers: () => readonly WorkerEndpoints[]
  readonly isReady: () => boolean
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

export class WorkerFront {
  readonly #options: WorkerFrontOptions
  readonly #expected: Buffer
  readonly #open: { readonly address: string; readonly server: Server }[]

  constructor(options: WorkerFrontOptions) {
    this.#options = options
    this.#expected = secretDigest(`Bearer ${options.adminToken}`)
    const { adminAddress, metricsAddress } = options.sidecar
    this.#open = [
      { address: adminAddress, server: createServer((request, response) => this.#admin(request, response)) },
      { address: metricsAddress, server: createServer((request, response) => void this.#metrics(request, response)) },
    ]
    for (const { address, server } of this.#open) {
      this.#listen(address, server).catch((error: unknown) =>
        options.logger.error('admin port cannot be had', { error: errorMessage(error) }),
      )
    }
  }

  stop(): void {
    for (const { address, server } of this.#open) {
      server.close()
      server.closeAllConnections()
      this.#options.sockets.close(socketAddress(address))
    }
  }

  #listen(address: string, server: Server): Promise<void> {
    const where = socketAddress(address)
    return onHanded(this.#options.sockets, where, (handle) => {
      return new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(handle ?? where, resolve)
      })
    })
  }

  #admin(request: IncomingMessage, response: ServerResponse): void {
    if (refuseAtDoor(request, response)) return
    const path = request.url?.split('?', 1)[0]
    if (path === '/ready') {
      const ready = this.#options.isReady()
      send(response, { status: ready ? 200 : 503, type: 'application/json', body: `${JSON.stringify({ ready })}\n` })
    } else if (path === '/tap') this.#tap(request, response)
    else void this.#ask(request, response, path === undefined ? first : (merges[path] ?? first))
  }

  async #ask(request: IncomingMessage, response: ServerResponse, merge: Merge): Promise<void> {
    const answers = await this.#all(request, ({ admin }) => admin)
    send(response, answers.length === 0 ? nobody : merge(answers))
  }

  async #metrics(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (refuseAtDoor(request, response)) return
    const answers = await this.#all(request, ({ metrics }) => metrics)
    const [one] = answers
    if (one === undefined) send(response, nobody)
    else if (request.url === metricsPaths.own)
      send(response, {
        ...one,
        body: sumMetrics([...answers.map(({ body }) => body), renderPrometheus(this.#options.registry)]),
      })
    else if (request.url === metricsPaths.istio)
      send(response, { ...one, body: sumMetrics(answers.map(({ body }) => body)) })
    else send(response, one)
  }

  async #all(request: IncomingMessage, port: (worker: WorkerEndpoints) => string): Promise<readonly Answer[]> {
    const token = this.#tokenFor(request)
    const answers = await Promise.allSettled(this.#options.workers().map((worker) => ask(request, token, port(worker))))
    // one that has just died counts no more
    return answers.filter((answer) => answer.status === 'fulfilled').map(({ value }) => value)
  }

  /** None for whoever has not shown the right one: the worker says so, and counts it. */
  #tokenFor({ headers }: IncomingMessage): string | undefined {
    const shown = secretDigest(headers.authorization ?? '')
    return sameDigest(shown, this.#expected) ? this.#options.workerToken : undefined
  }

  /** The records of all, as they come; ends when the last worker's do. */
  #tap(request: IncomingMessage, response: ServerResponse): void {
    const workers = this.#options.workers()
    const token = this.#tokenFor(request)
    let open = workers.length
    if (open === 0) return send(response, nobody)
    const over = (): void => {
      if (--open === 0) response.end()
    }
    for (const { admin } of workers) {
      const tapped = forward(request, token, admin, (answer) => {
        if (!response.headersSent) {
          response.writeHead(answer.statusCode ?? 502, { 'content-type': answer.headers['content-type'] ?? '' })
          response.flushHeaders()
        }
        answer.pipe(response, { end: false })
        answer.once('close', over)
      })
      tapped.once('error', over)
      response.once('close', () => tapped.destroy())
    }
  }
}

const nobody: Answer = { status: 503, type: 'application/json', body: '{"message":"no worker runs at the moment"}\n' }

function first(answers: readonly Answer[]): Answer {
  return answers[0] ?? nobody
}

type Merge = (answers: readonly Answer[]) => Answer

const merges: Readonly<Record<string, Merge>> = {
  // requests and connections of each endpoint
  '/clusters': mergeJson((clusters) => clusters.reduce(addUp)),
  '/plaintext_callers': mergeJson((reports) => mergePlaintextCallers(reports as PlaintextCallersOfListener[][])),
}

function mergeJson(merge: (bodies: readonly unknown[]) => unknown): Merge {
  return (answers) => {
    const one = first(answers)
    if (one.status !== 200) return one
    const merged = merge(answers.map(({ body }) => JSON.parse(body) as unknown))
    return { ...one, body: `${JSON.stringify(merged)}\n` }
  }
}

/** Numbers are added, lists joined by `address`, objects by name; of the rest the first stays. */
function addUp(a: unknown, b: unknown): unknown {
  if (typeof a === 'number' && typeof b === 'number') return a + b
  if (Array.isArray(a) && Array.isArray(b)) {
    return Object.values(addUp(byAddress(a), byAddress(b)) as object)
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a ?? b
  const sum: Record<string, unknown> = { ...a }
  for (const [name, value] of Object.entries(b)) sum[name] = name in sum ? addUp(sum[name], value) : value
  return sum
}

function byAddress(list: readonly { address: string }[]): object {
  return Object.fromEntries(list.map((one) => [one.address, one]))
}

async function ask(request: IncomingMessage, token: string | undefined, address: string): Promise<Answer> {
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    forward(request, token, address, resolve).once('error', reject)
  })
  let body = ''
  for await (const chunk of incoming.setEncoding('utf8')) body += chunk as string
  return { status: incoming.statusCode ?? 502, type: incoming.headers['content-type'] ?? '', body }
}

function forward(
  { method = 'GET', url = '/' }: IncomingMessage,
  token: string | undefined,
  address: string,
  onAnswer: (answer: IncomingMessage) => void,
): ReturnType<typeof httpRequest> {
  const outgoing = httpRequest(
    {
      ...socketAddress(address),
      // HEAD has no body to add up
      method: method === 'HEAD' ? 'GET' : method,
      path: url,
      agent: false,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    },
    onAnswer,
  )
  outgoing.end()
  return outgoing
}

function send(response: ServerResponse, { status, type, body }: Answer): void {
  response.writeHead(status, { 'content-type': type }).end(body)
}
