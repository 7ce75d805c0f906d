// `npm run bench:start`: how long `heddle up` takes with 20 workloads, and what the shared proxy then weighs.
import { readFile } from 'node:fs/promises'

import { markedMesh } from '../../test/kit/marked-mesh.ts'
import { startMesh } from '../../test/kit/running-mesh.ts'

const workloads = 20
const goals = { readyMs: 5_000, proxyMiB: 150 }

const file = await markedMesh({ replicas: workloads - 1 })
const startedMs = performance.now()
const mesh = await startMesh({ files: [file], readyWithinMs: 60_000 })
const readyMs = performance.now() - startedMs
const proxyMiB = await proxyMemory(mesh.pid)
await mesh.stop()
console.log(`${workloads} workloads ready after ${Math.round(readyMs)} ms (goal: below ${goals.readyMs} ms)`)
console.log(`shared proxy: ${proxyMiB.toFixed(1)} MiB resident (goal: below ${goals.proxyMiB} MiB)`)
process.exitCode = readyMs < goals.readyMs && proxyMiB < goals.proxyMiB ? 0 : 1

async function proxyMemory(supervisor: number): Promise<number> {
  const children = (await readFile(`/proc/${supervisor}/task/${supervisor}/children`, 'utf8'))
    .split(' ')
    .filter(Boolean)
  for (const pid of children) {
    if (!(await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').includes('proxy')) continue
    const status = await readFile(`/proc/${pid}/status`, 'utf8')
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024
  }
  throw new Error('no proxy process below the supervisor')
}
