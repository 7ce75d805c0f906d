// A simulation's report for a terminal: a table of the runs, what they were like over time, and what became of the troubles.
import type { IntervalReport, RunReport, SimulationReport } from '../../insight/simulate/simulation-report.ts'
import { formatAge, formatLatency } from '../format.ts'
import type { Output } from '../output.ts'
import { sparkline } from '../sparkline.ts'

/** Where the output is no terminal. */
const defaultWidth = 100

/** `width`: characters per line; undefined: nobody knows. */
export function drawSimulation(report: SimulationReport, output: Output, width: number = defaultWidth): string {
  const { bold, dim } = output.colors
  const names = Math.max(...report.runs.map(({ name }) => name.length))
  return [
    `${bold(report.scenario)} ${dim(`seed ${report.seed}, ${formatAge(report.durationMs)}`)}\n\n`,
    drawRuns(report, output, width),
    ...measures.map((measure) => drawMeasure(measure, report, { names, width, dim })),
    drawEvents(report, { names, width, dim }),
    drawSpread(report, output),
    drawCalls(report, output),
    drawFaults(report, output),
    drawFailures(report, output),
    drawExpectations(report, output),
  ].join('')
}

interface Figure {
  readonly header: string
  readonly of: (run: RunReport) => string
  /** Also where there is little room. */
  readonly always?: true
}

const figures: readonly Figure[] = [
  { header: 'REQUESTS', of: ({ requests }) => String(requests) },
  { header: 'SUCCESS', of: ({ successRatePercent }) => `${successRatePercent} %`, always: true },
  { header: 'MEAN', of: ({ latencyMs }) => formatLatency(latencyMs?.mean) },
  { header: 'P50', of: ({ latencyMs }) => formatLatency(latencyMs?.p50), always: true },
  { header: 'P90', of: ({ latencyMs }) => formatLatency(latencyMs?.p90) },
  { header: 'P99', of: ({ latencyMs }) => formatLatency(latencyMs?.p99), always: true },
  { header: 'P99.9', of: ({ latencyMs }) => formatLatency(latencyMs?.p999) },
  { header: 'ATTEMPTS/REQUEST', of: ({ retryAmplification }) => retryAmplification.toFixed(3), always: true },
]
const roomForAll = 88

function drawRuns({ runs }: SimulationReport, output: Output, width: number): string {
  const shown = width >= roomForAll ? figures : figures.filter(({ always }) => always)
  return output.renderTable({
    columns: [{ header: 'RUN' }, ...shown.map(({ header }) => ({ header, align: 'right' as const }))],
    rows: runs.map((run) => [run.name, ...shown.map((figure) => figure.of(run))]),
    empty: 'no run',
  })
}

interface Measure {
  readonly title: string
  readonly value: (interval: IntervalReport) => number
  readonly format: (most: number) => string
}

const measures: readonly Measure[] = [
  { title: '99th percentile over time', value: ({ p99Ms = 0 }) => p99Ms, format: formatLatency },
  {
    title: 'failed over time',
    value: ({ failed, requests }) => (requests === 0 ? 0 : Math.min(100, (100 * failed) / requests)),
    format: (most) => `${most.toFixed(1)} %`,
  },
]

interface Layout {
  /** Length of the longest. */
  readonly names: number
  readonly width: number
  readonly dim: (text: string) => string
}

function drawMeasure({ title, value, format }: Measure, { runs }: SimulationReport, layout: Layout): string {
  const most = Math.max(...runs.flatMap(({ series }) => series.map(value)))
  if (most === 0) return ''
  const lines = runs.map(({ name, series }) => {
    const columns = columnsOf(series.map(value), layout)
    return `${name.padEnd(layout.names)}  ${sparkline(columns, most)}\n`
  })
  return `\n${title} ${layout.dim(`(█ ${format(most)})`)}\n${lines.join('')}`
}

