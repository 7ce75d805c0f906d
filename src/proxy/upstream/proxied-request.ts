// One request from its decision to the end of its response: attempts, repeats, and the bytes in between.
import type { AttemptRecord, ResponseFlag } from '../../contracts/decision-record.ts'
import type { RequestHead, ResponseHead } from '../../contracts/http-message.ts'
import type { Timer } from '../../core/clock.ts'
import type { HeaderList } from '../../core/header-list.ts'
import type { Random } from '../../core/random.ts'
import type { CallerLimits } from '../../policies/circuit-breaker/caller-limits.runtime.ts'
import type { DrawnFaults, FaultInjector } from '../../policies/faults/faults.runtime.ts'
import { mayBeHedged } from '../../policies/hedging/hedging.runtime.ts'
import { decideRetry, type AttemptOutcome } from '../../policies/retries/retries.runtime.ts'
import { parseRetryAfter } from '../../policies/retries/retry-after.runtime.ts'
import type { RetryBudget } from '../../policies/retries/retry-budget.runtime.ts'
import { attemptDeadlineMs, requestDeadlineMs } from '../../policies/timeouts/timeouts.runtime.ts'
import { markTrace, newSpanId } from '../../policies/tracing/trace-context.runtime.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Endpoint } from '../cluster/endpoint.ts'
import type { BodyLength, ClientStream, HttpProtocol, ServerStream } from '../codec/http-stream.ts'
import type { KeptSession } from '../runtime/decide.ts'
import type { ForwardAction } from '../runtime/runtime-config.ts'
import type { Exchange } from '../telemetry/exchange.ts'
import { tooManyRequests } from './ask-cluster.ts'
import { Attempt, type AttemptDeps, type AttemptFailure, type AttemptOwner } from './attempt.ts'
import { callerTimeoutMs, markTimeout } from './caller-timeout.ts'
import { CompressedStream, type ResponseCompression } from './compressed-stream.ts'
import { grpcStatusOf, grpcTrailers, isGrpc, statusWithoutBody } from './grpc.ts'
import { Hedge, type HedgedRequest } from './hedge.ts'
import { failureAnswers, sendReply, takeUnprocessed, textResponse, unprocessedHeader } from './local-reply.ts'
import type { Unprocessed } from './local-reply.ts'
import { PacedStream } from './paced-stream.ts'
import type { RequestBody } from './request-body.ts'

/** On attempts after the first: which one it is, counted from 1 (Envoy's name). */
const attemptCountHeader = 'x-envoy-attempt-count'

/** Why a second attempt ran beside the first. */
const slow = 'slow'

export interface ForwardPlan {
  readonly cluster: Cluster
  /** The head to send. */
  readonly request: RequestHead
  /** By whoever made the request first. */
  readonly spoken: HttpProtocol
  readonly timeouts: ForwardAction['timeouts']
  readonly retry: ForwardAction['retry']
  /** Of a LoadBalancer. */
  readonly hash: number | undefined
  /** What it chooses by among the endpoints' labels. */
  readonly subset: string | undefined
  readonly session: KeptSession | undefined
  readonly modifyResponse: (response: ResponseHead) => void
  /** What it may suffer on its way. */
  readonly faults: FaultInjector | undefined
  /** What may be done to its response's body; absent: nothing. */
  readonly compression?: ResponseCompression | undefined
}

export interface ForwardDeps extends AttemptDeps {
  readonly random: Random
}

/** Whoever tells of the exchange when it is over. */
export interface ExchangeKeeper {
  finish(): void
}

export class ProxiedRequest implements HedgedRequest {
  readonly #deps: ForwardDeps
  readonly #stream: ServerStream
  readonly #exchange: Exchange
  readonly #body: RequestBody
  readonly #plan: ForwardPlan
  /** Undefined: it goes unharmed. */
  readonly #faults: DrawnFaults | undefined
  /** Between the two, the nearer to the caller first: where a body may be compressed, and where a fault slows the response down. */
  readonly #compressed: CompressedStream | undefined
  readonly #paced: PacedStream | undefined
  readonly #budget: RetryBudget
  readonly #grpc: boolean
  readonly #deadlineMs: number
  readonly #keeper: ExchangeKeeper
  /** Which its caller's requests are counted by. */
  #entered: CallerLimits | undefined
  /** Of the attempt under way. */
  #attemptDeadlineMs = Infinity
  #attempt: Attempt | undefined
  /** Runs beside it, until one of the two has an answer. */
  #hedge: Hedge | undefined
  #tried: Set<Endpoint> | undefined
  #retriesDone = 0
  #fresh = false
  /** Until the next attempt. */
  #pause: Timer | undefined
  #headSent = false
  #tunnelling = false
  #over = false

