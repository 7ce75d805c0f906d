// `heddle events`: what happened in the mesh, and where what changed is written.
import type { MeshEvent, MeshEventKind } from '../../contracts/mesh-event.ts'
import type { DocumentPlace } from '../../contracts/read-api.ts'
import { errorMessage } from '../../core/errors.ts'
import type { ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { formatTime } from '../format.ts'
import { untilInterrupted } from '../interrupt.ts'
import type { ControlPlaneClient } from '../mesh/control-plane-client.ts'
import { connect } from '../mesh/running-mesh.ts'
import type { Output, TableView } from '../output.ts'
import { pause } from '../traffic/live-picture.ts'
import { placeText } from '../traffic/traffic-view.ts'

export interface EventsOptions extends MeshOptions {
  readonly namespace?: string
  readonly kind?: MeshEventKind
  readonly severity?: MeshEvent['severity']
  /** Milliseconds; absent: as far back as is known. */
  readonly window?: number
  readonly ago: number
  readonly most: number
  readonly watch: boolean
}

const severities: readonly MeshEvent['severity'][] = ['info', 'warning', 'error']
/** As many as the control plane remembers. */
const mostKnown = 5_000
const intervalMs = 1_000
const dayMs = 86_400_000

export async function events(context: CliContext, name: string | undefined, options: EventsOptions): Promise<ExitCode> {
  const { host } = context
  const client = connect(context, options)
  const { window: windowMs, ago: agoMs } = options
  try {
    const all = await client.events({ ...(windowMs !== undefined && { windowMs }), agoMs, most: mostKnown })
    const wanted = name === undefined ? undefined : await wantedIds(client, name, options.namespace)
    const shown = all.filter((event) => fits(event, wanted, options)).slice(-options.most)
    const places = await placesOf(client)
    if (options.watch) await follow(context, client, wanted, options, { shown, last: all.at(-1) })
    else
      await context.output.answer(options.output, { events: shown }, () =>
        eventTable(shown, places, host.clock.nowMs()),
      )
  } finally {
    client.close()
  }
  return 0
}

async function placesOf(client: ControlPlaneClient): Promise<ReadonlyMap<string, DocumentPlace>> {
  const { documents } = await client.configuration()
  return new Map(documents.map((place) => [place.id, place]))
}

type IsWanted = (id: string) => boolean

/** What has that name; of a Service also what is behind it, and the documents that name it. */
async function wantedIds(client: ControlPlaneClient, name: string, namespace = 'default'): Promise<IsWanted> {
  const slash = name.indexOf('/')
  const [of, called] = slash < 0 ? [namespace, name] : [name.slice(0, slash), name.slice(slash + 1)]
  const service = called.includes('/') ? undefined : await client.service(of, called)
  const related = new Set([
    ...(service?.policies.map(({ id }) => id) ?? []),
    ...(service?.workloads.map((workload) => `Workload/${workload.namespace}/${workload.name}`) ?? []),
  ])
  // "name", "namespace/name" or "Kind/namespace/name"
  return (id) => related.has(id) || `/${id}`.endsWith(`/${name}`)
}

function fits(event: MeshEvent, isWanted: IsWanted | undefined, { namespace, kind, severity }: EventsOptions): boolean {
  const ids = idsOf(event)
  return (
    (kind === undefined || event.kind === kind) &&
    (severity === undefined || severities.indexOf(event.severity) >= severities.indexOf(severity)) &&
    (namespace === undefined || ids.some((id) => id.split('/').length === 3 && id.split('/')[1] === namespace)) &&
    (isWanted === undefined || ids.some(isWanted))
  )
}

/** Of what it is about, and what it has changed. */
function idsOf({ subject, documents = [] }: MeshEvent): string[] {
  return subject === undefined ? [...documents] : [subject, ...documents]
}

function eventTable(all: readonly MeshEvent[], places: ReadonlyMap<string, DocumentPlace>, nowMs: number): TableView {
  const isToday = all.every(({ atMs }) => Math.floor(atMs / dayMs) === Math.floor(nowMs / dayMs))
  return {
    columns: [
      { header: 'TIME' },
      { header: 'KIND' },
      { header: 'SEVERITY', spare: 2 },
      { header: 'WHAT', wraps: true },
      { header: 'WRITTEN IN', spare: 1 },
    ],
    rows: all.map((event) => [
      isToday ? timeOf(event).slice('2000-01-01T'.length) : timeOf(event),
      event.kind,
      event.severity,
      textOf(event),
      event.documents === undefined ? '' : placeText(places.get(event.documents[0] ?? '')),
    ]),
    empty: 'no such event',
    styleCell: (text, row, column, colors) => {
      const severity = all[row]?.severity
      return column === 2 || (column === 1 && severity !== 'info') ? colorOf(severity, colors)(text) : text
    },
  }
}

/** Messages are told of their subject. */
function textOf({ subject, message }: MeshEvent): string {
  return subject === undefined || message.includes(subject) ? message : `${subject}: ${message}`
}

/** In seconds: the answer for machines has it exactly. */
function timeOf({ atMs }: MeshEvent): string {
  return formatTime(Math.floor(atMs / 1_000) * 1_000)
}

function colorOf(severity: MeshEvent['severity'] | undefined, colors: Output['colors']): (text: string) => string {
  if (severity === 'error') return colors.red
  return severity === 'warning' ? colors.yellow : colors.dim
}

/** Until Ctrl-C: those that are there, then each as it comes. */
async function follow(
  context: CliContext,
  client: ControlPlaneClient,
  isWanted: IsWanted | undefined,
  options: EventsOptions,
  start: { readonly shown: readonly MeshEvent[]; readonly last: MeshEvent | undefined },
): Promise<void> {
  const { output } = context
  const { signal, release } = untilInterrupted(context)
  const say = async (event: MeshEvent): Promise<void> => {
    if (options.output === 'table') output.line(eventLine(event, output))
    else await output.next(options.output, event)
  }
  for (const event of start.shown) await say(event)
  let [last, said] = [start.last, false]
  while (!signal.aborted) {
    await pause(context, intervalMs, signal)
    if (signal.aborted) break
    try {
      const found = await eventsAfter(client, last)
      said = false
      for (const event of found) if (fits(event, isWanted, options)) await say(event)
      last = found.at(-1) ?? last
    } catch (error) {
      if (!said) output.note(errorMessage(error))
      said = true
    }
  }
  release()
}

/** A control plane that has started anew counts from one again, and remembers some of what its predecessor said. */
async function eventsAfter(client: ControlPlaneClient, last: MeshEvent | undefined): Promise<readonly MeshEvent[]> {
  const found = await client.events({ afterId: last?.id ?? 0, most: mostKnown })
  if (found.length > 0 || last === undefined) return found
  const [newest] = await client.events({ most: 1 })
  if (newest === undefined || newest.id >= last.id) return []
  return (await client.events({ most: mostKnown })).filter(({ atMs }) => atMs > last.atMs)
}

function eventLine(event: MeshEvent, output: Output): string {
  const { colors } = output
  return [
    colors.dim(timeOf(event)),
    event.kind.padEnd(13),
    colorOf(event.severity, colors)(event.severity.padEnd(7)),
    output.text(textOf(event)),
  ].join(' ')
}
