// Runs stages one after the other, all of them whatever fails; the last line is `N passed, N failed[, N skipped]` of what really ran.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'

import { processTree } from '../test/kit/process-tree.ts'

/** A stage that takes longer hangs. */
const limitMs = (process.env['HEDDLE_LONG'] === undefined ? 20 : 60) * 60_000

export interface Stage {
  readonly name: string
  readonly command: readonly string[]
  /** Its last line is `N passed, N failed[, N skipped]`; otherwise the stage is one test. */
  readonly counts: boolean
}

interface Count {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** Prints `notes` just before the last line. Sets the exit code: 1 when anything failed, or nothing ran where something should have. */
export async function runStages(stages: readonly Stage[], notes: readonly string[] = []): Promise<void> {
  const counts: Count[] = []
  for (const stage of stages) {
    const startMs = performance.now()
    console.log(`\n== ${stage.name}`)
    const count = await run(stage)
    counts.push(count)
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
    console.log(`== ${stage.name}: ${count.failed === 0 ? 'ok' : 'FAILED'} in ${seconds} s`)
  }
  const sum = (key: keyof Count): number => counts.reduce((total, count) => total + count[key], 0)
  const skipped = sum('skipped')
  for (const note of notes) console.log(`\n!! ${note}`)
  console.log(`\n${sum('passed')} passed, ${sum('failed')} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
  process.exitCode = sum('failed') === 0 ? 0 : 1
}

async function run({ command, counts }: Stage): Promise<Count> {
  const [file = '', ...args] = command
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let tail = ''
  child.stdout.on('data', (bytes: Buffer) => {
    process.stdout.write(bytes)
    tail = (tail + bytes.toString()).slice(-200)
  })
  const timer = setTimeout(() => void giveUp(child, command), limitMs)
  const ok = await new Promise<boolean>((done) => {
    child
      .on('close', (code) => done(code === 0))
      .on('error', (error) => {
        console.error(`${file}: ${error.message}`)
        done(false)
      })
  })
  clearTimeout(timer)
  if (!counts) return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 }
  const [, passed = 0, failed = 0, skipped = 0] = (
    /(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\n?$/.exec(tail) ?? []
  ).map((one) => Number(one ?? 0))
  // a stage that broke without counting, or counted nothing, is a failure
  const broke = failed === 0 && (!ok || passed === 0)
  return { passed, failed: broke ? 1 : failed, skipped }
}

async function giveUp(
  { pid = 0, stdout }: ChildProcessByStdio<null, Readable, null>,
  command: readonly string[],
): Promise<void> {
  console.error(`\nnot ended within ${limitMs / 60_000} minutes: ${command.join(' ')}`)
  for (const one of [{ pid, command }, ...(await processTree(pid))]) {
    console.error(`  killed: ${one.pid} ${one.command.join(' ').slice(0, 200)}`)
    process.kill(one.pid, 'SIGKILL')
  }
  // whoever is left may hold its other end
  stdout.destroy()
}
