// Whether a failed attempt is repeated, and after what pause. Repeats what provably was not processed, what may be repeated by its method
// (RFC 9110 section 9.2.2) or key, and the statuses a route lists; never once a response has begun.
import type { RequestHead } from '../../contracts/http-message.ts'
import { backoffMs } from '../../core/backoff.ts'
import type { Random } from '../../core/random.ts'
import type { RetrySpec } from './retries.spec.ts'
import { longestRetryAfterMs } from './retry-after.runtime.ts'

export interface AttemptOutcome {
  /**
   * `refused`: HTTP/2 REFUSED_STREAM, or a GOAWAY below the stream's id. `unprocessed`: a peer answered that it could not hand the request
   * on. `overloaded`: a peer answered that it has more to do than it can. The others as in an AttemptRecord.
   */
  readonly kind:
    | 'connect-failure'
    | 'refused'
    | 'unprocessed'
    | 'overloaded'
    | 'reset'
    | 'timeout'
    | 'protocol-error'
    | 'response'
  /** Of the response; for the other kinds the status that the caller would get. */
  readonly status: number
  /** `grpc-status` of a response that is only trailers, known before anything is passed on. */
  readonly grpcStatus?: number | undefined
  /** The attempt ran on a connection that had served others before: the peer may have closed it as idle. */
  readonly reusedConnection: boolean
  /** Bytes of this request, head included, that were handed to the connection. */
  readonly sentBytes: number
  /** There is an endpoint that has not been tried. */
  readonly elsewhere: boolean
  /** How long the response asks to wait (`Retry-After`), in milliseconds; absent: it does not. */
  readonly retryAfterMs?: number | undefined
  /** A byte of the response has been read; for kind `response` that is no obstacle while its head has not been passed on. */
  readonly responseStarted: boolean
}

export type RetryDecision =
  | {
      readonly retry: true
      readonly because: string
      readonly delayMs: number
      /** Many fail like it at once without a sign of load: the budget need not allow it, and no connection that has been idle is to be trusted. */
      readonly free: boolean
    }
  | { readonly retry: false; readonly because: string }

/** Without a retry policy; and with one that allows fewer, for what was not processed. */
const defaultRetries = 2
/** Statuses that a request that is idempotent takes to another endpoint without a retry policy: of a proxy or gateway on the way, mostly. */
const gatewayErrors: ReadonlySet<number> = new Set([502, 503, 504])
const defaultBackoffMs = 25
/** Pauses grow up to so many times the base (as Envoy's default does). */
const maxBackoffFactor = 10

const grpcDeadlineExceeded = 4
const grpcUnavailable = 14

const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

export function isIdempotent(request: RequestHead): boolean {
  return idempotentMethods.has(request.method) || request.headers.has('idempotency-key')
}

/**
 * `retriesDone` counts the repeats so far, `bodyReplayable` says whether the whole request can be sent again. The budget is the caller's to
 * ask afterwards.
 */
export function decideRetry(
  spec: RetrySpec | undefined,
  request: RequestHead,
  outcome: AttemptOutcome,
  retriesDone: number,
  bodyReplayable: boolean,
  random: Random,
): RetryDecision {
  const because = reasonToRetry(spec, request, outcome)
  if (because === undefined) return { retry: false, because: 'the request may have been processed' }
  const attempts = spec?.attempts ?? defaultRetries
  const allowed = because.unprocessed ? Math.max(defaultRetries, attempts) : attempts
  if (retriesDone >= allowed) return { retry: false, because: 'no attempts left' }
  if (!bodyReplayable) return { retry: false, because: 'the body cannot be sent again' }
  const first = retriesDone === 0
  // A stale connection says nothing about the peer's health: the next attempt need not wait.
  const ownMs = first && because.stale ? 0 : pauseMs(spec, retriesDone, random)
  const delayMs = Math.max(ownMs, askedPauseMs(spec, outcome))
  if (delayMs > longestRetryAfterMs && delayMs > ownMs) return { retry: false, because: 'asked to wait too long' }
  return { retry: true, because: because.text, delayMs, free: first && (because.stale || outcome.kind === 'refused') }
}

interface Reason {
  readonly text: string
  readonly unprocessed: boolean
  readonly stale: boolean
}

function reasonToRetry(spec: RetrySpec | undefined, request: RequestHead, outcome: AttemptOutcome): Reason | undefined {
  const { kind, status } = outcome
  const listed = spec !== undefined && spec.statusCodes.includes(status)
  const elsewhere = spec === undefined && outcome.elsewhere && isIdempotent(request)
  if (kind === 'response') {
    const { grpcStatus } = outcome
    if (grpcStatus !== undefined && spec?.grpcStatuses?.includes(grpcStatus) === true)
      return reason(`gRPC status ${grpcStatus}`)
    return listed || (elsewhere && gatewayErrors.has(status)) ? reason(`status ${status}`) : undefined
  }
  if (outcome.responseStarted) return undefined
  // The same endpoint would have even more to do.
  if (kind === 'overloaded' && outcome.elsewhere) return reason(kind, true)
  if (kind === 'overloaded') return listed ? reason(`status ${status}`) : undefined
  if (kind === 'connect-failure') return reason('connect failure', true)
  if (kind === 'refused' || kind === 'unprocessed') return reason('refused by the peer', true)
  const idempotent = isIdempotent(request)
  if (kind === 'reset') {
    if (outcome.sentBytes === 0) return reason('connection closed before the request', true, outcome.reusedConnection)
    if (outcome.reusedConnection && idempotent) return reason('idle connection closed by the peer', true, true)
  }
  if (spec === undefined) return elsewhere && kind === 'reset' ? reason(kind) : undefined
  if (idempotent || listed || listsGrpc(spec, request, kind)) return reason(kind)
  return undefined
}

/** What a gRPC caller would get: DEADLINE_EXCEEDED for a timeout, UNAVAILABLE for the others. */
function listsGrpc(spec: RetrySpec | undefined, request: RequestHead, kind: AttemptOutcome['kind']): boolean {
  const statuses = spec?.grpcStatuses
  if (statuses === undefined || !isGrpc(request)) return false
  return statuses.includes(kind === 'timeout' ? grpcDeadlineExceeded : grpcUnavailable)
}

/** By its content type (gRPC over HTTP/2): "application/grpc", or with "+proto" and the like. gRPC-Web is another protocol. */
function isGrpc(request: RequestHead): boolean {
  const type = request.headers.get('content-type')
  return type !== undefined && /^application\/grpc(?:$|[+;])/i.test(type)
}

function reason(text: string, unprocessed = false, stale = false): Reason {
  return { text, unprocessed, stale }
}

/** One endpoint's 503 says nothing of the others: a retry that is only to go to another one does not wait for it. 429 is about the caller. */
function askedPauseMs(spec: RetrySpec | undefined, { retryAfterMs, status }: AttemptOutcome): number {
  if (retryAfterMs === undefined) return 0
  return spec === undefined && status !== 429 ? 0 : retryAfterMs
}

/** The policy's pause is a lower bound (GEP-1731); the jitter above it grows with every retry. */
function pauseMs(spec: RetrySpec | undefined, retriesDone: number, random: Random): number {
  const baseMs = spec?.backoffMs ?? defaultBackoffMs
  return baseMs + backoffMs({ baseMs, maxMs: baseMs * maxBackoffFactor }, retriesDone, random)
}
