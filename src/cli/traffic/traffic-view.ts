// The ways to look at traffic: what requests are summed by, and the columns that show it. One table for `stat`, `edges`, `routes` and `top`.
import { basename } from 'node:path'

import type { DocumentPlace, TrafficKey, TrafficSum, TrafficSums } from '../../contracts/read-api.ts'
import { formatLatency } from '../format.ts'
import type { Colors, Output, TableView } from '../output.ts'
import { sparkline } from '../sparkline.ts'
import type { TableColumn } from '../table.ts'
import { isCalled, partyNames, partyOfHost, partyOfNode, partyOfWorkload, type Party } from './party-names.ts'

export interface TrafficView {
  readonly by: readonly TrafficKey[]
  /** What the answer calls the sums. */
  readonly named: 'edges' | 'routes'
  readonly columns: readonly TrafficColumn[]
}

/** A sum, and what can be said from it. */
export interface ShownSum extends TrafficSum {
  readonly requestsPerSecond: number
  /** 0 to 1; absent without a request. */
  readonly success?: number
}

export interface ShownTraffic {
  readonly atMs: number
  readonly windowMs: number
  readonly sums: readonly ShownSum[]
}

interface TrafficColumn extends TableColumn {
  readonly text: (sum: ShownSum, name: (party: Party) => string, output: Output) => string
  /** Colours it; undefined: as it is. */
  readonly style?: (text: string, sum: ShownSum, output: Output) => string | undefined
}

/** Shown as one sparkline. */
export const historyParts = 20

export function shownTraffic({ atMs, windowMs, sums }: TrafficSums): ShownTraffic {
  return {
    atMs,
    windowMs,
    sums: sums.map((sum) => ({
      ...sum,
      requestsPerSecond: (sum.requests * 1_000) / windowMs,
      ...(sum.requests > 0 && { success: (sum.requests - sum.failed) / sum.requests }),
    })),
  }
}

export interface TrafficFilter {
  readonly name?: string
  readonly namespace?: string
}

/** Those in which one of the parties is the one that is asked for. */
export function filterTraffic(sums: readonly ShownSum[], { name, namespace }: TrafficFilter): readonly ShownSum[] {
  return sums.filter((sum) => {
    const parties = partiesOf(sum)
    return (
      (name === undefined || parties.some((party) => isCalled(party, name))) &&
      (namespace === undefined || parties.some((party) => party.namespace === namespace))
    )
  })
}

function partiesOf({ from, to, source, service, workload }: ShownSum): Party[] {
  return [
    ...(from === undefined ? [] : [partyOfNode(from)]),
    ...(to === undefined ? [] : [partyOfNode(to)]),
    ...(source === undefined ? [] : [partyOfWorkload(source)]),
    ...(service === undefined ? [] : [partyOfHost(service)]),
    ...(workload === undefined ? [] : [partyOfWorkload(workload)]),
  ]
}

export function trafficTable(view: TrafficView, sums: readonly ShownSum[], output: Output): TableView {
  const name = partyNames(sums.flatMap(partiesOf))
  return {
    columns: view.columns,
    rows: sums.map((sum) => view.columns.map(({ text }) => text(sum, name, output))),
    empty: 'no request in that time',
    styleCell: (text, row, column) => {
      return view.columns[column]?.style?.(text, sums[row] as ShownSum, output) ?? text
    },
  }
}

