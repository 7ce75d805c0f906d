// What `stat`, `edges` and `routes` do: ask the control plane for sums of traffic, once or again and again, and show them.
import { errorMessage } from '../../core/errors.ts'
import type { ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { formatAge } from '../format.ts'
import { untilInterrupted } from '../interrupt.ts'
import type { ControlPlaneClient } from '../mesh/control-plane-client.ts'
import { connect } from '../mesh/running-mesh.ts'
import { LivePicture, pause } from './live-picture.ts'
import { filterTraffic, historyParts, shownTraffic, sortByName, trafficTable, trafficViews } from './traffic-view.ts'
import type { ShownTraffic, TrafficView } from './traffic-view.ts'

export interface TrafficOptions extends MeshOptions {
  readonly namespace?: string
  /** Milliseconds. */
  readonly window: number
  readonly ago: number
}

export interface WatchedTrafficOptions extends TrafficOptions {
  readonly watch: boolean
}

const intervalMs = 1_000

export async function showTraffic(
  context: CliContext,
  viewName: 'stat' | 'edges' | 'routes',
  name: string | undefined,
  options: WatchedTrafficOptions,
): Promise<ExitCode> {
  const view = trafficViews[viewName]
  const client = connect(context, options)
  try {
    if (options.watch) await watchTraffic(context, client, view, name, options)
    else {
      const shown = await askTraffic(client, view, name, options)
      await context.output.answer(options.output, trafficAnswer(view, shown), () =>
        trafficTable(view, shown.sums, context.output),
      )
    }
  } finally {
    client.close()
  }
  return 0
}

/** Sorted by name. */
export async function askTraffic(
  client: Pick<ControlPlaneClient, 'traffic'>,
  { by }: TrafficView,
  name: string | undefined,
  { namespace, window: windowMs, ago: agoMs }: Pick<TrafficOptions, 'namespace' | 'window' | 'ago'>,
): Promise<ShownTraffic> {
  const shown = shownTraffic(await client.traffic({ by, windowMs, agoMs, parts: historyParts }))
  const wanted = { ...(name !== undefined && { name }), ...(namespace !== undefined && { namespace }) }
  return { ...shown, sums: sortByName(filterTraffic(shown.sums, wanted)) }
}

export function trafficAnswer({ named }: TrafficView, { atMs, windowMs, sums }: ShownTraffic): object {
  return { atMs, windowMs, [named]: sums }
}

/** Until Ctrl-C. A control plane that is away for a while is told, and what it said last stays. */
async function watchTraffic(
  context: CliContext,
  client: ControlPlaneClient,
  view: TrafficView,
  name: string | undefined,
  options: TrafficOptions,
): Promise<void> {
  const { output } = context
  const { signal, release } = untilInterrupted(context)
  let shown = await askTraffic(client, view, name, options)
  const picture = options.output === 'table' ? new LivePicture(context, { onOwnScreen: false }) : undefined
  let trouble: string | undefined
  while (!signal.aborted) {
    const { colors } = output
    if (picture !== undefined) {
      const head = [
        colors.dim(`the last ${formatAge(shown.windowMs)}; Ctrl-C ends it`),
        ...(trouble === undefined ? [] : [colors.red(output.text(trouble))]),
      ]
      picture.draw(`${head.join('\n')}\n${output.renderTable(trafficTable(view, shown.sums, output))}`)
    } else if (options.output !== 'table' && trouble === undefined)
      await output.next(options.output, trafficAnswer(view, shown))
    await pause(context, intervalMs, signal)
    if (signal.aborted) break
    try {
      shown = await askTraffic(client, view, name, options)
      trouble = undefined
    } catch (error) {
      if (picture === undefined && trouble === undefined) output.note(errorMessage(error))
      trouble = errorMessage(error)
    }
  }
  picture?.close()
  release()
}
