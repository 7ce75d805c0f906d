// What a verb answers: once, or with `--watch` again and again. A control plane that is away for a while is told, and what it said last stays.
import { errorMessage } from '../../core/errors.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { untilInterrupted } from '../interrupt.ts'
import type { TableView } from '../output.ts'
import { LivePicture, pause } from './live-picture.ts'

export interface WatchOptions extends Pick<MeshOptions, 'output'> {
  /** Until Ctrl-C. */
  readonly watch: boolean
}

export interface Answer<T> {
  readonly ask: () => Promise<T>
  readonly forMachines: (answer: T) => unknown
  readonly forPeople: (answer: T) => TableView
  /** What a picture is of: "the last 1m". */
  readonly title?: (answer: T) => string
}

const intervalMs = 1_000

/** The last one. Rejects when there is not even a first one. */
export async function giveAnswer<T>(context: CliContext, options: WatchOptions, answer: Answer<T>): Promise<T> {
  const first = await answer.ask()
  if (options.watch) return watch(context, options, answer, first)
  await context.output.answer(options.output, answer.forMachines(first), () => answer.forPeople(first))
  return first
}

async function watch<T>(context: CliContext, options: WatchOptions, answer: Answer<T>, first: T): Promise<T> {
  const { output } = context
  const { colors } = output
  const { signal, release } = untilInterrupted(context)
  const picture = options.output === 'table' ? new LivePicture(context, { onOwnScreen: false }) : undefined
  let shown = first
  let trouble: string | undefined
  while (!signal.aborted) {
    if (picture !== undefined) {
      const title = answer.title === undefined ? '' : `${answer.title(shown)}; `
      const head = [
        colors.dim(`${title}Ctrl-C ends it`),
        ...(trouble === undefined ? [] : [colors.red(output.text(trouble))]),
      ]
      picture.draw(`${head.join('\n')}\n${output.renderTable(answer.forPeople(shown))}`)
    } else if (options.output !== 'table' && trouble === undefined)
      await output.next(options.output, answer.forMachines(shown))
    await pause(context, intervalMs, signal)
    if (signal.aborted) break
    try {
      shown = await answer.ask()
      trouble = undefined
    } catch (error) {
      if (picture === undefined && trouble === undefined) output.note(errorMessage(error))
      trouble = errorMessage(error)
    }
  }
  picture?.close()
  release()
  return shown
}
