// Runs one TypeScript filter on one exchange as a proxy does, without a mesh: published as "heddle/filter-kit", for an author's own tests.
import type { Filter, FilterContext, MetadataValue } from '../contracts/filter.ts'
import type { FilteredBody, FilterRefusal } from '../contracts/http-filter.ts'
import type { RequestHead, ResponseHead } from '../contracts/http-message.ts'
import { systemClock } from '../core/clock.ts'
import { DeadlineList } from '../core/deadline-list.ts'
import { errorMessage } from '../core/errors.ts'
import { HeaderList } from '../core/header-list.ts'
import { silentLogger } from '../core/logger.ts'
import { systemStopwatch } from '../core/stopwatch.ts'
import { FilterPass } from '../policies/typescript-filter/filter-pass.runtime.ts'
import { RunningFilter } from '../policies/typescript-filter/running-filter.runtime.ts'

export interface TriedRequest {
  readonly method?: string
  readonly authority?: string
  /** With query. */
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

export interface TriedResponse {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

export interface FilterTrial<Config> {
  /** For a filter that is a function of it. */
  readonly config?: Config
  readonly request?: TriedRequest
  /** What the destination answers. Default: 200 without a body. */
  readonly response?: TriedResponse | ((request: SeenRequest) => TriedResponse)
  readonly caller?: Partial<FilterContext['caller']>
  readonly claims?: FilterContext['claims']
  /** As in the document. Absent: a call that fails rejects the trial. */
  readonly onError?: 'Continue' | 'Refuse'
  /** Default: 1 second. */
  readonly timeBudgetMs?: number
  /** Default: 65,536. */
  readonly maxBodyBytes?: number
}

export interface SeenRequest {
  readonly method: string
  readonly authority: string
  readonly path: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface FilterTrialResult {
  /** As the destination sees it; undefined: the filter answered. */
  readonly request: SeenRequest | undefined
  /** As the caller sees it. */
  readonly response: {
    readonly status: number
    readonly headers: Readonly<Record<string, string>>
    readonly body: string
  }
  readonly metadata: Readonly<Record<string, MetadataValue>>
  /** What it counted: "event" or "event value" and how often. */
  readonly events: Readonly<Record<string, number>>
  readonly observations: Readonly<Record<string, readonly number[]>>
}

/** Rejects with what went wrong in the filter, unless `onError` says what to do then. */
export async function tryFilter<Config>(
  filter: Filter<Config>,
  trial: FilterTrial<Config> = {},
): Promise<FilterTrialResult> {
  const events: Record<string, number> = {}
  const observations: Record<string, number[]> = {}
  const running = runningFilter(filter, trial, events, observations)
  const { caller = {}, claims } = trial
  const pass = new FilterPass({ caller: { principal: undefined, address: '127.0.0.1', ...caller }, claims })
  const outcome = await exchange(running, pass, trial)
  return { ...outcome, metadata: { ...pass.metadata }, events, observations }
}

function runningFilter<Config>(
  filter: Filter<Config>,
  { config, onError, timeBudgetMs = 1000, maxBodyBytes = 65_536 }: FilterTrial<Config>,
  events: Record<string, number>,
  observations: Record<string, number[]>,
): RunningFilter {
  const handlers = typeof filter === 'function' ? filter((config ?? {}) as Config) : filter
  const spec = {
    name: 'Filter/default/tried',
    source: { document: 'Filter/default/tried' },
    code: '',
    sha256: '',
    config: {},
    timeBudgetMs,
    onError: onError ?? 'Refuse',
    maxBodyBytes,
  } as const
  const deadlines = new DeadlineList(systemClock)
  return new RunningFilter(spec, handlers, {
    clock: systemClock,
    stopwatch: systemStopwatch,
    deadlines,
    logger: silentLogger,
    meter: {
      called() {},
      bypassed() {},
      failed(phase, failure, error) {
        if (onError !== undefined || failure === 'late') return
        const why = error === undefined ? '' : `: ${errorMessage(error)}`
        throw new Error(`the filter failed (${failure}) in its call for the ${phase.replace('_', ' ')}${why}`, {
          cause: error,
        })
      },
      event(event, value) {
        const key = value === '' ? event : `${event} ${value}`
        events[key] = (events[key] ?? 0) + 1
      },
      observed(name, value) {
        ;(observations[name] ??= []).push(value)
      },
    },
  })
}

type Outcome = Pick<FilterTrialResult, 'request' | 'response'>

async function exchange<Config>(
  running: RunningFilter,
  pass: FilterPass,
  { request = {}, response = {} }: FilterTrial<Config>,
): Promise<Outcome> {
  const head: RequestHead = {
    method: request.method ?? 'GET',
    scheme: 'http',
    authority: request.authority ?? 'service',
    path: request.path ?? '/',
    headers: HeaderList.of(...Object.entries(request.headers ?? {})),
  }
  let bytes = bytesOf(request.body)
  const body: FilteredBody = {
    declaredBytes: bytes.length,
    gather: async (wanted) => ({ bytes: bytes.subarray(0, wanted), complete: bytes.length <= wanted }),
    replace: (replaced) => {
      bytes = replaced
    },
  }
  const refusal = await pass.passRequest(running, head, bytes.length === 0 ? undefined : body)
  if (refusal !== undefined) return { request: undefined, response: answered(refusal) }
  const { method, authority, path, headers } = head
  const seen = { method, authority, path, headers: record(headers), body: textOf(bytes) }
  const given = typeof response === 'function' ? response(seen) : response
  return { request: seen, response: await passResponse(pass, given) }
}

async function passResponse(pass: FilterPass, given: TriedResponse): Promise<FilterTrialResult['response']> {
  const headers = HeaderList.of(...Object.entries(given.headers ?? {}))
  const replaced = await pass.passHead({ status: given.status ?? 200, headers })
  if (replaced !== undefined) return answered(replaced)
  let bytes = bytesOf(given.body)
  if (bytes.length > pass.wantedBytes && pass.wantedBytes > 0) {
    const refusal = pass.bodyTooLarge()
    if (refusal !== undefined) return answered(refusal)
  } else if (bytes.length > 0 && pass.wantedBytes > 0) {
    const passed = await pass.passBody(bytes)
    if (!(passed instanceof Uint8Array)) return answered(passed)
    bytes = passed
  }
  const { status, headers: left } = pass.response as ResponseHead
  return { status, headers: record(left), body: textOf(bytes) }
}

function answered({ status, detail, headers = [], body }: FilterRefusal): FilterTrialResult['response'] {
  const lines: Record<string, string> = {}
  for (let i = 0; i < headers.length; i += 2) lines[(headers[i] as string).toLowerCase()] = headers[i + 1] as string
  return { status, headers: lines, body: body === undefined ? `${detail}\n` : textOf(body) }
}

function record(headers: HeaderList): Record<string, string> {
  return Object.fromEntries([...headers].map(([name]) => [name.toLowerCase(), headers.get(name) ?? '']))
}

function bytesOf(body: string | Uint8Array | undefined): Uint8Array {
  return typeof body === 'string' ? Buffer.from(body) : (body ?? new Uint8Array())
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString()
}
