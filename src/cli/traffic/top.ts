// `heddle top`: the busiest, worst or slowest routes of every edge, live; one table where nobody watches.
import { errorMessage } from '../../core/errors.ts'
import type { ExitCode } from '../cli-error.ts'
import type { CliContext } from '../context.ts'
import { formatAge } from '../format.ts'
import { untilInterrupted } from '../interrupt.ts'
import { connect } from '../mesh/running-mesh.ts'
import type { Output } from '../output.ts'
import { LivePicture, pause } from './live-picture.ts'
import { askTraffic, trafficAnswer, type TrafficOptions } from './show-traffic.ts'
import { sortTraffic, trafficTable, trafficViews } from './traffic-view.ts'
import type { ShownTraffic, SortKey } from './traffic-view.ts'

export interface TopOptions extends TrafficOptions {
  readonly sort: SortKey
}

const intervalMs = 1_000
const sortKeys: readonly SortKey[] = ['rate', 'errors', 'p99']
/** Ctrl-C is a key like any other where keys are heard at once. */
const quitting: readonly string[] = ['q', 'Q', '\u0003']
const view = trafficViews.top

export async function top(context: CliContext, name: string | undefined, options: TopOptions): Promise<ExitCode> {
  const { host, output } = context
  const client = connect(context, options)
  const ask = (): Promise<ShownTraffic> => askTraffic(client, view, name, options)
  try {
    const first = await ask()
    if (host.stdout.isTTY === true && options.output === 'table') await live(context, options.sort, first, ask)
    else {
      const shown = { ...first, sums: sortTraffic(first.sums, options.sort) }
      await output.answer(options.output, trafficAnswer(view, shown), () => trafficTable(view, shown.sums, output))
    }
  } finally {
    client.close()
  }
  return 0
}

/** Until somebody quits. A control plane that is away for a while is told, and what it said last stays. */
async function live(
  context: CliContext,
  firstSort: SortKey,
  first: ShownTraffic,
  ask: () => Promise<ShownTraffic>,
): Promise<void> {
  const interrupt = untilInterrupted(context)
  const quit = new AbortController()
  const signal = AbortSignal.any([interrupt.signal, quit.signal])
  const picture = new LivePicture(context, { onOwnScreen: true })
  let [shown, sort, trouble] = [first, firstSort, '']
  const draw = (): void => picture.draw(page(context.output, shown, sort, trouble))
  const release = context.host.onKey?.((key) => {
    if (quitting.includes(key)) quit.abort()
    const wanted = sortKeys.find((one) => one.startsWith(key.toLowerCase()))
    if (wanted === undefined) return
    sort = wanted
    draw()
  })
  try {
    draw()
    for (;;) {
      await pause(context, intervalMs, signal)
      if (signal.aborted) return
      try {
        shown = await ask()
        trouble = ''
      } catch (error) {
        trouble = errorMessage(error)
      }
      draw()
    }
  } finally {
    release?.()
    picture.close()
    interrupt.release()
  }
}

function page(output: Output, shown: ShownTraffic, sort: SortKey, trouble: string): string {
  const { colors } = output
  const keys = sortKeys.map((key) => (key === sort ? colors.bold(`[${key}]`) : ` ${key} `)).join('')
  const head = `${keys}  ${colors.dim(`the last ${formatAge(shown.windowMs)}; sort: r, e, p; quit: q`)}\n`
  const told = trouble === '' ? '' : `${colors.red(output.text(trouble))}\n`
  return `${head}${told}${output.renderTable(trafficTable(view, sortTraffic(shown.sums, sort), output))}`
}
