// One child process in a group of its own, started again with back-off whenever it ends before it is told to.
import { spawn, type ChildProcess, type SendHandle } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

import { backoffMs } from '../../core/backoff.ts'
import type { Timer } from '../../core/clock.ts'
import { errorCode, errorMessage } from '../../core/errors.ts'
import type { CliHost } from '../host.ts'
import type { ProcessGroups } from './process-groups.ts'

export interface ProcessSpec {
  readonly command: readonly string[]
  readonly workingDirectory: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Open a message channel to it. */
  readonly channel: boolean
}

export interface ProcessEvents {
  /** Before each start, the first included. A rejection counts as a start that failed. */
  prepare(): Promise<ProcessSpec>
  /** A line of its standard output or error. */
  line(text: string): void
  started?(pid: number): void
  message?(message: unknown, pid: number): void
  /** It ended (`reason` is for a person: "exited with status 1") and starts again in `restartInMs`. */
  ended(end: ProcessEnd): void
}

export interface ProcessEnd {
  /** Absent when it never ran. */
  readonly pid?: number
  readonly reason: string
  /** Absent when it never ran or a signal ended it. */
  readonly status?: number
  /** What `prepare` rejected with. */
  readonly cause?: unknown
  readonly restartInMs: number
}

const restartBackoff = { baseMs: 250, maxMs: 10_000 }
/** What a process has written last is read once it has ended. */
const lastLineMs = 1_000
/** Having run for so long, a process that ends starts again without delay. */
const stableAfterMs = 10_000

export class SupervisedProcess {
  readonly #host: CliHost
  readonly #groups: ProcessGroups
  readonly #events: ProcessEvents
  #child: ChildProcess | undefined
  #startedAtMs = 0
  #failures = 0
  #restart: Timer | undefined
  #stopping = false
  #whenEnded: (() => void)[] = []

  constructor(host: CliHost, groups: ProcessGroups, events: ProcessEvents) {
    this.#host = host
    this.#groups = groups
    this.#events = events
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  start(): void {
    void this.#start()
  }

  /** False when there is no process to hear it. `handle` is a socket that goes with it. */
  send(message: object, handle?: unknown): boolean {
    if (this.#child?.connected !== true) return false
    this.#child.send(message, handle as SendHandle | undefined, {}, () => {
      // it died meanwhile: 'exit' tells
    })
    return true
  }

  /** SIGTERM, and SIGKILL after `graceMs`; `farewell` is sent first when the process listens. It does not start again. */
  async stop(graceMs: number, farewell?: object): Promise<void> {
    this.#stopping = true
    this.#restart?.cancel()
    const pid = this.#child?.pid
    if (pid === undefined) return
    const ended = new Promise<void>((resolve) => this.#whenEnded.push(resolve))
    if (farewell === undefined || !this.send(farewell)) this.#host.kill(-pid, 'SIGTERM')
    const kill = this.#host.clock.setTimer(graceMs, () => this.#host.kill(-pid, 'SIGKILL'), true)
    await ended
    kill.cancel()
  }

  /** As it would end by itself: it starts again. */
  end(graceMs: number): void {
    const child = this.#child
    const pid = child?.pid
    if (pid === undefined) return
    this.#host.kill(-pid, 'SIGTERM')
    const kill = this.#host.clock.setTimer(graceMs, () => this.#host.kill(-pid, 'SIGKILL'), true)
    child?.once('exit', () => kill.cancel())
  }

  async #start(): Promise<void> {
    let spec: ProcessSpec
    this.#startedAtMs = this.#host.clock.monotonicMs()
    try {
      spec = await this.#events.prepare()
    } catch (error) {
      this.#ended(errorMessage(error), { cause: error })
      return
    }
    if (this.#stopping) return
    const [program, ...args] = spec.command
    if (program === undefined) return this.#ended('has an empty command')
    if (!existsSync(spec.workingDirectory)) return this.#ended(`its folder ${spec.workingDirectory} does not exist`)
    const child = spawn(program, args, {
      cwd: spec.workingDirectory,
      env: spec.env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', ...(spec.channel ? (['ipc'] as const) : [])],
    })
    this.#child = child
    if (child.pid !== undefined) {
      this.#groups.add(child.pid)
      this.#events.started?.(child.pid)
    }
    for (const stream of [child.stdout, child.stderr]) this.#readLines(stream)
    child.on('message', (message) => this.#events.message?.(message, child.pid as number))
    child.once('error', (error) => {
      // a kill that failed says so here too: only a process that never was has ended
      if (child.pid === undefined) this.#childEnded(child, describeSpawnError(program, error))
    })
    child.once('exit', (status, signal) => {
      const reason = signal === null ? `exited with status ${status}` : `was ended by ${signal}`
      // what it left behind would keep its ports
      this.#host.kill(-(child.pid as number), 'SIGKILL')
      this.#groups.remove(child.pid as number)
      this.#afterLastLine(child, () => this.#childEnded(child, reason, status))
    })
  }

  #readLines(stream: Readable | null): void {
    if (stream === null) return
    createInterface({ input: stream, crlfDelay: Infinity }).on('line', (line) => this.#events.line(line))
  }

  /** Of a child that has ended. What has left its group may hold the pipes open: nobody waits for that. */
  #afterLastLine(child: ChildProcess, ended: () => void): void {
    const timer = this.#host.clock.setTimer(lastLineMs, ended, true)
    child.once('close', () => {
      timer.cancel()
      ended()
    })
  }

  #childEnded(child: ChildProcess, reason: string, status?: number | null): void {
    if (this.#child !== child) return
    this.#child = undefined
    this.#ended(reason, {
      ...(typeof status === 'number' ? { status } : {}),
      ...(child.pid === undefined ? {} : { pid: child.pid }),
    })
  }

  #ended(reason: string, details: Pick<ProcessEnd, 'pid' | 'status' | 'cause'> = {}): void {
    const ranForMs = this.#host.clock.monotonicMs() - this.#startedAtMs
    this.#failures = ranForMs >= stableAfterMs ? 0 : this.#failures + 1
    const waiting = this.#whenEnded
    this.#whenEnded = []
    for (const resolve of waiting) resolve()
    if (this.#stopping) return
    const restartInMs = this.#failures === 0 ? 0 : backoffMs(restartBackoff, this.#failures - 1, this.#host.random)
    this.#restart = this.#host.clock.setTimer(restartInMs, () => this.start(), true)
    this.#events.ended({ reason, restartInMs, ...details })
  }
}

function describeSpawnError(program: string, error: Error): string {
  if (errorCode(error) === 'ENOENT') return `cannot start: there is no program ${program} on the PATH`
  if (errorCode(error) === 'EACCES') return `cannot start: ${program} is not executable`
  return `cannot start: ${error.message}`
}