  constructor(
    deps: ForwardDeps,
    stream: ServerStream,
    exchange: Exchange,
    body: RequestBody,
    plan: ForwardPlan,
    keeper: ExchangeKeeper,
  ) {
    this.#deps = deps
    this.#faults = plan.faults?.draw(stream.request, deps.random, deps.clock)
    if (plan.compression !== undefined)
      this.#compressed = new CompressedStream(stream, plan.compression, {
        finish: () => keeper.finish(),
        compressedDrained: () => this.#drained(),
      })
    const bytesPerSecond = this.#faults?.responseBytesPerSecond ?? Infinity
    const outward = this.#compressed ?? stream
    if (bytesPerSecond !== Infinity)
      this.#paced = new PacedStream(outward, bytesPerSecond, deps.clock, {
        finish: () => (this.#compressed ?? keeper).finish(),
        pacedDrained: () => this.#upstream?.resume(),
      })
    this.#stream = this.#paced ?? outward
    this.#exchange = exchange
    this.#body = body
    this.#plan = plan
    this.#keeper = this.#paced ?? this.#compressed ?? keeper
    this.#budget = plan.cluster.budget
    this.#grpc = plan.spoken === 'HTTP/2' && isGrpc(plan.request)
    const callerMs = callerTimeoutMs(plan.request, this.#grpc)
    this.#deadlineMs = requestDeadlineMs(plan.timeouts, exchange.startMonotonicMs, callerMs)
  }

  start(): void {
    const { cluster } = this.#plan
    if (cluster.callerLimits !== undefined && !this.#enters(cluster.callerLimits)) {
      cluster.callerRefused()
      const detail = `${this.#caller} has as many requests under way as one caller may have`
      this.#answer(503, 'UO', detail, 'overloaded')
      return
    }
    this.#budget.requestStarted(this.#exchange.startMonotonicMs)
    if (this.#faults === undefined) this.#try()
    else this.#suffer(this.#faults)
  }

  get #caller(): string {
    return this.#exchange.sourcePrincipal ?? this.#exchange.source.remoteAddress
  }

  #enters(limits: CallerLimits): boolean {
    if (!limits.enters(this.#caller)) return false
    this.#entered = limits
    return true
  }

  // What the caller does.

  bodyData(bytes: Uint8Array): void {
    if (!this.#body.take(bytes, this.#upstream)) this.#stream.pause()
  }

  bodyEnd(): void {
    const stream = this.#upstream
    // The end of an offer to change the protocol is not the end of what the caller will say.
    if (stream !== undefined && (this.#stream.upgrade === undefined || this.#tunnelling)) this.#body.sendEndTo(stream)
  }

  callerDrained(): void {
    if (this.#compressed === undefined) this.#drained()
    else this.#compressed.callerDrained()
  }

  #drained(): void {
    if (this.#paced === undefined) this.#upstream?.resume()
    else this.#paced.callerDrained()
  }

  callerGone(): void {
    this.#paced?.cancel()
    this.#compressed?.cancel()
    this.#attempt?.cancel()
    this.#hedge?.attempt.cancel()
    this.#finish()
  }

  /** A call whose response has begun still gets its status: in trailers, where every client looks for it. False: it is no such call. */
  endCall(status: number, detail: string): boolean {
    // what waits for its pace is not for the caller any more
    this.#paced?.cancel()
    return this.#endCall(status, detail)
  }

  #endCall(status: number, detail: string): boolean {
    if (!this.#grpc || this.#tunnelling) return false
    const { grpcStatus, trailers } = grpcTrailers(status, detail)
    this.#exchange.grpcStatus = grpcStatus
    this.#stream.sendEnd(trailers)
    return true
  }

  // What the endpoint does.

  attemptReady(attempt: Attempt): void {
    const { traced } = this.#exchange
    if (traced !== undefined && attempt.spanId !== undefined)
      markTrace(this.#plan.request.headers, traced.context, attempt.spanId)
    if (this.#retriesDone > 0 && this.#plan.cluster.serviceHost !== undefined)
      this.#plan.request.headers.set(attemptCountHeader, String(this.#retriesDone + 1))
    if (this.#attemptDeadlineMs === Infinity) return
    markTimeout(this.#plan.request, this.#attemptDeadlineMs - this.#deps.clock.monotonicMs(), this.#grpc)
  }

  attemptSlow(): void {
    const { cluster, request, hash, subset } = this.#plan
    const replayable = this.#body.complete && this.#body.replayable && this.#stream.upgrade === undefined
    if (!replayable || !mayBeHedged(request) || !cluster.allowsRequest()) return
    const tried = new Set(this.#tried).add((this.#attempt as Attempt).endpoint)
    if (cluster.countOf(subset) <= tried.size || !this.#budget.tryRetry(this.#deps.clock.monotonicMs())) return
    const endpoint = cluster.pickBeside(tried, hash, subset)
    if (endpoint === undefined) return
    this.#tried = tried
    this.#hedge = new Hedge(this, (owner) => this.#createAttempt(endpoint, owner))
    this.#start(this.#hedge.attempt, Infinity)
  }

  hedgeWon(hedge: Hedge): void {
    this.#attempt?.giveUp()
    this.#takeHedge(hedge, 'cancelled')
  }

  hedgeLost({ attempt }: Hedge): void {
    this.#hedge = undefined
    this.#record(attempt, attempt.outcome === 'overflow' ? 'cancelled' : attempt.outcome)
  }

  attemptConnected(stream: ClientStream): void {
    this.#exchange.destinationPrincipal = this.#attempt?.peerSpiffeId
    this.sendBody(stream)
  }

  sendBody(stream: ClientStream): void {
    if (this.#body.length === 0) return
    if (this.#body.sendTo(stream)) this.#stream.resume()
    else this.#stream.pause()
  }

  attemptDrain(): void {
    this.#stream.resume()
  }

  attemptInformational(head: ResponseHead): void {
    if (head.status !== 100 || this.#stream.expectsContinue) this.#stream.sendInformational(head)
  }

  attemptHead(head: ResponseHead, length: BodyLength): void {
    const attempt = this.#attempt as Attempt
    const grpcStatus = this.#grpc ? statusWithoutBody(head, length) : undefined
    const refused = (head.status === 503 || grpcStatus !== undefined) && takeUnprocessed(head, attempt.peerSpiffeId)
    if (
      refused
        ? this.#retry(attempt.outcome === 'refused' ? 'overloaded' : 'unprocessed', head.status, false)
        : this.#retry('response', head.status, true, grpcStatus, this.#retryAfterMs(head))
    ) {
      attempt.discard(this.#body.complete)
      return
    }
    this.#record(attempt, 'response', this.#hedge === undefined ? undefined : slow)
    this.#dropHedge()
    this.#exchange.status = head.status
    this.#exchange.grpcStatus = grpcStatus
    this.#headSent = true
    this.#tunnelling = head.status === 101
    const { session, cluster } = this.#plan
    if (session !== undefined) {
      session.keeper.keep(head, session.found, cluster.sessionKey, attempt.endpoint.sessionKey, this.#deps.clock)
    }
    this.#plan.modifyResponse(head)
    this.#stream.sendHead(head, length)
  }

  attemptData(bytes: Uint8Array): void {
    this.#exchange.responseBytes += bytes.length
    if (!this.#stream.sendData(bytes)) this.#upstream?.pause()
  }

  attemptEnd(trailers: HeaderList | undefined): void {
    if (trailers !== undefined && this.#grpc) this.#exchange.grpcStatus = grpcStatusOf(trailers)
    this.#stream.sendEnd(trailers)
    this.#finish()
  }

  attemptFailed(failure: AttemptFailure): void {
    const attempt = this.#attempt as Attempt
    const answer = failureAnswers[failure.kind]
    if (this.#headSent) {
      this.#exchange.flags.push(answer.flag)
      this.#exchange.detail = failure.message
      if (!this.#endCall(answer.status, failure.message)) this.#stream.abort(new Error(failure.message))
      this.#finish()
      return
    }
    if (failure.kind !== 'overflow') {
      if (this.#retry(failure.kind, answer.status, failure.responseBegun)) return
      this.#record(attempt, failure.kind)
    }
    const place = this.#destination(attempt.endpoint)
    const unprocessed = failure.kind === 'connect-failure' ? 'unreachable' : undefined
    this.#answer(answer.status, answer.flag, `heddle ${answer.what} ${place}: ${failure.message}`, unprocessed)
  }

  /** A delay counts for the request's time: its caller cannot tell it from a slow destination. */
  #suffer(faults: DrawnFaults): void {
    const { delayMs } = faults
    if (delayMs === 0) {
      this.#afterDelay(faults)
      return
    }
    this.#exchange.flags.push('DI')
    const leftMs = this.#deadlineMs - this.#deps.clock.monotonicMs()
    this.#pause = this.#deps.clock.setTimer(Math.min(delayMs, leftMs), () => {
      if (delayMs < leftMs) this.#afterDelay(faults)
      else this.#answer(504, 'UT', 'the injected delay is longer than the request may take')
    })
  }

  #afterDelay({ abort, reset }: DrawnFaults): void {
    const detail = 'a fault was injected: a TrafficPolicy of the destination says so'
    if (abort !== undefined) this.#answer(abort.status, 'FI', detail, undefined, abort.grpcStatus)
    else if (reset) {
      this.#exchange.flags.push('FI')
      this.#exchange.detail = detail
      this.#finish()
      this.#stream.abort(new Error(detail))
    } else this.#try()
  }

  get #upstream(): ClientStream | undefined {
    return this.#attempt?.stream
  }

  #try(): void {
    const { cluster, hash, subset, session } = this.#plan
    if (!cluster.allowsRequest()) {
      this.#answer(503, 'UO', `${cluster.config.name} ${tooManyRequests}`)
      return
    }
    if (cluster.overloaded(this.#plan.request)) {
      const detail = `the application behind ${cluster.config.name} has as many requests under way as it can work on`
      this.#answer(503, 'UO', detail, this.#retriesDone === 0 ? 'overloaded' : undefined)
      return
    }
    const endpoint = cluster.pick(this.#tried, hash, session?.found?.endpoint, subset)
    if (endpoint === undefined) {
      const detail = `no endpoint behind ${cluster.config.name}: start a workload that its Service selects`
      this.#answer(503, 'UH', detail)
      return
    }
    this.#exchange.destinationAddress = endpoint.address
    this.#exchange.destinationWorkload = endpoint.workload
    this.#attempt = this.#createAttempt(endpoint, this)
    this.#start(this.#attempt, this.#hedge === undefined ? cluster.hedgeDelayMs : Infinity)
  }

  #createAttempt(endpoint: Endpoint, owner: AttemptOwner): Attempt {
    const { cluster, request, spoken } = this.#plan
    const outgoing = { head: request, length: this.#body.length, upgrade: this.#stream.upgrade }
    const attempt = new Attempt(this.#deps, cluster, endpoint, spoken, outgoing, owner)
    // the span of a sidecar's hop is that of its first attempt too
    const { traced, reporter } = this.#exchange
    const apart = reporter === 'gateway' || this.#attempt !== undefined || this.#retriesDone > 0
    if (traced?.context.sampled === true && apart) attempt.spanId = newSpanId(this.#deps.random)
    return attempt
  }

  #start(attempt: Attempt, slowMs: number): void {
    const { timeouts } = this.#plan
    const nowMs =
      this.#deadlineMs === Infinity && timeouts.backendRequestMs === undefined ? 0 : this.#deps.clock.monotonicMs()
    this.#attemptDeadlineMs = attemptDeadlineMs(timeouts, this.#deadlineMs, nowMs)
    attempt.start(this.#attemptDeadlineMs - nowMs, this.#fresh, slowMs)
  }

  #record(attempt: Attempt, outcome: AttemptRecord['outcome'], retriedBecause?: string): void {
    const { attempts, startMonotonicMs } = this.#exchange
    attempts.push(attempt.record(outcome, startMonotonicMs, retriedBecause))
  }

  /** The first attempt is over, or given up: the other is the attempt of the request. */
  #takeHedge(hedge: Hedge, outcome: AttemptRecord['outcome']): void {
    this.#record(this.#attempt as Attempt, outcome, slow)
    const { attempt } = hedge
    hedge.take()
    this.#hedge = undefined
    this.#attempt = attempt
    this.#retriesDone++
    this.#exchange.destinationAddress = attempt.endpoint.address
    this.#exchange.destinationWorkload = attempt.endpoint.workload
    this.#exchange.destinationPrincipal = attempt.peerSpiffeId
  }

  #dropHedge(): void {
    if (this.#hedge === undefined) return
    const { attempt } = this.#hedge
    this.#hedge = undefined
    attempt.cancel()
    this.#record(attempt, 'cancelled')
  }

  /** True: another attempt follows. */
  #retry(
    kind: AttemptOutcome['kind'],
    status: number,
    responseStarted: boolean,
    grpcStatus?: number,
    retryAfterMs?: number,
  ): boolean {
    const attempt = this.#attempt as Attempt
    const { clock, random } = this.#deps
    if (this.#hedge !== undefined && (kind !== 'response' || status >= 500)) {
      this.#takeHedge(this.#hedge, recordedAs(kind))
      return true
    }
    const elsewhere = this.#plan.cluster.countOf(this.#plan.subset) > (this.#tried?.size ?? 0) + 1
    const sentBytes = attempt.stream === undefined ? 0 : 1 + this.#body.receivedBytes
    const decision = decideRetry(
      this.#plan.retry,
      this.#plan.request,
      {
        kind,
        status,
        grpcStatus,
        retryAfterMs,
        reusedConnection: attempt.reusedConnection,
        sentBytes,
        elsewhere,
        responseStarted,
      },
      this.#retriesDone,
      this.#body.replayable,
      random,
    )
    if (!decision.retry) {
      if (decision.because === 'no attempts left' && this.#retriesDone > 0) this.#exchange.flags.push('URX')
      return false
    }
    if (clock.monotonicMs() + decision.delayMs >= this.#deadlineMs) return false
    this.#fresh = decision.free
    if (!decision.free && !this.#budget.tryRetry(clock.monotonicMs())) return false
    this.#record(attempt, recordedAs(kind), decision.because)
    this.#tried = (this.#tried ?? new Set()).add(attempt.endpoint)
    this.#retriesDone++
    this.#attempt = undefined
    if (decision.delayMs === 0) {
      this.#try()
      return true
    }
    this.#pause = clock.setTimer(decision.delayMs, () => this.#try())
    return true
  }

  /** Of the statuses that may have it. */
  #retryAfterMs({ status, headers }: ResponseHead): number | undefined {
    if (status !== 429 && status !== 503) return undefined
    const value = headers.get('retry-after')
    return value === undefined ? undefined : parseRetryAfter(value, this.#deps.clock.nowMs())
  }

  #destination(endpoint: Endpoint): string {
    const { workload, address } = endpoint
    return workload === undefined ? address : `${address} (${workload})`
  }

  /** `unprocessed`: tells the caller's proxy that the application did not see the request. */
  #answer(status: number, flag: ResponseFlag, detail: string, unprocessed?: Unprocessed, grpcStatus?: number): void {
    this.#exchange.flags.push(flag)
    this.#exchange.detail = detail
    const { head, body } = textResponse(status, detail)
    this.#plan.modifyResponse(head)
    if (unprocessed !== undefined && this.#exchange.mtls) head.headers.set(unprocessedHeader, unprocessed)
    this.#headSent = true
    sendReply(this.#stream, this.#exchange, head, body, detail, grpcStatus)
    this.#finish()
  }

  #finish(): void {
    if (this.#over) return
    this.#over = true
    this.#pause?.cancel()
    this.#entered?.left(this.#caller)
    this.#faults?.release()
    this.#hedge?.attempt.cancel()
    this.#keeper.finish()
  }
}

function recordedAs(kind: AttemptOutcome['kind']): AttemptRecord['outcome'] {
  if (kind === 'overloaded') return 'refused'
  return kind === 'unprocessed' ? 'response' : kind
}
