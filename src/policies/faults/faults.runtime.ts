// Draws the faults of one request, as Envoy's HTTP fault filter does. Whoever forwards the request makes them happen.
import type { RequestHead } from '../../contracts/http-message.ts'
import type { Clock } from '../../core/clock.ts'
import type { HeaderList } from '../../core/header-list.ts'
import type { Random } from '../../core/random.ts'
import { compileRouteMatch, type RouteMatcher } from '../route-match/route-match.runtime.ts'
import type { FaultsSpec, Share } from './faults.spec.ts'

/** What one request suffers, in this order. */
export interface DrawnFaults {
  /** 0: none. */
  readonly delayMs: number
  readonly abort: FaultAbort | undefined
  readonly reset: boolean
  /** Infinity: as fast as it comes. */
  readonly responseBytesPerSecond: number
  /** To be called once, when the request is over. */
  readonly release: () => void
}

/** `grpcStatus` is absent where it follows from `status`. */
export interface FaultAbort {
  readonly status: number
  readonly grpcStatus?: number
}

const all = 1_000_000
const perPercent = 10_000

export class FaultInjector {
  readonly #spec: FaultsSpec
  /** Undefined: all requests. */
  readonly #matches: RouteMatcher | undefined
  readonly #maxActive: number
  readonly #untilMs: number
  #active = 0
  readonly #release = (): void => {
    this.#active--
  }

  /** Throws an Error that names the expression when a regular expression of the spec is not one. */
  constructor(spec: FaultsSpec) {
    const { headers } = spec
    this.#spec = spec
    this.#matches =
      headers.length === 0
        ? undefined
        : compileRouteMatch({ path: { kind: 'prefix', value: '/' }, headers, queryParams: [] })
    this.#maxActive = spec.maxActiveFaults ?? Infinity
    this.#untilMs = spec.untilMs ?? Infinity
  }

  /** Undefined: the request goes unharmed. `request` is as the caller sent it. */
  draw(request: RequestHead, random: Random, clock: Clock): DrawnFaults | undefined {
    if (this.#untilMs !== Infinity && clock.nowMs() >= this.#untilMs) return undefined
    if (this.#active >= this.#maxActive || this.#matches?.({ request, path: '', query: '' }) === false) return undefined
    const { headers } = request
    const responseBytesPerSecond = this.#drawRate(headers, random)
    const delayMs = this.#drawDelay(headers, random)
    const abort = this.#drawAbort(headers, random)
    const reset = abort === undefined && this.#spec.reset !== undefined && isDrawn(this.#spec.reset.share, random)
    if (responseBytesPerSecond === Infinity && delayMs === 0 && abort === undefined && !reset) return undefined
    this.#active++
    return { delayMs, abort, reset, responseBytesPerSecond, release: this.#release }
  }

  #drawRate(headers: HeaderList, random: Random): number {
    const limit = this.#spec.responseRateLimit
    if (limit === undefined) return Infinity
    const byHeader = limit.by.kind === 'header'
    const kbps = limit.by.kind === 'fixed' ? limit.by.limitKbps : numberOf(headers, rateHeader)
    const share = byHeader ? lowered(limit.share, headers, rateHeader) : limit.share
    return kbps === undefined || kbps === 0 || !isDrawn(share, random) ? Infinity : kbps * 1024
  }

  #drawDelay(headers: HeaderList, random: Random): number {
    const { delay } = this.#spec
    if (delay === undefined) return 0
    const byHeader = delay.by.kind === 'header'
    const delayMs = delay.by.kind === 'fixed' ? delay.by.delayMs : numberOf(headers, delayHeader)
    const share = byHeader ? lowered(delay.share, headers, delayHeader) : delay.share
    return delayMs !== undefined && isDrawn(share, random) ? delayMs : 0
  }

  #drawAbort(headers: HeaderList, random: Random): FaultAbort | undefined {
    const { abort } = this.#spec
    if (abort === undefined) return undefined
    const fault = abort.by.kind === 'header' ? abortOf(headers) : fixedAbort(abort.by)
    const share = abort.by.kind === 'header' ? lowered(abort.share, headers, abortHeader) : abort.share
    return fault !== undefined && isDrawn(share, random) ? fault : undefined
  }
}

function isDrawn(share: Share, random: Random): boolean {
  return share >= all || (share > 0 && random.int(all) < share)
}

// Envoy's names.
const delayHeader = 'x-envoy-fault-delay-request'
const abortHeader = 'x-envoy-fault-abort-request'
const grpcAbortHeader = 'x-envoy-fault-abort-grpc-request'
const rateHeader = 'x-envoy-fault-throughput-response'

/** Undefined: not there, or no number. */
function numberOf(headers: HeaderList, name: string): number | undefined {
  const text = headers.get(name)
  return text !== undefined && /^[0-9]{1,9}$/.test(text) ? Number(text) : undefined
}

/** A request may ask for less than the configuration allows. */
function lowered(share: Share, headers: HeaderList, name: string): Share {
  const percent = numberOf(headers, `${name}-percentage`)
  return percent === undefined ? share : Math.min(share, percent * perPercent)
}

function fixedAbort({ kind, status }: { readonly kind: 'http' | 'grpc'; readonly status: number }): FaultAbort {
  return kind === 'http' ? { status } : { status: httpStatusOf(status), grpcStatus: status }
}

function abortOf(headers: HeaderList): FaultAbort | undefined {
  const status = numberOf(headers, abortHeader)
  if (status !== undefined && status >= 200 && status < 600) return { status }
  const grpcStatus = numberOf(headers, grpcAbortHeader)
  return grpcStatus !== undefined && grpcStatus >= 1 && grpcStatus <= 16
    ? { status: httpStatusOf(grpcStatus), grpcStatus }
    : undefined
}

/** For callers that speak no gRPC, as Envoy maps them; from 0 (OK) to 16 (UNAUTHENTICATED). */
const httpStatuses = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401]

function httpStatusOf(grpcStatus: number): number {
  return httpStatuses[grpcStatus] ?? 500
}
