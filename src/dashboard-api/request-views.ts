// What the read API says of requests that proxies have told of: a list to choose from, and one with all its hops.
import type { DecisionRecord, ResponseFlag } from '../contracts/decision-record.ts'
import type { RequestHop, RequestList, RequestSummary, RequestView } from '../contracts/read-api.ts'
import { serviceHost } from '../contracts/xds/names.ts'
import type { KeptRequest, KeptRequests } from '../control/telemetry/kept-requests.ts'
import { buildWaterfall } from './waterfall.ts'

/** All of it must be true of one hop. */
export interface RequestFilter {
  /** "namespace/name". */
  readonly service?: string | undefined
  /** "namespace/name"; at either end. */
  readonly workload?: string | undefined
  /** "503", or a class: "5xx". */
  readonly status?: string | undefined
  readonly flag?: ResponseFlag | undefined
  readonly minDurationMs?: number | undefined
  /** Milliseconds since the Unix epoch. */
  readonly sinceMs?: number | undefined
}

export function listRequests(kept: KeptRequests, filter: RequestFilter, most: number): RequestList {
  const [namespace = '', name = ''] = filter.service?.split('/') ?? []
  const host = filter.service === undefined ? undefined : serviceHost(name, namespace)
  const found: KeptRequest[] = []
  for (const request of kept.list()) {
    if (found.length === most) break
    if (request.records.some((record) => fits(record, filter, host))) found.push(request)
  }
  const summaries = found.map((request) => summaryOf(request, buildWaterfall(request.records)))
  return { requests: summaries.toSorted((a, b) => b.startMs - a.startMs) }
}

/** From all places that may know a part of it. Undefined: it is not known, or not any more. */
export function viewRequest(known: readonly KeptRequests[], id: string): RequestView | undefined {
  const found = known.flatMap((kept) => kept.find(id) ?? [])
  const [request] = found
  if (request === undefined) return undefined
  const hops = new Map(found.flatMap(({ records: some }) => some.map((record) => [hopOf(record), record])))
  const records = [...hops.values()]
  const waterfall = buildWaterfall(records)
  return {
    ...summaryOf(request, waterfall),
    requestIds: distinct(records.map(({ request: { headers } }) => headers['x-request-id'])),
    traceIds: distinct(records.map(({ trace }) => trace?.traceId)),
    waterfall,
  }
}

function hopOf({ proxy, reporter, id, startMs }: DecisionRecord): string {
  return `${proxy} ${reporter} ${id} ${startMs}`
}

function summaryOf({ id }: KeptRequest, waterfall: readonly RequestHop[]): RequestSummary {
  const [outermost] = waterfall as [RequestHop, ...RequestHop[]]
  const { request, response, source, destination, startMs } = outermost.record
  const { grpcStatus } = response
  const fault = innermostFault(waterfall)
  return {
    id,
    startMs,
    durationMs: Math.max(...waterfall.map(({ record }) => record.startMs + record.durationMs)) - startMs,
    source: source.workload ?? source.principal ?? source.address ?? '',
    service: destination.service ?? '',
    method: request.method,
    authority: request.authority,
    path: request.path,
    status: response.status,
    ...(grpcStatus !== undefined && { grpcStatus }),
    flags: distinct(waterfall.flatMap(({ record }) => record.response.flags)),
    hops: waterfall.length,
    ...(fault !== undefined && { fault }),
  }
}

/** What goes wrong at one hop is handed on to those before it. */
function innermostFault(waterfall: readonly RequestHop[]): RequestHop['fault'] {
  let deepest: RequestHop | undefined
  for (const hop of waterfall) if (hop.fault !== undefined && hop.depth > (deepest?.depth ?? -1)) deepest = hop
  return deepest?.fault
}

function fits(record: DecisionRecord, filter: RequestFilter, host: string | undefined): boolean {
  const { source, destination, response, durationMs, startMs } = record
  const { workload, status, flag, minDurationMs = 0, sinceMs = 0 } = filter
  return (
    (host === undefined || destination.service === host) &&
    (workload === undefined || source.workload === workload || destination.workload === workload) &&
    (status === undefined || statusFits(response.status, status)) &&
    (flag === undefined || response.flags.includes(flag)) &&
    durationMs >= minDurationMs &&
    startMs >= sinceMs
  )
}

function statusFits(status: number, asked: string): boolean {
  return asked.endsWith('xx') ? Math.trunc(status / 100) === Number(asked[0]) : status === Number(asked)
}

function distinct<T>(values: readonly (T | undefined)[]): T[] {
  return [...new Set(values.filter((value) => value !== undefined))]
}