const from: TrafficColumn = { header: 'FROM', text: (sum, name) => name(partyOfNode(sum.from ?? '')) }
const to: TrafficColumn = { header: 'TO', text: (sum, name) => name(partyOfNode(sum.to ?? '')) }
const source: TrafficColumn = { header: 'FROM', text: (sum, name) => name(partyOfWorkload(sum.source ?? '')) }
const service: TrafficColumn = { header: 'SERVICE', text: (sum, name) => name(partyOfHost(sum.service ?? '')) }
const workload: TrafficColumn = {
  header: 'WORKLOAD',
  text: ({ workload: answered = '' }, name) => (answered === '' ? '-' : name(partyOfWorkload(answered))),
}
const route: TrafficColumn = { header: 'ROUTE', text: ({ route: called = '' }) => (called === '' ? '-' : called) }
const writtenIn: TrafficColumn = { header: 'WRITTEN IN', spare: 1, text: ({ document }) => placeText(document) }
const rate: TrafficColumn = {
  header: 'RATE',
  align: 'right',
  text: ({ requestsPerSecond }) => `${requestsPerSecond.toFixed(1)}/s`,
}
const success: TrafficColumn = {
  header: 'SUCCESS',
  align: 'right',
  text: ({ success: share }) => (share === undefined ? '-' : `${successPercent(share)}%`),
  style: (text, sum, { colors }) => colored(sum, colors)?.(text),
}
const p50: TrafficColumn = {
  header: 'P50',
  align: 'right',
  spare: 2,
  text: ({ durationMs }) => formatLatency(durationMs?.p50),
}
const p99: TrafficColumn = { header: 'P99', align: 'right', text: ({ durationMs }) => formatLatency(durationMs?.p99) }
const mtls: TrafficColumn = {
  header: 'MTLS',
  spare: 1,
  text: ({ mtls: share }) => share,
  style: (text, { mtls: share }, { colors }) =>
    share === 'some' || share === 'none' ? colors.yellow(text) : undefined,
}
const health: TrafficColumn = {
  header: 'HEALTH',
  text: (sum) => sum.health,
  style: (text, sum, { colors }) => colored(sum, colors)?.(text) ?? colors.green(text),
}
const codes: TrafficColumn = { header: 'CODES', spare: 2, text: (sum) => codesText(sum.codes) }
const trend: TrafficColumn = {
  header: 'TREND',
  spare: 5,
  text: ({ history }, _, { isUnicode }) =>
    history === undefined ? '' : sparkline(history.requests, Math.max(...history.requests), isUnicode),
  // red where requests failed
  style: (text, { history }, { colors }) =>
    text
      .split('')
      .map((bar, part) => ((history?.failed[part] ?? 0) > 0 ? colors.red(bar) : colors.cyan(bar)))
      .join(''),
}

export const trafficViews: Readonly<Record<'stat' | 'edges' | 'routes' | 'top', TrafficView>> = {
  /** By the workloads at both ends. */
  stat: {
    by: ['source', 'service', 'workload'],
    named: 'edges',
    columns: [source, service, workload, rate, success, p50, p99, trend],
  },
  /** By nodes of the topology. */
  edges: { by: ['from', 'to'], named: 'edges', columns: [from, to, rate, success, p50, p99, mtls, health, trend] },
  routes: {
    by: ['to', 'route'],
    named: 'routes',
    columns: [{ ...to, header: 'SERVICE' }, route, rate, success, { ...p99, spare: 3 }, codes, trend, writtenIn],
  },
  top: {
    by: ['from', 'to', 'route'],
    named: 'routes',
    columns: [from, to, route, rate, success, p50, p99, { ...codes, spare: 4 }, { ...trend, spare: 5 }],
  },
}

export type SortKey = 'rate' | 'errors' | 'p99'

const weights: Readonly<Record<SortKey, (sum: ShownSum) => number>> = {
  rate: ({ requestsPerSecond }) => requestsPerSecond,
  errors: ({ failed }) => failed,
  p99: ({ durationMs }) => durationMs?.p99 ?? 0,
}

/** The greatest first. */
export function sortTraffic(sums: readonly ShownSum[], key: SortKey): readonly ShownSum[] {
  return sums.toSorted((a, b) => weights[key](b) - weights[key](a) || compareNames(a, b))
}

export function sortByName(sums: readonly ShownSum[]): readonly ShownSum[] {
  return sums.toSorted(compareNames)
}

function compareNames(a: ShownSum, b: ShownSum): number {
  const [left, right] = [namesOf(a), namesOf(b)]
  if (left === right) return 0
  return left < right ? -1 : 1
}

function namesOf(sum: ShownSum): string {
  return [sum.from, sum.to, sum.source, sum.service, sum.workload, sum.route].join('\n')
}

/** Never "100.0" where one has failed. */
function successPercent(share: number): string {
  return (Math.floor(share * 1_000) / 10).toFixed(1)
}

/** "200: 97, 503: 3", the most first. */
function codesText(all: Readonly<Record<string, number>>): string {
  return Object.entries(all)
    .toSorted(([, a], [, b]) => b - a)
    .map(([code, count]) => `${code}: ${count}`)
    .join(', ')
}

/** "routes.yaml:12": the whole path is in the answer for machines. */
export function placeText(place: DocumentPlace | undefined): string {
  if (place === undefined) return '-'
  if (place.file === undefined) return 'applied'
  return `${basename(place.file)}${place.line === undefined ? '' : `:${place.line}`}`
}

function colored({ health: how }: ShownSum, colors: Colors): ((text: string) => string) | undefined {
  if (how === 'failing') return colors.red
  return how === 'degraded' ? colors.yellow : undefined
}
