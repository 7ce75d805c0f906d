// Lines appended to a file that never grows without end. A disk that is full or a folder that is gone costs lines, never the one who writes them.
import { constants } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'

import type { Clock, Timer } from './clock.ts'
import { errorMessage } from './errors.ts'
import { rotateNames } from './rotated-names.ts'

export interface LineFileRotation {
  /** A file that is as long makes place for a new one. */
  readonly longestBytes: number
  /** Besides the one that is written. */
  readonly keptFiles: number
}

export type LineResult = 'written' | 'failed' | 'overflow'
export type CountLines = (result: LineResult, lines: number) => void

export interface LineFileDeps {
  readonly clock: Clock
  /** Something is wrong with the file, for a person: once, until it is well again. */
  readonly tell: (problem: string) => void
}

/** Lines wait for so long, to go in one write. */
const delayMs = 100
/** UTF-16 units that wait at the most, while a write takes long. */
const mostWaiting = 1024 * 1024
/** What waits is written when it is as long. */
const enoughWaiting = 64 * 1024
/** A file that nobody writes to is closed. */
const idleMs = 10_000

/** A pipe would block whoever opens it. */
const appending = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK
const newLine = 0x0a

export class LineFile {
  readonly #path: string
  readonly #deps: LineFileDeps
  #rotation: LineFileRotation = { longestBytes: Infinity, keptFiles: 0 }
  #waiting = ''
  /** Of each line that waits. */
  #counters: CountLines[] = []
  #timer: Timer | undefined
  #idle: Timer | undefined
  #writing: Promise<void> | undefined
  #handle: FileHandle | undefined
  /** How long the file is unless others write to it as well. */
  #bytes = 0
  /** Its last line has no end. */
  #torn = false
  #shared = false
  #told = ''

  constructor(path: string, deps: LineFileDeps) {
    this.#path = path
    this.#deps = deps
  }

  /** Of one line, without its line break. `counted` hears later what became of it. */
  write(line: string, rotation: LineFileRotation, counted: CountLines): void {
    if (this.#waiting.length + line.length > mostWaiting) {
      counted('overflow', 1)
      return
    }
    this.#rotation = rotation
    this.#waiting += `${line}\n`
    this.#counters.push(counted)
    if (this.#writing === undefined) this.#schedule()
  }

  /** Writes what waits. */
  async close(): Promise<void> {
    while (this.#waiting !== '' || this.#writing !== undefined) {
      if (this.#writing === undefined) this.#begin()
      await this.#writing
    }
    this.#idle?.cancel()
    await this.#close()
  }

  #schedule(): void {
    if (this.#waiting.length >= enoughWaiting) this.#begin()
    else this.#timer ??= this.#deps.clock.setTimer(delayMs, () => this.#begin())
  }

  #begin(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#idle?.cancel()
    const text = this.#waiting
    const counters = this.#counters
    this.#waiting = ''
    this.#counters = []
    this.#writing = this.#append(Buffer.from(text), counters).finally(() => {
      this.#writing = undefined
      if (this.#waiting !== '') this.#schedule()
      else this.#idle = this.#deps.clock.setTimer(idleMs, () => void this.#close())
    })
  }

  async #append(text: Buffer, counters: readonly CountLines[]): Promise<void> {
    let done = 0
    try {
      const handle = await this.#ready()
      if (this.#torn) await handle.write('\n')
      this.#torn = false
      while (done < text.length) done += (await handle.write(text, done)).bytesWritten
      this.#bytes += done
      this.#told = ''
      count('written', counters)
    } catch (error) {
      const whole = done === 0 ? 0 : text.lastIndexOf(newLine, done - 1) + 1
      const lines = text.subarray(0, whole).filter((byte) => byte === newLine).length
      count('written', counters.slice(0, lines))
      count('failed', counters.slice(lines))
      this.#tell(errorMessage(error))
      if (done > whole) await this.#cut(done, whole)
      await this.#close()
    }
  }

  /** Of what was written last, the end is no whole line: it goes, unless others have written behind it. */
  async #cut(done: number, whole: number): Promise<void> {
    try {
      const size = (await this.#handle?.stat())?.size
      this.#torn = size !== this.#bytes + done
      if (!this.#torn) await this.#handle?.truncate(this.#bytes + whole)
    } catch {
      this.#torn = true
    }
  }

  /** The file of that name, open, with place in it. */
  async #ready(): Promise<FileHandle> {
    let handle = (await this.#isStillThere()) ? this.#handle : undefined
    handle ??= await this.#open()
    if (this.#bytes < this.#rotation.longestBytes) return handle
    await this.#close()
    rotateNames(this.#path, this.#rotation.keptFiles)
    this.#torn = false
    return this.#open()
  }

  /** Others may have rotated it, or taken it away. */
  async #isStillThere(): Promise<boolean> {
    if (this.#handle === undefined) return false
    const own = await this.#handle.stat()
    const there = await stat(this.#path).catch(() => undefined)
    if (there === undefined || there.ino !== own.ino || there.dev !== own.dev) {
      this.#torn = false
      await this.#close()
      return false
    }
    if (own.size > this.#bytes && !this.#shared) {
      this.#shared = true
      this.#deps.tell('others write to it as well: it is rotated by whoever finds it full')
    }
    this.#bytes = own.size
    return true
  }

  async #open(): Promise<FileHandle> {
    const handle = await open(this.#path, appending, 0o600)
    this.#handle = handle
    const opened = await handle.stat()
    if (!opened.isFile()) throw new Error('it is no regular file')
    this.#bytes = opened.size
    return handle
  }

  async #close(): Promise<void> {
    const handle = this.#handle
    this.#handle = undefined
    await handle?.close().catch(() => {
      // it says nothing that a write has not said
    })
  }

  #tell(problem: string): void {
    if (this.#told === problem) return
    this.#told = problem
    this.#deps.tell(problem)
  }
}

function count(result: LineResult, counters: readonly CountLines[]): void {
  const lines = new Map<CountLines, number>()
  for (const counted of counters) lines.set(counted, (lines.get(counted) ?? 0) + 1)
  for (const [counted, how] of lines) counted(result, how)
}
