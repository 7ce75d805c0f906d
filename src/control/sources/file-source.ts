// Watches files and folders: reads what changed, soon after it changed. A slow re-scan catches what the watchers missed.
import { watch } from 'node:fs'
import type { FSWatcher, Stats } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'

import type { Clock, Timer } from '../../core/clock.ts'
import { errorCode, errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import { WatchableValue } from '../../core/watchable.ts'
import type { Source, SourceFile } from './source.ts'

export interface FileSourceOptions {
  /** Files, and folders that are searched for *.yaml, *.yml and *.json, subfolders included; hidden names are left alone. */
  readonly paths: readonly string[]
  readonly clock: Clock
  readonly logger: Logger
}

/** A change is read once it has been quiet for so long: what is written in several steps is not read in between ... */
const settleMs = 10
/** ... but no later than this after its first sign: a change must reach traffic within 100 ms. */
const settleAtMostMs = 50
const rescanMs = 3000

const documentName = /^[^.].*\.(ya?ml|json)$/i

export function createFileSource(options: FileSourceOptions): Source {
  return new FileSource(options)
}

interface Entry {
  /** What tells cheaply that a file changed. */
  readonly stamp: string
  readonly file: SourceFile
}

class FileSource implements Source {
  readonly files: WatchableValue<readonly SourceFile[]> = new WatchableValue<readonly SourceFile[]>([])
  readonly #options: FileSourceOptions
  /** By absolute path. */
  #entries = new Map<string, Entry>()
  readonly #watchers = new Map<string, FSWatcher>()
  /** Absolute paths that a watcher named since the last scan began. */
  #dirty = new Set<string>()
  /** Named paths that were there once: when one is gone it was removed, not misspelt. */
  readonly #seen = new Set<string>()
  readonly #named: ReadonlySet<string>
  /** Folders that are searched, as opposed to watched for one file in them. */
  #searched: ReadonlySet<string> = new Set()
  #settling: { readonly timer: Timer; readonly sinceMs: number } | undefined
  #rescan: Timer | undefined
  #scanning: Promise<void> | undefined
  #stopped = false
  #warned = false

  constructor(options: FileSourceOptions) {
    this.#options = options
    this.#named = new Set(options.paths.map((path) => resolve(path)))
  }

  async start(): Promise<void> {
    await this.#scan()
  }

  stop(): void {
    this.#stopped = true
    this.#settling?.timer.cancel()
    this.#rescan?.cancel()
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  #changed(path: string): void {
    this.#dirty.add(path)
    if (this.#stopped) return
    const { clock } = this.#options
    const nowMs = clock.monotonicMs()
    const sinceMs = this.#settling?.sinceMs ?? nowMs
    const delayMs = Math.min(settleMs, sinceMs + settleAtMostMs - nowMs)
    this.#settling?.timer.cancel()
    const timer = clock.setTimer(Math.max(0, delayMs), () => {
      this.#settling = undefined
      void this.#scan()
    })
    this.#settling = { timer, sinceMs }
  }

  /** One scan at a time: a second one starts after the first. */
  #scan(): Promise<void> {
    const before = this.#scanning ?? Promise.resolve()
    const scan = before.then(() => this.#scanNow())
    this.#scanning = scan
    return scan
  }

  async #scanNow(): Promise<void> {
    if (this.#stopped) return
    this.#rescan?.cancel()
    const dirty = this.#dirty
    this.#dirty = new Set()
    try {
      const scan = new Scan(this.#entries, dirty, this.#seen, (folder) => this.#watch(folder))
      for (const path of this.#options.paths) await scan.visit(path)
      this.#publish(scan)
    } catch (error) {
      this.#options.logger.error('reading configuration failed', { error: errorMessage(error) })
    }
    if (!this.#stopped) this.#rescan = this.#options.clock.setTimer(rescanMs, () => void this.#scan())
  }

  #publish(scan: Scan): void {
    if (this.#stopped) return
    for (const [folder, watcher] of this.#watchers) {
      if (scan.folders.has(folder)) continue
      watcher.close()
      this.#watchers.delete(folder)
    }
    this.#entries = scan.entries
    this.#searched = scan.searched
    const files = [...scan.entries.values()]
      .map((entry) => entry.file)
      .toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
    const before = this.files.value
    if (files.length !== before.length || files.some((file, index) => file !== before[index])) this.files.set(files)
  }

  /** Names that start with ".." are the links that Kubernetes swaps under a mounted ConfigMap. */
  #concerns(folder: string, name: string): boolean {
    return this.#searched.has(folder) || this.#named.has(join(folder, name)) || name.startsWith('..')
  }

  /** Folders are watched, never files: a rename over a file leaves a file's watcher on the old one. */
  #watch(folder: string): void {
    if (this.#stopped || this.#watchers.has(folder)) return
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => {
        if (name === null) this.#changed(folder)
        else if (this.#concerns(folder, name)) this.#changed(join(folder, name))
      })
      watcher.on('error', () => {
        watcher.close()
        this.#watchers.delete(folder)
      })
      this.#watchers.set(folder, watcher)
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || this.#warned) return
      this.#warned = true
      const fields = { folder, error: errorMessage(error) }
      this.#options.logger.warn(`cannot watch for changes: looking every ${rescanMs / 1000} s instead`, fields)
    }
  }
}

/** One look at everything, taking over what did not change since the last one. */
class Scan {
  readonly entries = new Map<string, Entry>()
  /** Watched folders. */
  readonly folders = new Set<string>()
  readonly searched = new Set<string>()
  /** By device and inode: links may lead in circles. */
  readonly #visited = new Set<string>()
  readonly #seen: Set<string>
  readonly #before: ReadonlyMap<string, Entry>
  readonly #dirty: ReadonlySet<string>
  readonly #watch: (folder: string) => void

  constructor(
    before: ReadonlyMap<string, Entry>,
    dirty: ReadonlySet<string>,
    seen: Set<string>,
    watchFolder: (folder: string) => void,
  ) {
    this.#before = before
    this.#seen = seen
    this.#dirty = dirty
    this.#watch = watchFolder
  }

  /** A path that somebody named: a file of any name, or a folder. */
  async visit(path: string): Promise<void> {
    const absolute = resolve(path)
    this.#watchFolder(dirname(absolute))
    try {
      const stats = await stat(absolute)
      this.#seen.add(absolute)
      if (stats.isDirectory()) await this.#readFolder(path, absolute, stats)
      else await this.#readFile(path, absolute, stats)
    } catch (error) {
      if (errorCode(error) === 'ENOENT' && this.#seen.has(absolute)) return
      this.#failed(path, absolute, error)
    }
  }

  async #readFolder(path: string, absolute: string, stats: Stats): Promise<void> {
    const identity = `${stats.dev} ${stats.ino}`
    if (this.#visited.has(identity)) return
    this.#visited.add(identity)
    this.searched.add(absolute)
    // before reading: what changes in between is seen by the watcher
    this.#watchFolder(absolute)
    let names: string[]
    try {
      names = (await readdir(absolute)).toSorted()
    } catch (error) {
      for (const [known, entry] of this.#before) if (known.startsWith(`${absolute}/`)) this.entries.set(known, entry)
      this.#failed(path, absolute, error)
      return
    }
    for (const name of names) {
      if (name.startsWith('.')) continue
      const child = join(path, name)
      const childAbsolute = join(absolute, name)
      try {
        const childStats = await stat(childAbsolute)
        if (childStats.isDirectory()) await this.#readFolder(child, childAbsolute, childStats)
        else if (childStats.isFile() && documentName.test(name)) await this.#readFile(child, childAbsolute, childStats)
      } catch (error) {
        // gone since the folder was listed, or a dangling link
        if (errorCode(error) !== 'ENOENT') this.#failed(child, childAbsolute, error)
      }
    }
  }

  async #readFile(path: string, absolute: string, stats: Stats): Promise<void> {
    if (this.entries.has(absolute)) return
    const stamp = `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`
    const before = this.#before.get(absolute)
    // the stamp's clock is coarse: a file that a watcher named is read even when the stamp is the same
    if (before?.stamp === stamp && !this.#dirty.has(absolute)) {
      this.entries.set(absolute, before)
      return
    }
    if (!stats.isFile()) throw new Error('neither a file nor a folder')
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await readFile(absolute))
    const same = before !== undefined && 'text' in before.file && before.file.text === text
    this.entries.set(absolute, { stamp, file: same ? before.file : { path, text, folder: dirname(absolute) } })
  }

  #failed(path: string, absolute: string, thrown: unknown): void {
    const error = errorCode(thrown) === 'ENOENT' ? 'no such file or folder' : errorMessage(thrown)
    const before = this.#before.get(absolute)
    const same = before !== undefined && 'error' in before.file && before.file.error === error
    this.entries.set(absolute, same ? before : { stamp: '', file: { path, error } })
  }

  #watchFolder(folder: string): void {
    this.folders.add(folder)
    this.#watch(folder)
  }
}
