// A report as a picture: one panel for each measure over time, one line for each run.
import type { IntervalReport, RunReport, SimulationReport } from './simulation-report.ts'

const width = 960
const panelHeight = 150
const left = 70
const right = 20
const top = 70
const gap = 50
const plotWidth = width - left - right
/** Told apart on light and dark ground, and by those who do not see all colours. */
const colors = ['#0072b2', '#d55e00', '#009e73', '#cc79a7']

interface Panel {
  readonly title: string
  readonly value: (interval: IntervalReport) => number
  readonly format: (value: number) => string
}

export function drawSvg(report: SimulationReport): string {
  const intervalSeconds = report.durationMs / 1_000 / (report.runs[0]?.series.length ?? 1)
  const panels: readonly Panel[] = [
    { title: '99th percentile', value: ({ p99Ms = 0 }) => p99Ms, format: (value) => `${short(value)} ms` },
    { title: 'failed per second', value: ({ failed }) => failed / intervalSeconds, format: short },
    { title: 'attempts per second', value: ({ attempts }) => attempts / intervalSeconds, format: short },
  ]
  const height = top + panels.length * (panelHeight + gap)
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    text(left, 24, `${report.scenario}, seed ${report.seed}`, 'font-size="16" font-weight="bold"'),
    ...report.runs.map((run, index) => legend(run, index)),
    ...panels.flatMap((panel, index) => drawPanel(panel, top + index * (panelHeight + gap), report)),
    '</svg>',
  ]
  return `${parts.join('\n')}\n`
}

function legend(run: RunReport, index: number): string {
  const x = left + index * 220
  const figures = `${run.name}: ${run.successRatePercent} %`
  return `<rect x="${x}" y="38" width="12" height="12" fill="${colorOf(index)}"/>${text(x + 18, 48, figures)}`
}

function drawPanel({ title, value, format }: Panel, y: number, report: SimulationReport): string[] {
  const most = Math.max(...report.runs.flatMap(({ series }) => series.map(value)))
  const scale = most === 0 ? 0 : panelHeight / most
  const bottom = y + panelHeight
  const at = (ms: number): number => left + (plotWidth * ms) / report.durationMs
  const lines = report.runs.map(({ series }, index) => {
    const points = series.map((interval, i) => {
      const x = left + (plotWidth * (i + 0.5)) / series.length
      return `${fixed(x)},${fixed(bottom - value(interval) * scale)}`
    })
    return `<polyline fill="none" stroke="${colorOf(index)}" stroke-width="1.5" points="${points.join(' ')}"/>`
  })
  const events = report.events.flatMap(({ atMs, forMs, what }, index) => {
    const end = forMs === undefined ? report.durationMs : Math.min(report.durationMs, atMs + forMs)
    const shade = `<rect x="${fixed(at(atMs))}" y="${y}" width="${fixed(at(end) - at(atMs))}" height="${panelHeight}" fill="#999999" fill-opacity="0.15"><title>${escaped(what)}</title></rect>`
    return y === top ? [shade, text(at(atMs) + 3, y + 12 + 12 * index, what, 'fill="#555555" font-size="10"')] : [shade]
  })
  return [
    ...events,
    `<path d="M${left} ${y}V${bottom}H${width - right}" fill="none" stroke="#888888"/>`,
    text(left, y - 6, title, 'font-weight="bold"'),
    text(left - 6, y + 10, format(most), 'text-anchor="end"'),
    text(left - 6, bottom, '0', 'text-anchor="end"'),
    text(width - right, bottom + 14, `${short(report.durationMs / 1_000)} s`, 'text-anchor="end"'),
    ...lines,
  ]
}

function colorOf(index: number): string {
  return colors[index % colors.length] as string
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${fixed(x)}" y="${fixed(y)}" ${attributes}>${escaped(content)}</text>`
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

function fixed(value: number): string {
  return String(Math.round(value * 10) / 10)
}

function short(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Math.round(value * 10) / 10)
}
