// Traffic of before the control plane knows any, as a Prometheus server that scrapes the proxies has kept it: query_range, within a bounded time.
import { grpcFaults } from '../../contracts/telemetry/grpc-faults.ts'
import { proxyMetrics, unknownLabel } from '../../contracts/telemetry/metrics.ts'
import { errorMessage } from '../../core/errors.ts'
import type { TrafficPoint } from './observed-traffic.ts'

export interface HistoryQuery {
  /** Whole steps; the points that begin in [fromMs, toMs). */
  readonly fromMs: number
  readonly toMs: number
  readonly stepMs: number
  /** "reviews.default.svc.cluster.local"; absent: all. */
  readonly service?: string | undefined
  /** "namespace/name" of who answered; absent: all. */
  readonly workload?: string | undefined
}

export interface PrometheusHistoryDeps {
  /** "http://127.0.0.1:9090". */
  readonly url: string
  readonly fetch: typeof globalThis.fetch
}

/** A page never waits longer. */
const timeoutMs = 3_000
const mostAnswerBytes = 4 * 1024 * 1024
/** At once, of all who ask; the next is told to come again. */
const mostAsked = 4
/** Rates of a shorter time would miss scrapes. */
const shortestRateMs = 60_000
const quantiles = { p50: 0.5, p90: 0.9, p95: 0.95, p99: 0.99 } as const

/** By the start of a point, milliseconds since the Unix epoch. */
type Values = ReadonlyMap<number, number>

export class PrometheusHistory {
  readonly #deps: PrometheusHistoryDeps
  #asked = 0

  constructor(deps: PrometheusHistoryDeps) {
    this.#deps = deps
  }

  /** Those points of which something is known; counts are what rates make them. Throws an Error that is fit to be shown. */
  async points(query: HistoryQuery): Promise<TrafficPoint[]> {
    if (this.#asked >= mostAsked) throw new Error('Prometheus is being asked for other charts: ask again')
    this.#asked++
    try {
      const ask = (expression: string): Promise<Values> => this.#ask(query, expression)
      const rate = this.#rateOf(query)
      const { requests: counted, requestDuration } = proxyMetrics
      const faults = [...grpcFaults].join('|')
      const buckets = `sum by (le) (${rate(`${requestDuration.name}_bucket`)})`
      const [requests, failed, p50, p90, p95, p99] = (await Promise.all([
        ask(`sum(${rate(counted.name)})`),
        ask(
          `sum(${rate(counted.name, 'code=~"0|5.."')} or ${rate(counted.name, `code!~"0|5..",grpc_status=~"${faults}"`)})`,
        ),
        ...Object.values(quantiles).map((quantile) => ask(`histogram_quantile(${quantile}, ${buckets})`)),
      ])) as [Values, Values, Values, Values, Values, Values]
      const count = (values: Values, startMs: number): number =>
        Math.round(((values.get(startMs) ?? 0) * query.stepMs) / 1_000)
      return [...requests.keys()].map((startMs) => {
        const [at50, at90, at95, at99] = [p50, p90, p95, p99].map(
          (values) => (values.get(startMs) ?? Number.NaN) * 1_000,
        )
        const durationMs = { p50: at50 as number, p90: at90 as number, p95: at95 as number, p99: at99 as number }
        return {
          startMs,
          requests: count(requests, startMs),
          failed: count(failed, startMs),
          // nothing has taken any time where nothing happened
          ...(Number.isFinite(durationMs.p50 + durationMs.p90 + durationMs.p95 + durationMs.p99) && { durationMs }),
        }
      })
    } finally {
      this.#asked--
    }
  }

  /** A request counts where it leaves; where it arrives, only when its caller has no proxy. */
  #rateOf({ stepMs, service, workload }: HistoryQuery): (name: string, matcher?: string) => string {
    const range = `[${Math.ceil(Math.max(stepMs, shortestRateMs) / 1_000)}s]`
    const matchers = [
      ...(service === undefined ? [] : [`destination_service=${JSON.stringify(service)}`]),
      ...(workload === undefined ? [] : [`destination_workload=${JSON.stringify(workload)}`]),
    ]
    return (name, matcher) => {
      const of = (reporter: string): string =>
        `rate(${name}{${[reporter, ...matchers, ...(matcher === undefined ? [] : [matcher])].join(',')}}${range})`
      return `(${of('reporter!="destination"')} or ${of(`reporter="destination",source_principal="${unknownLabel}"`)})`
    }
  }

  /** What is so at the end of a point is of that point. */
  async #ask({ fromMs, toMs, stepMs }: HistoryQuery, expression: string): Promise<Values> {
    const { url, fetch } = this.#deps
    const body = new URLSearchParams({
      query: expression,
      start: String((fromMs + stepMs) / 1_000),
      end: String(toMs / 1_000),
      step: String(stepMs / 1_000),
      timeout: `${timeoutMs}ms`,
    })
    let answer: unknown
    try {
      const target = `${url.replace(/\/$/, '')}/api/v1/query_range`
      const response = await fetch(target, {
        method: 'POST',
        body,
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      })
      answer = JSON.parse(await textOf(response))
    } catch (error) {
      const reason = error instanceof SyntaxError ? 'what it answers is no JSON' : causeOf(error)
      throw new Error(`Prometheus cannot be asked: ${reason}`, { cause: error })
    }
    return valuesOf(answer, stepMs)
  }
}

async function textOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > mostAnswerBytes) throw new Error(`its answer is larger than ${mostAnswerBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function causeOf(error: unknown): string {
  if (error instanceof DOMException && error.name === 'TimeoutError') return `no answer within ${timeoutMs / 1_000} s`
  return error instanceof Error && error.cause !== undefined ? errorMessage(error.cause) : errorMessage(error)
}

interface RangeAnswer {
  readonly status?: unknown
  readonly error?: unknown
  readonly data?: { readonly result?: readonly { readonly values?: readonly (readonly [number, string])[] }[] }
}

/** Throws an Error where the server has refused, or says something else than series. */
function valuesOf(answer: unknown, stepMs: number): Values {
  const { status, error, data } = (answer ?? {}) as RangeAnswer
  if (status !== 'success')
    throw new Error(`Prometheus refuses: ${typeof error === 'string' ? error : 'what it answers is no query result'}`)
  const values = data?.result?.[0]?.values ?? []
  return new Map(values.map(([seconds, value]) => [Math.round(seconds * 1_000) - stepMs, Number(value)]))
}
