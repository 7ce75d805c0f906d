// One golden signal over time, with a line where something happened.
import { useEffect, useRef } from 'react'
import uPlot from 'uplot'

import 'uplot/dist/uPlot.min.css'

import type { MeshEvent } from '../../../src/contracts/mesh-event.ts'
import { href } from '../route.ts'

export interface Curve {
  readonly label: string
  /** Name of a colour of the theme: "ok". */
  readonly colour: string
  readonly values: readonly (number | null)[]
  readonly filled?: boolean
}

export interface SignalChartProps {
  readonly title: string
  /** Seconds since the Unix epoch. */
  readonly times: readonly number[]
  readonly curves: readonly Curve[]
  readonly format: (value: number) => string
  readonly events: readonly MeshEvent[]
  /** Upper end of the scale where it is always the same. */
  readonly most?: number
}

const height = 170
/** Of the scale; service.css leaves as much room, and `rightMargin`, beside the timeline. */
const axisWidth = 64
const rightMargin = 16
const mostMarks = 40

export function SignalChart({ title, times, curves, format, events, most }: SignalChartProps) {
  const host = useRef<HTMLDivElement>(null)
  const legend = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const shownEvents = useRef(events)
  shownEvents.current = events
  const shape = curves.map(({ label, colour, filled }) => `${label} ${colour} ${filled}`).join()
  useEffect(() => {
    const element = host.current
    if (element === null) return undefined
    const colours = getComputedStyle(element)
    const colour = (name: string): string => colours.getPropertyValue(`--${name}`).trim()
    const axis = { stroke: colour('muted'), grid: { stroke: colour('grid'), width: 1 }, ticks: { show: false } }
    const made = new uPlot(
      {
        width: element.clientWidth,
        height,
        cursor: { points: { size: 6 }, drag: { x: false, y: false }, sync: { key: 'signals' } },
        legend: { live: true, mount: (_, table) => legend.current?.append(table) },
        padding: [null, rightMargin, null, null],
        scales: { y: { range: (_, _min, max) => [0, most ?? Math.max(max * 1.15, 0.001)] } },
        axes: [
          { ...axis, space: 52, size: 30, values: (_, values) => values.map(clock) },
          { ...axis, size: axisWidth, values: (_, values) => values.map(format) },
        ],
        series: [
          {},
          ...curves.map((curve) => ({
            label: curve.label,
            stroke: colour(curve.colour),
            width: 1.5,
            points: { show: false },
            value: (_: uPlot, value: number | null) => (value === null ? '–' : format(value)),
            ...(curve.filled === true && { fill: `color-mix(in srgb, ${colour(curve.colour)} 22%, transparent)` }),
          })),
        ],
        hooks: { draw: [(self) => drawEvents(self, shownEvents.current, colour)] },
      },
      [[...times], ...curves.map(({ values }) => [...values])] as uPlot.AlignedData,
      element,
    )
    plot.current = made
    const resized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }))
    resized.observe(element)
    const themed = new MutationObserver(() => made.redraw())
    themed.observe(document.documentElement, { attributes: true })
    return () => {
      resized.disconnect()
      themed.disconnect()
      made.destroy()
      legend.current?.replaceChildren()
    }
    // new figures are set below
  }, [shape])
  useEffect(() => {
    plot.current?.setData([[...times], ...curves.map(({ values }) => [...values])] as uPlot.AlignedData)
  }, [times, curves])
  const said = curves.map(({ label, values }) => {
    const last = values.findLast((value) => value !== null)
    return `${label}: ${last === undefined || last === null ? 'none' : format(last)}`
  })
  return (
    <figure className="chart" aria-label={`${title}, last values: ${said.join(', ')}`}>
      <figcaption>{title}</figcaption>
      <div ref={host} />
      <Timeline events={events} fromMs={(times[0] ?? 0) * 1000} toMs={(times.at(-1) ?? 0) * 1000} />
      <div ref={legend} className="legend" />
    </figure>
  )
}

interface TimelineProps {
  readonly events: readonly MeshEvent[]
  readonly fromMs: number
  readonly toMs: number
}

/** What happened when: below the curves, at the same places. */
function Timeline({ events, fromMs, toMs }: TimelineProps) {
  const shown = events.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs).slice(-mostMarks)
  return (
    <ol className="timeline" aria-label="What happened meanwhile">
      {shown.map(({ id, atMs, severity, message, revision, kind }) => {
        const text = `${new Date(atMs).toLocaleTimeString(undefined, { hour12: false })} ${message}`
        const before = kind === 'configuration' ? Number(revision) - 1 : 0
        const to = before > 0 ? href(['configuration', String(before), revision ?? '']) : href(['events'])
        return (
          <li key={id} className={severity} style={{ left: `${((atMs - fromMs) / (toMs - fromMs)) * 100}%` }}>
            <a href={to} title={text} aria-label={text} />
          </li>
        )
      })}
    </ol>
  )
}

/** "19:36", with seconds where they differ. */
function clock(seconds: number): string {
  const text = new Date(seconds * 1000).toLocaleTimeString(undefined, { hour12: false })
  return seconds % 60 === 0 ? text.slice(0, 5) : text
}

function drawEvents(plot: uPlot, events: readonly MeshEvent[], colour: (name: string) => string): void {
  const { ctx, bbox } = plot
  ctx.save()
  ctx.setLineDash([4, 4])
  for (const { atMs, severity } of events) {
    const x = Math.round(plot.valToPos(atMs / 1000, 'x', true))
    if (x < bbox.left || x > bbox.left + bbox.width) continue
    ctx.strokeStyle = colour({ info: 'accent', warning: 'warn', error: 'bad' }[severity])
    ctx.beginPath()
    ctx.moveTo(x, bbox.top)
    ctx.lineTo(x, bbox.top + bbox.height)
    ctx.stroke()
  }
  ctx.restore()
}
