// The files of TypeScript filters, watched beside the documents that name them. What is bad now leaves the last good code in force.
import { type FSWatcher, statSync, watch } from 'node:fs'
import { basename, dirname } from 'node:path'

import type { Problem } from '../../contracts/problem.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import { WatchableValue } from '../../core/watchable.ts'
import type { ModelDocument } from '../model/document.ts'
import { filterFile, readFilterCode } from './filter-code.ts'
import type { FilterCode } from './filter-code.ts'

export interface ReadFilters {
  /** By document id. Absent: there never was any that can be used. */
  readonly code: ReadonlyMap<string, FilterCode>
  readonly problems: readonly Problem[]
  /** Documents whose code is the last good one. */
  readonly stale: ReadonlySet<string>
  /** Files whose code is another than the last time. */
  readonly changed: readonly string[]
}

/** A change is read once it has been quiet for so long. */
const settleMs = 10
/** Catches what the watchers missed. */
const rescanMs = 3000

export class FilterFiles {
  /** Grows whenever a file has changed. */
  readonly changes: WatchableValue<number> = new WatchableValue(0)
  readonly #clock: Clock
  /** By document id. */
  #lastGood: ReadonlyMap<string, FilterCode> = new Map()
  /** What tells cheaply that a file changed, by path. */
  #stamps = new Map<string, string>()
  readonly #watchers = new Map<string, FSWatcher>()
  #settling: Timer | undefined
  #rescan: Timer | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Reads what the documents name, and watches it from then on. */
  read(documents: readonly ModelDocument[]): ReadFilters {
    const filters = documents.filter((one): one is ModelDocument<'Filter'> => one.kind === 'Filter')
    const paths = new Set(filters.flatMap((filter) => filterFile(filter) ?? []))
    // before reading: what changes in between is seen
    this.#watch(paths)
    const read = readAll(filters, this.#lastGood)
    this.#lastGood = read.code
    return read
  }

  stop(): void {
    this.#settling?.cancel()
    this.#rescan?.cancel()
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  #watch(paths: ReadonlySet<string>): void {
    this.#stamps = new Map([...paths].map((path) => [path, stampOf(path)]))
    const folders = new Set([...paths].map((path) => dirname(path)))
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder)) continue
      watcher.close()
      this.#watchers.delete(folder)
    }
    for (const folder of folders) this.#watchFolder(folder)
    this.#rescan?.cancel()
    if (paths.size > 0) this.#rescan = this.#clock.setTimer(rescanMs, () => this.#look())
  }

  /** Folders, never files: a rename over a file leaves a file's watcher on the old one. */
  #watchFolder(folder: string): void {
    if (this.#watchers.has(folder)) return
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => this.#touched(folder, name))
      watcher.on('error', () => {
        watcher.close()
        this.#watchers.delete(folder)
      })
      this.#watchers.set(folder, watcher)
    } catch {
      // not there yet: the slow look finds it
    }
  }

  /** Names that start with ".." are the links that Kubernetes swaps under a mounted ConfigMap. */
  #touched(folder: string, name: string | null): void {
    const concerns = [...this.#stamps.keys()].some((path) => dirname(path) === folder && basename(path) === name)
    if (name !== null && !concerns && !name.startsWith('..')) return
    this.#settling?.cancel()
    this.#settling = this.#clock.setTimer(settleMs, () => this.changes.set(this.changes.value + 1))
  }

  #look(): void {
    const changed = [...this.#stamps].some(([path, stamp]) => stampOf(path) !== stamp)
    if (changed) this.changes.set(this.changes.value + 1)
    else this.#rescan = this.#clock.setTimer(rescanMs, () => this.#look())
  }
}

/** Once, for documents without a running mesh. */
export function readFilters(documents: readonly ModelDocument[]): ReadFilters {
  return readAll(
    documents.filter((one): one is ModelDocument<'Filter'> => one.kind === 'Filter'),
    new Map(),
  )
}

function readAll(filters: readonly ModelDocument<'Filter'>[], lastGood: ReadonlyMap<string, FilterCode>): ReadFilters {
  const code = new Map<string, FilterCode>()
  const problems: Problem[] = []
  const stale = new Set<string>()
  const changed: string[] = []
  for (const filter of filters) {
    if (filter.spec.typescript === undefined) continue
    const read = readFilterCode(filter)
    const good = lastGood.get(filter.id)
    if ('code' in read) {
      code.set(filter.id, read)
      const file = filterFile(filter)
      if (file !== undefined && good?.sha256 !== read.sha256) changed.push(file)
      continue
    }
    problems.push(read.problem)
    if (good === undefined) continue
    code.set(filter.id, good)
    stale.add(filter.id)
  }
  return { code, problems, stale, changed }
}

function stampOf(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats === undefined ? '' : `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`
}
