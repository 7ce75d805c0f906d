// One attempt to have a request answered by one endpoint.
import type { AttemptRecord } from '../../contracts/decision-record.ts'
import type { ResponseHead } from '../../contracts/http-message.ts'
import type { FinishedAttempt } from '../../contracts/load-balancer.ts'
import type { Clock } from '../../core/clock.ts'
import { Deadlined, type DeadlineList } from '../../core/deadline-list.ts'
import type { HeaderList } from '../../core/header-list.ts'
import { askedPauseMs } from '../../policies/retries/retry-after.runtime.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Endpoint } from '../cluster/endpoint.ts'
import type {
  BodyLength,
  ClientConnection,
  ClientStream,
  ClientStreamHandler,
  HttpProtocol,
  OutgoingRequest,
  StreamFailure,
} from '../codec/http-stream.ts'
import { markSpoken } from '../filter/spoken-protocol.ts'
import type { EndpointPool, Waiter } from '../pool/endpoint-pool.ts'
import { grpcStatusOf } from './grpc.ts'
import { isTurnedAway } from './local-reply.ts'

export interface AttemptDeps {
  readonly clock: Clock
  readonly deadlines: DeadlineList
}

export interface AttemptFailure {
  readonly kind: 'connect-failure' | 'overflow' | 'timeout' | StreamFailure['kind']
  readonly message: string
  readonly responseBegun: boolean
}

/** Whoever has the request answered. Not called once the attempt is over. */
export interface AttemptOwner {
  /** There is a connection: the head is sent next. */
  attemptReady(attempt: Attempt): void
  /** It has been waited for as long as was said, and no response has begun. Once. */
  attemptSlow(): void
  attemptConnected(stream: ClientStream): void
  attemptInformational(head: ResponseHead): void
  attemptHead(head: ResponseHead, length: BodyLength): void
  attemptData(bytes: Uint8Array): void
  attemptEnd(trailers: HeaderList | undefined): void
  attemptDrain(): void
  attemptFailed(failure: AttemptFailure): void
}

/** A response that nobody wants is read to its end for the sake of the connection when it is no longer than this. */
const discardedBytes = 65_536

export class Attempt extends Deadlined implements Waiter, ClientStreamHandler, FinishedAttempt {
  readonly endpoint: Endpoint
  stream: ClientStream | undefined
  reusedConnection = false
  peerSpiffeId: string | undefined
  outcome: FinishedAttempt['outcome'] = 'cancelled'
  status = 0
  readonly startMs: number
  respondedMs = 0
  loadReport: string | undefined
  /** Set by whoever has it traced apart. */
  spanId: string | undefined
  readonly #clock: Clock
  readonly #deadlines: DeadlineList
  readonly #cluster: Cluster
  readonly #pool: EndpointPool
  readonly #request: OutgoingRequest
  readonly #spoken: HttpProtocol
  #owner: AttemptOwner | undefined
  #timeoutMs = Infinity
  #waitsToBeSlow = false
  /** With which the response has ended: its trailers, or its head when there are none. */
  #ending: HeaderList | undefined
  /** Of a response that says that the endpoint is asked too much. */
  #limited: HeaderList | undefined
  #length: BodyLength = 'unknown'
  #over = false

  constructor(
    { clock, deadlines }: AttemptDeps,
    cluster: Cluster,
    endpoint: Endpoint,
    spoken: HttpProtocol,
    request: OutgoingRequest,
    owner: AttemptOwner,
  ) {
    super()
    this.#clock = clock
    this.#deadlines = deadlines
    this.#cluster = cluster
    this.endpoint = endpoint
    this.#pool = endpoint.pool(cluster.protocolFor(endpoint, spoken, request.upgrade !== undefined))
    this.#spoken = spoken
    this.#request = request
    this.#owner = owner
    this.startMs = clock.monotonicMs()
    endpoint.activeRequests++
    cluster.attemptStarted()
  }

