// What `stat`, `edges` and `routes` do: ask the control plane for sums of traffic, once or again and again, and show them.
import type { ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { formatAge } from '../format.ts'
import type { ControlPlaneClient } from '../mesh/control-plane-client.ts'
import { connect } from '../mesh/running-mesh.ts'
import { filterTraffic, historyParts, shownTraffic, sortByName, trafficTable, trafficViews } from './traffic-view.ts'
import type { ShownTraffic, TrafficView } from './traffic-view.ts'
import { giveAnswer, type WatchOptions } from './watched-answer.ts'

export interface TrafficOptions extends MeshOptions {
  readonly namespace?: string
  /** Milliseconds. */
  readonly window: number
  readonly ago: number
}

export async function showTraffic(
  context: CliContext,
  viewName: 'stat' | 'edges' | 'routes',
  name: string | undefined,
  options: TrafficOptions & WatchOptions,
): Promise<ExitCode> {
  const view = trafficViews[viewName]
  const client = connect(context, options)
  try {
    await giveAnswer(context, options, {
      ask: () => askTraffic(client, view, name, options),
      forMachines: (shown) => trafficAnswer(view, shown),
      forPeople: ({ sums }) => trafficTable(view, sums, context.output),
      title: ({ windowMs }) => `the last ${formatAge(windowMs)}`,
    })
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
