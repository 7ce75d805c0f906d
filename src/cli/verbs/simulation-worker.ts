// The thread of `simulateAside`: plays what it is given, tells how far it is, and ends with the report.
import { parentPort, workerData } from 'node:worker_threads'

import { readSimulation } from '../../insight/simulate/simulation-files.ts'
import { reportRun } from '../../insight/simulate/simulation-report.ts'
import { simulate } from '../../insight/simulate/simulation.ts'
import type { AsideMessage, AsideRun } from './simulate-aside.ts'

const { name, mesh, scenario: files, seed } = workerData as AsideRun
const tell = (message: AsideMessage): void => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage(message)
}
const { snapshot, scenarios } = readSimulation(mesh, files)
const [scenario] = scenarios
if (scenario === undefined) throw new Error('there is no scenario')
const progressed = (elapsedMs: number): void => tell({ elapsedMs })
tell({ report: reportRun(name, await simulate({ scenario, snapshot, seed, progressed }), scenario.spec.expect) })
