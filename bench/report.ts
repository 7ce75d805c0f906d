// Rows of a run: medians with their spread, ratios to each peer, and the goals; as JSON and as tables for people.
import { cpus } from 'node:os'

import { goals } from './goals.ts'
import type { Sample } from './works.ts'

export interface Value {
  readonly median: number
  readonly min: number
  readonly max: number
}

export interface Row {
  readonly work: string
  readonly metric: string
  readonly heddle: Value | null
  /** Heddle set up differently: `heddle-http1` has HTTP/1.1 pools between the hops, `heddle-authz` a thousand authorization rules, `heddle-tracing` spans, `heddle-telemetry-off` tells nothing of requests, others a policy. */
  readonly variants?: Readonly<Record<string, Value>>
  readonly peers: Readonly<Record<string, Value>>
  /** Heddle's median through the peer's. */
  readonly ratio: Readonly<Record<string, number>>
  /** Who did not serve, and why. */
  readonly missing?: Readonly<Record<string, string>>
}

export interface Report {
  readonly machine: string
  readonly node: string
  readonly rows: readonly Row[]
}

export function machine(): string {
  const all = cpus()
  return `${all[0]?.model.trim() ?? 'unknown'}, ${all.length} cores, ${process.platform} ${process.arch}`
}

export interface Measured {
  readonly work: string
  readonly samples: ReadonlyMap<string, readonly Sample[]>
  readonly missing: ReadonlyMap<string, string>
}

/** Counts of what went wrong: nothing to make a ratio of. */
const counters: ReadonlySet<string> = new Set(['errors', 'stalled'])

export function rowsOf({ work, samples, missing }: Measured): Row[] {
  const metrics = new Set([...samples.values()].flat().flatMap((sample) => Object.keys(sample)))
  // Nobody served it: one row says why.
  if (metrics.size === 0) metrics.add('errors')
  return [...metrics].map((metric) => {
    const values = new Map<string, Value>()
    for (const [name, list] of samples) {
      const numbers = list.flatMap((sample) => sample[metric] ?? [])
      if (numbers.length > 0) values.set(name, valueOf(numbers))
    }
    const heddle = values.get('heddle') ?? null
    const variants = [...values].filter(([name]) => name.startsWith('heddle-'))
    const peers = [...values].filter(([name]) => !name.startsWith('heddle'))
    return {
      work,
      metric,
      heddle,
      ...(variants.length === 0 ? {} : { variants: Object.fromEntries(variants) }),
      peers: Object.fromEntries(peers),
      ratio:
        heddle === null || counters.has(metric)
          ? {}
          : Object.fromEntries(peers.flatMap(([name, value]) => ratioEntry(name, heddle, value))),
      ...(missing.size === 0 ? {} : { missing: Object.fromEntries(missing) }),
    }
  })
}

function ratioEntry(name: string, heddle: Value, peer: Value): [string, number][] {
  return peer.median > 0 ? [[name, heddle.median / peer.median]] : []
}

function valueOf(numbers: readonly number[]): Value {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const median = ((sorted[Math.ceil(middle) - 1] as number) + (sorted[Math.floor(middle)] as number)) / 2
  return { median, min: sorted[0] as number, max: sorted.at(-1) as number }
}

export interface Judged {
  readonly metric: string
  readonly against: string
  readonly ratio: number
  readonly goal: string
  readonly reached: boolean
}

/** What the goals say about the rows of one work. */
export function judge(rows: readonly Row[]): Judged[] {
  return goals.flatMap((goal) => {
    const row = rows.find((one) => one.work === goal.work && one.metric === goal.metric)
    const heddle = goal.variant === undefined ? row?.heddle : row?.variants?.[goal.variant]
    if (row === undefined || heddle === null || heddle === undefined) return []
    const { peer = '' } = goal
    const against = peer === 'heddle' ? (row.heddle ?? undefined) : (row.peers[peer] ?? row.variants?.[peer])
    if (goal.peer !== undefined && against === undefined) return []
    const ratio = against === undefined ? heddle.median : heddle.median / against.median
    const sign = goal.atLeast === undefined ? '≤' : '≥'
    const bound = (goal.atLeast ?? goal.atMost) as number
    return {
      metric: goal.metric,
      against: `${goal.variant ?? 'heddle'}${goal.peer === undefined ? '' : ` / ${goal.peer}`}`,
      ratio,
      goal: `${sign} ${bound}${goal.peer === undefined ? '' : '×'}`,
      reached: goal.atLeast === undefined ? ratio <= bound : ratio >= bound,
    }
  })
}

export function table(rows: readonly Row[], shown = { goals: true }): string {
  const names = [
    ...new Set(
      rows.flatMap((row) => [
        ...(row.heddle === null ? [] : ['heddle']),
        ...Object.keys(row.variants ?? {}),
        ...Object.keys(row.peers),
      ]),
    ),
  ]
  const lines: string[] = []
  if (names.length > 0) {
    lines.push(
      ...aligned([
        ['', ...rows.map((row) => row.metric)],
        ...names.map((name) => [
          name,
          ...rows.map((row) => {
            const variant = row.variants?.[name]
            const value = name === 'heddle' ? row.heddle : (variant ?? row.peers[name])
            const ratio = variant === undefined ? row.ratio[name] : throughHeddle(row, variant)
            return `${amount(value?.median)}${ratio === undefined ? '' : ` (${ratio.toFixed(2)})`}`
          }),
        ]),
      ]),
    )
  }
  for (const [name, reason] of Object.entries(rows[0]?.missing ?? {})) lines.push(`${name}: not served: ${reason}`)
  for (const { metric, against, ratio, goal, reached } of shown.goals ? judge(rows) : [])
    lines.push(`${reached ? 'reached ' : 'MISSED  '} ${metric} ${against} ${amount(ratio)} (goal ${goal})`)
  return lines.map((line) => `  ${line}`).join('\n')
}

/** What being set up differently makes of a figure. */
function throughHeddle({ heddle, metric }: Row, variant: Value): number | undefined {
  return heddle === null || heddle.median === 0 || counters.has(metric) ? undefined : variant.median / heddle.median
}

function aligned(cells: readonly (readonly string[])[]): string[] {
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  return cells.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  '),
  )
}

export function amount(value: number | undefined): string {
  if (value === undefined) return '-'
  if (value >= 1_000) return Math.round(value).toString()
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : Number(value.toFixed(2)).toString()
}