  get grpcStatus(): number | undefined {
    return grpcStatusOf(this.#ending)
  }

  get retryAfterMs(): number | undefined {
    const told = this.#limited ?? this.#ending
    return told === undefined ? undefined : askedPauseMs(told, this.#clock.nowMs())
  }

  /**
   * `timeoutMs` bounds it to the end of the response; Infinity: no bound. `fresh`: not on a connection that has been idle. `slowMs`: the owner
   * is told after so long.
   */
  start(timeoutMs: number, fresh = false, slowMs: number = Infinity): void {
    this.#timeoutMs = timeoutMs
    this.#waitsToBeSlow = slowMs < timeoutMs
    const firstMs = Math.min(timeoutMs, slowMs)
    if (firstMs !== Infinity) this.#deadlines.add(this, this.startMs + firstMs)
    this.#pool.acquire(this, fresh)
  }

  /** `requestStartMs`: monotonic. */
  record(outcome: AttemptRecord['outcome'], requestStartMs: number, retriedBecause?: string): AttemptRecord {
    const { workload, address } = this.endpoint
    return {
      endpoint: address,
      workload,
      outcome,
      status: this.status === 0 ? undefined : this.status,
      startMs: this.startMs - requestStartMs,
      durationMs: this.#clock.monotonicMs() - this.startMs,
      spanId: this.spanId,
      retriedBecause,
    }
  }

  /** Gives up. The owner hears nothing more. */
  cancel(): void {
    this.#owner = undefined
    this.#finish()
    if (this.stream === undefined) this.#pool.cancel(this)
    else this.stream.abort()
  }

  /** The response is not wanted; the connection may still be. */
  discard(requestComplete: boolean): void {
    if (!requestComplete || this.#length === 'unknown' || this.#length > discardedBytes) this.cancel()
    else this.#owner = undefined
  }

  connectionReady(connection: ClientConnection, reused: boolean): void {
    this.reusedConnection = reused
    this.peerSpiffeId = connection.connection.tls?.peerSpiffeId
    if (connection.protocol === 'HTTP/2' && this.peerSpiffeId !== undefined)
      markSpoken(this.#request.head, this.#spoken)
    this.#owner?.attemptReady(this)
    this.stream = connection.send(this.#request, this)
    this.#owner?.attemptConnected(this.stream)
  }

  /** Another was faster. For its endpoint it is as if it had taken too long. */
  giveUp(): void {
    this.outcome = 'timeout'
    this.cancel()
  }

  expired(): void {
    if (this.#waitsToBeSlow) {
      this.#waitNoMore()
      this.#owner?.attemptSlow()
      return
    }
    this.#fail({ kind: 'timeout', message: `no complete response within ${Math.round(this.#timeoutMs)} ms` })
  }

  connectionFailed(kind: 'connect-failure' | 'overflow', message: string): void {
    this.#fail({ kind, message })
  }

  onInformational(head: ResponseHead): void {
    this.#owner?.attemptInformational(head)
  }

  onHead(head: ResponseHead, length: BodyLength): void {
    // The endpoint has more to do than it can, which says nothing against it.
    const turnedAway = (head.status === 503 || length === 0) && this.peerSpiffeId !== undefined && isTurnedAway(head)
    this.outcome = turnedAway ? 'refused' : 'response'
    this.status = head.status
    this.respondedMs = this.#clock.monotonicMs()
    this.#length = length
    if (head.status === 429) this.#limited = head.headers
    this.#cluster.attemptResponded(this)
    if (length === 0) this.#ending = head.headers
    if (this.#cluster.readsLoadReports) this.loadReport = loadReportOf(head.headers)
    if (this.#waitsToBeSlow) this.#waitNoMore()
    // A protocol that has been changed to has no bound.
    if (head.status === 101) this.#deadlines.remove(this)
    this.#owner?.attemptHead(head, length)
  }

  onData(bytes: Uint8Array): void {
    this.#owner?.attemptData(bytes)
  }

  onEnd(trailers: HeaderList | undefined): void {
    if (trailers !== undefined) {
      this.#ending = trailers
      if (this.#cluster.readsLoadReports) this.loadReport = loadReportOf(trailers) ?? this.loadReport
    }
    this.#finish()
    this.#owner?.attemptEnd(trailers)
  }

  onDrain(): void {
    this.#owner?.attemptDrain()
  }

  onFailed(failure: StreamFailure): void {
    this.#fail(failure)
  }

  #waitNoMore(): void {
    this.#waitsToBeSlow = false
    this.#deadlines.remove(this)
    if (this.#timeoutMs !== Infinity) this.#deadlines.add(this, this.startMs + this.#timeoutMs)
  }

  #fail({
    kind,
    message,
    responseBegun = false,
  }: Omit<AttemptFailure, 'responseBegun'> & { responseBegun?: boolean }): void {
    if (this.#over) return
    const owner = this.#owner
    const begun = responseBegun || this.status !== 0
    this.outcome = kind
    if (kind === 'timeout') this.cancel()
    else this.#finish()
    owner?.attemptFailed({ kind, message, responseBegun: begun })
  }

  #finish(): void {
    if (this.#over) return
    this.#over = true
    this.#deadlines.remove(this)
    this.endpoint.activeRequests--
    if (this.respondedMs === 0) this.#cluster.attemptResponded(this)
    this.#cluster.attemptOver(this.endpoint, this)
  }
}

/** gRPC servers write the message as it is, which travels in base64. */
function loadReportOf(headers: HeaderList): string | undefined {
  const binary = headers.get('endpoint-load-metrics-bin')
  return binary === undefined ? headers.get('endpoint-load-metrics') : `BIN ${binary}`
}
