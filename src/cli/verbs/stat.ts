// `heddle stat`: rate, success and latency of every edge, from the callers' own counters.
import type { ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { untilInterrupted } from '../interrupt.ts'
import { openMesh } from '../mesh/running-mesh.ts'
import { EdgeWatch, edgeTable, pause } from '../stat/edge-watch.ts'

export interface StatOptions extends MeshOptions {
  readonly watch: boolean
  /** Seconds. */
  readonly window: number
}

export async function stat(context: CliContext, options: StatOptions): Promise<ExitCode> {
  const { signal, release } = untilInterrupted(context)
  const edges = new EdgeWatch(context, () => openMesh(context, options))
  const intervalMs = options.window * 1000
  try {
    if (options.watch && options.output === 'table') await edges.show(signal, { intervalMs, head: () => '' })
    else {
      await edges.look()
      do {
        await pause(context, intervalMs, signal)
        const now = await edges.look()
        await context.output.answer(options.output, { edges: now }, () => edgeTable(now))
      } while (options.watch && !signal.aborted)
    }
  } finally {
    edges.close()
    release()
  }
  return 0
}
