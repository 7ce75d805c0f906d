// A simulation in a thread of its own. Requests live long enough there to outgrow the room that a process has for what is short-lived; a thread may
// have more, which spares a quarter of the time.
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'

import type { SourceFile } from '../../control/sources/source.ts'
import type { RunReport } from '../../insight/simulate/simulation-report.ts'

export interface AsideRun {
  readonly name: string
  /** Both without errors, and with one scenario. */
  readonly mesh: readonly SourceFile[]
  readonly scenario: readonly SourceFile[]
  readonly seed: number
}

export type AsideMessage = { readonly elapsedMs: number } | { readonly report: RunReport }

const maxYoungGenerationSizeMb = 192
/** In dist/ the program is compiled. */
const program = new URL(`./simulation-worker${extname(import.meta.filename)}`, import.meta.url)

/** `progressed` hears now and then how far it is, in milliseconds of the scenario. */
export function simulateAside(run: AsideRun, progressed?: (elapsedMs: number) => void): Promise<RunReport> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(program, { workerData: run, resourceLimits: { maxYoungGenerationSizeMb } })
    worker.on('message', (message: AsideMessage) => {
      if ('report' in message) resolve(message.report)
      else progressed?.(message.elapsedMs)
    })
    worker.once('error', reject)
    worker.once('exit', () => reject(new Error('the simulation ended without a report')))
  })
}
