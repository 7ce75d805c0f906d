// The hops of one request as a tree: which came from which, by their spans where they have some, else by whose they are and when they were.
import type { DecisionRecord } from '../contracts/decision-record.ts'
import type { RequestHop } from '../contracts/read-api.ts'
import { faultOf } from './request-fault.ts'

interface Parent {
  readonly hop: DecisionRecord
  readonly attempt?: number
}

/** Clocks of two processes may be so far apart. */
const slackMs = 20

/** Each behind the hop that it came from, and those by time. */
export function buildWaterfall(records: readonly DecisionRecord[]): RequestHop[] {
  const byTime = records.toSorted((a, b) => a.startMs - b.startMs)
  const parents = new Map<DecisionRecord, Parent>()
  const taken = new TakenAttempts()
  for (const hop of byTime) {
    const parent = parentBySpan(hop, byTime) ?? parentByTime(hop, byTime, taken)
    if (parent === undefined) continue
    parents.set(hop, parent)
    taken.add(parent)
  }
  const startMs = byTime[0]?.startMs ?? 0
  const waterfall: RequestHop[] = []
  const shown = new Set<DecisionRecord>()
  const show = (record: DecisionRecord, depth: number, parent?: number): void => {
    if (shown.has(record)) return
    shown.add(record)
    const attempt = parents.get(record)?.attempt
    const index = waterfall.length
    const hop: RequestHop = {
      depth,
      ...(parent !== undefined && { parent }),
      ...(parent !== undefined && attempt !== undefined && { attempt }),
      offsetMs: record.startMs - startMs,
      record,
    }
    waterfall.push(hop)
    for (const next of byTime) if (parents.get(next)?.hop === record) show(next, depth + 1, index)
    const isHandedOn = waterfall.slice(index + 1).some(({ fault }) => fault !== undefined)
    const fault = faultOf(record, isHandedOn)
    if (fault !== undefined) waterfall[index] = { ...hop, fault }
  }
  for (const record of byTime) if (!parents.has(record)) show(record, 0)
  // who says that it came from what came from it is shown all the same
  for (const record of byTime) show(record, 0)
  return waterfall
}

function parentBySpan({ trace }: DecisionRecord, hops: readonly DecisionRecord[]): Parent | undefined {
  const span = trace?.parentSpanId
  if (span === undefined) return undefined
  for (const hop of hops) {
    if (hop.trace === undefined || hop.trace === trace) continue
    const attempt = hop.attempts.findIndex(({ spanId }) => spanId === span)
    if (attempt >= 0) return { hop, attempt }
    if (hop.trace.spanId === span) return hop.attempts.length > 0 && sends(hop) ? { hop, attempt: 0 } : { hop }
  }
  return undefined
}

/** What a workload received comes from an attempt that somebody made at it; what it sent meanwhile, from what it was serving. */
function parentByTime(
  record: DecisionRecord,
  hops: readonly DecisionRecord[],
  taken: TakenAttempts,
): Parent | undefined {
  let best: Parent | undefined
  let bestMs = Infinity
  for (const hop of hops) {
    if (hop === record) continue
    for (const { attempt, startMs, endMs } of sends(record) ? servedBy(hop, record) : attemptsAt(hop, record)) {
      const parent = { hop, ...(attempt !== undefined && { attempt }) }
      const afterMs = record.startMs - startMs
      const fits = afterMs >= -slackMs && record.startMs <= endMs + slackMs && Math.abs(afterMs) < bestMs
      if (!fits || taken.has(parent)) continue
      best = parent
      bestMs = Math.abs(afterMs)
    }
  }
  return best
}

interface Period {
  readonly attempt?: number
  readonly startMs: number
  readonly endMs: number
}

function servedBy(hop: DecisionRecord, { proxy }: DecisionRecord): Period[] {
  if (sends(hop) || hop.proxy !== proxy) return []
  return [{ startMs: hop.startMs, endMs: hop.startMs + hop.durationMs }]
}

function attemptsAt(hop: DecisionRecord, { proxy, source, response }: DecisionRecord): Period[] {
  const another = source.principal !== undefined && source.principal !== hop.source.principal
  if (!sends(hop) || another) return []
  return hop.attempts.flatMap(({ workload, status, startMs: afterMs = 0, durationMs }, attempt) => {
    // two attempts may be closer together than clocks tell
    if (workload !== proxy || (status !== undefined && status !== response.status)) return []
    const startMs = hop.startMs + afterMs
    return [{ attempt, startMs, endMs: startMs + durationMs }]
  })
}

function sends({ reporter }: DecisionRecord): boolean {
  return reporter !== 'destination'
}

/** One attempt brings its endpoint one request. */
class TakenAttempts {
  readonly #taken = new Map<DecisionRecord, Set<number>>()

  add({ hop, attempt }: Parent): void {
    if (attempt !== undefined) this.#taken.set(hop, (this.#taken.get(hop) ?? new Set()).add(attempt))
  }

  has({ hop, attempt }: Parent): boolean {
    return attempt !== undefined && this.#taken.get(hop)?.has(attempt) === true
  }
}
