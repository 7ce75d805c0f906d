// The processes of a benchmark: started on one core, what they cost, what they weigh.
import { type ChildProcess, spawn } from 'node:child_process'
import { openSync, readdirSync, readFileSync } from 'node:fs'

import { isListening } from '../test/kit/free-ports.ts'

/** The proxies have one core, load and back end the other: what is measured is the proxy alone. */
export const proxyCore = 0
export const loadCore = 1

export interface Started {
  readonly pid: number
  stop(): Promise<void>
}

export interface StartOptions {
  readonly core: number
  readonly command: string
  readonly args: readonly string[]
  readonly logFile: string
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

const running = new Set<ChildProcess>()

/** An interrupted benchmark leaves nothing behind: `heddle up` stops what it started. */
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    for (const child of running) child.kill('SIGTERM')
    process.exit(130)
  })

/** A process that stays; it ends with `stop`, and with the benchmark. */
export function start(options: StartOptions): Started {
  const log = openSync(options.logFile, 'a')
  const child = spawn('taskset', ['-c', `${options.core}`, options.command, ...options.args], {
    stdio: ['ignore', log, log],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
  running.add(child)
  const exited = new Promise<void>((resolve) =>
    child.once('exit', () => {
      running.delete(child)
      resolve()
    }),
  )
  return { pid: child.pid as number, stop: () => end(child, exited) }
}

async function end(child: ChildProcess, exited: Promise<void>): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await exited
  clearTimeout(late)
}

/** Runs a program of the load on its core and returns what it printed; `spoke` is called with its first words. */
export function run(
  command: string,
  args: readonly string[],
  withinMs: number,
  spoke: () => void = () => {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('taskset', ['-c', `${loadCore}`, command, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.once('data', spoke)
    let output = ''
    let complaint = ''
    child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()))
    child.stderr.on('data', (bytes: Buffer) => (complaint += bytes.toString()))
    const late = setTimeout(() => child.kill('SIGKILL'), withinMs)
    child.once('error', reject)
    child.once('close', (code) => {
      clearTimeout(late)
      if (code === 0) resolve(output)
      else reject(new Error(`${command} ended with ${code}: ${complaint.trim().slice(-300)}`))
    })
  })
}

export async function untilListening(port: number, process: Started, logFile: string): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (await isListening(port)) return
    if (!isAlive(process.pid)) break
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`nothing listens at ${port}: ${readFileSync(logFile, 'utf8').trim().slice(-300)}`)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** The process and all below it. */
export function processTree(pid: number): number[] {
  const children = new Map<number, number[]>()
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const parent = parentOf(Number(entry))
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(entry)])
  }
  const found: number[] = []
  for (const waiting = [pid]; waiting.length > 0;) {
    const next = waiting.pop() as number
    found.push(next)
    waiting.push(...(children.get(next) ?? []))
  }
  return found
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return undefined // ended meanwhile
  }
}

/** Of all threads, in nanosecond resolution; `utime` counts ticks of 10 ms. */
export function cpuSeconds(pids: readonly number[]): number {
  let total = 0
  for (const pid of pids)
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      try {
        total += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0])
      } catch {
        // the thread has ended
      }
    }
  return total / 1e9
}

/** Resident memory. Pages that several of the processes share are counted once for each. */
export function residentKib(pids: readonly number[]): number {
  let total = 0
  for (const pid of pids)
    total += Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  return total
}