/** As many as fit, each the most of those that it stands for. */
function columnsOf(values: readonly number[], { names, width }: Layout): readonly number[] {
  const room = Math.max(10, width - names - 2)
  const each = Math.ceil(values.length / room)
  return Array.from({ length: Math.ceil(values.length / each) }, (_, i) =>
    Math.max(...values.slice(i * each, (i + 1) * each)),
  )
}

function drawEvents({ events, runs, durationMs }: SimulationReport, layout: Layout): string {
  const columns = columnsOf(runs[0]?.series.map(() => 0) ?? [], layout).length
  const at = (ms: number): number => Math.min(columns - 1, Math.floor((ms / durationMs) * columns))
  return events
    .map(({ atMs, forMs, what }) => {
      const from = at(atMs)
      const to = forMs === undefined ? columns - 1 : Math.max(from, at(atMs + forMs - 1))
      const bar = `${' '.repeat(layout.names + 2 + from)}${'─'.repeat(to - from + 1)}`
      const label = `${' '.repeat(layout.names + 2)}${what}, at ${formatAge(atMs)}`
      return `${layout.dim(bar)}\n${layout.dim(label.slice(0, layout.width))}\n`
    })
    .join('')
}

function drawSpread({ runs }: SimulationReport, output: Output): string {
  const rows = runs.flatMap(({ name, applications }) =>
    applications.map((one) => [
      name,
      one.workload,
      String(one.instances),
      `${one.least} / ${Math.round(one.mean)} / ${one.most}`,
      one.variation.toFixed(3),
      Object.entries(one.zones)
        .map(([zone, percent]) => `${zone} ${percent} %`)
        .join(', '),
    ]),
  )
  const headers = ['RUN', 'APPLICATION', 'INSTANCES', 'LEAST/MEAN/MOST', 'VARIATION', 'ZONES']
  return `\n${output.renderTable({ columns: headers.map((header) => ({ header })), rows, empty: '' })}`
}

function drawCalls({ runs }: SimulationReport, output: Output): string {
  const rows = runs.flatMap(({ name, calls = [] }) =>
    calls.map((one) => [
      name,
      one.workload,
      one.service,
      String(one.calls),
      `${one.successRatePercent} %`,
      one.retryAmplification.toFixed(3),
    ]),
  )
  if (rows.length === 0) return ''
  const headers = ['RUN', 'APPLICATION', 'CALLS', 'TIMES', 'SUCCESS', 'ATTEMPTS/CALL']
  return `\n${output.renderTable({ columns: headers.map((header) => ({ header })), rows, empty: '' })}`
}

function drawFaults({ runs }: SimulationReport, output: Output): string {
  const rows = runs.flatMap(({ name, faults }) =>
    faults.map((one) => [name, one.what, String(one.ejections), age(one.timeToEjectMs), age(one.timeToRecoverMs)]),
  )
  if (rows.length === 0) return ''
  const headers = ['RUN', 'TROUBLE', 'EJECTIONS', 'TIME TO EJECT', 'TIME TO RECOVER']
  return `\n${output.renderTable({ columns: headers.map((header) => ({ header })), rows, empty: '' })}`
}

function age(ms: number | undefined): string {
  return ms === undefined ? '-' : formatAge(ms)
}

function drawFailures({ runs }: SimulationReport, output: Output): string {
  const rows = runs.flatMap(({ name, failures }) =>
    Object.entries(failures).map(([seen, count]) => [name, seen, String(count)]),
  )
  if (rows.length === 0) return ''
  const headers = ['RUN', 'CALLERS SAW', 'COUNT']
  return `\n${output.renderTable({ columns: headers.map((header) => ({ header })), rows, empty: '' })}`
}

function drawExpectations({ runs }: SimulationReport, output: Output): string {
  const [first] = runs as [RunReport]
  if (first.expectations.length === 0) return ''
  const rows = first.expectations.map(({ what, wanted, found, met }) => [what, wanted, found, met ? 'yes' : 'no'])
  const headers = ['EXPECTED', 'WANTED', 'FOUND', 'MET']
  return `\n${output.renderTable({ columns: headers.map((header) => ({ header })), rows, empty: '' })}`
}
