// Sources → model → snapshot, kept up to date: the first half of the configuration line as one live component.
import { isDeepStrictEqual } from 'node:util'

import { formatProblem } from '../contracts/problem.ts'
import type { Problem, SourcePosition } from '../contracts/problem.ts'
import type { Clock } from '../core/clock.ts'
import { errorMessage } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import { WatchableValue } from '../core/watchable.ts'
import type { Watchable } from '../core/watchable.ts'
import type { ModelDocument } from './model/document.ts'
import { Model } from './model/model.ts'
import type { ModelState } from './model/model.ts'
import { compileMesh } from './snapshot/compile.ts'
import type { CompiledMesh } from './snapshot/compile.ts'
import type { MeshSnapshot } from './snapshot/mesh-snapshot.ts'
import { compareText } from './snapshot/services.ts'
import { badCondition } from './snapshot/status.ts'
import type { DocumentStatus } from './snapshot/status.ts'
import { FilterFiles, readFilters } from './sources/filter-files.ts'
import type { ReadFilters } from './sources/filter-files.ts'
import type { Source, SourceFile } from './sources/source.ts'

export interface ConfigurationOptions {
  /** Started by the caller. When two declare the same document, the earlier source's is in force. */
  readonly sources: readonly Source[]
  /** Texts of what was in force when the last process ended, by document id; absent: nothing was. */
  readonly recorded?: ReadonlyMap<string, string>
  /** The revision of the first snapshot: a decimal counter. */
  readonly initialRevision: string
  readonly clock: Clock
  readonly logger: Logger
  /** Called with each new snapshot before subscribers see it, and with the source that made it; undefined: the file of a filter did. */
  readonly onRevision?: (snapshot: MeshSnapshot, source: Source | undefined) => void
}

export interface Configuration {
  /** A new revision whenever the content changed, and only then. What did not change is the same object as before. */
  readonly snapshot: Watchable<MeshSnapshot>
  readonly problems: Watchable<readonly Problem[]>
  /** By document id. */
  readonly statuses: ReadonlyMap<string, DocumentStatus>
  /** Documents in force, defaults filled in. */
  documents(): readonly ModelDocument[]
  /** Files of filters whose code is new with what was read last. */
  changedCode(): readonly string[]
  stop(): void
}

export function createConfiguration(options: ConfigurationOptions): Configuration {
  const { sources, clock, logger } = options
  const model = new Model(options.recorded)
  const filterFiles = new FilterFiles(clock)
  const read = (files: readonly SourceFile[]): ReadState =>
    withFilters(model.update(files), (all) => filterFiles.read(all))
  const readFiles = (): readonly SourceFile[] => sources.flatMap((source) => source.files.value)
  let state = read(readFiles())
  let compiled = compileMesh(state.documents, options.initialRevision, state.filterCode)
  const snapshot = new WatchableValue(compiled.snapshot)
  const problems = new WatchableValue(allProblems(state, compiled))
  let statuses = allStatuses(state, compiled)

  const update = (source: Source | undefined): void => {
    const startMs = clock.monotonicMs()
    state = read(readFiles())
    compiled = compileMesh(state.documents, nextRevision(snapshot.value.revision), state.filterCode)
    const next = withUnchangedParts(snapshot.value, compiled.snapshot)
    statuses = allStatuses(state, compiled)
    const found = allProblems(state, compiled)
    if (!isDeepStrictEqual(found, problems.value)) {
      const known = new Set(problems.value.map(formatProblem))
      for (const problem of found) {
        const line = formatProblem(problem)
        if (!known.has(line)) logger.warn(line)
      }
      problems.set(found)
    }
    if (next === snapshot.value) return
    const tookMs = Math.round((clock.monotonicMs() - startMs) * 10) / 10
    logger.info('configuration changed', { revision: next.revision, tookMs })
    options.onRevision?.(next, source)
    snapshot.set(next)
  }
  const guarded = (source?: Source): void => {
    try {
      update(source)
    } catch (error) {
      // a fault of ours in one document must not take the others' updates, nor the process, down
      logger.error('compiling the configuration failed: the last one stays in force', { error: errorMessage(error) })
    }
  }
  const unsubscribes = sources.map((source) => source.files.subscribe(() => guarded(source)))
  unsubscribes.push(filterFiles.changes.subscribe(() => guarded()))
  return {
    snapshot,
    problems,
    get statuses() {
      return statuses
    },
    documents: () => state.documents,
    changedCode: () => state.changedCode,
    stop() {
      for (const unsubscribe of unsubscribes) unsubscribe()
      filterFiles.stop()
    },
  }
}

/** The same, once, without a running mesh. */
export function analyzeFiles(files: readonly SourceFile[]): {
  readonly problems: readonly Problem[]
  readonly snapshot: MeshSnapshot
  /** By document id. */
  readonly statuses: ReadonlyMap<string, DocumentStatus>
  /** In force, defaults filled in. */
  readonly documents: readonly ModelDocument[]
} {
  const state = withFilters(new Model().update(files), readFilters)
  const compiled = compileMesh(state.documents, '0', state.filterCode)
  return {
    problems: allProblems(state, compiled),
    snapshot: compiled.snapshot,
    statuses: allStatuses(state, compiled),
    documents: state.documents,
  }
}

interface ReadState extends ModelState {
  readonly filterCode: ReadFilters['code']
  readonly changedCode: ReadFilters['changed']
}

/** What is wrong with the code of a filter is wrong with its document. */
function withFilters(state: ModelState, read: (documents: readonly ModelDocument[]) => ReadFilters): ReadState {
  const { code, problems, stale, changed } = read(state.documents)
  return {
    documents: state.documents,
    problems: [...state.problems, ...problems],
    stale: new Set([...state.stale, ...stale]),
    filterCode: code,
    changedCode: changed,
  }
}

const nowhere: SourcePosition = { file: '', line: 0, column: 0 }

/** By place, so that they read like the files do. */
function allProblems(state: ModelState, compiled: CompiledMesh): readonly Problem[] {
  return [...state.problems, ...compiled.problems].toSorted((a, b) => {
    const [p, q] = [a.position ?? nowhere, b.position ?? nowhere]
    return compareText(p.file, q.file) || p.line - q.line || p.column - q.column
  })
}

/** A document whose newest text is bad is not accepted, whether or not a last good version is in force. */
function allStatuses(state: ModelState, compiled: CompiledMesh): ReadonlyMap<string, DocumentStatus> {
  const statuses = new Map(compiled.statuses)
  for (const { document, severity, code, message } of state.problems) {
    if (document === undefined || severity !== 'error' || code === 'HDL007') continue
    const lastGood = state.stale.has(document) ? '; the last good version is in force' : ''
    const reason = code === 'HDL010' ? 'UnsupportedValue' : 'Invalid'
    statuses.set(document, {
      ...statuses.get(document),
      conditions: [badCondition('Accepted', reason, `${message}${lastGood}`)],
    })
  }
  return statuses
}

function nextRevision(revision: string): string {
  return String(BigInt(revision) + 1n)
}

/** `next` with every part that equals its predecessor replaced by it; `before` itself when nothing differs. */
function withUnchangedParts(before: MeshSnapshot, next: MeshSnapshot): MeshSnapshot {
  const settings = isDeepStrictEqual(before.settings, next.settings) ? before.settings : next.settings
  const workloads = sharedEntries(before.workloads, next.workloads)
  const services = sharedEntries(before.services, next.services)
  const gateways = sharedEntries(before.gateways, next.gateways)
  const secrets = sharedEntries(before.secrets, next.secrets)
  const experiments = sharedEntries(before.experiments, next.experiments)
  const same =
    experiments === before.experiments &&
    settings === before.settings &&
    workloads === before.workloads &&
    services === before.services &&
    gateways === before.gateways &&
    secrets === before.secrets
  return same ? before : { revision: next.revision, settings, workloads, services, gateways, secrets, experiments }
}

function sharedEntries<T>(before: ReadonlyMap<string, T>, next: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  let same = before.size === next.size
  const shared = new Map<string, T>()
  for (const [key, value] of next) {
    const old = before.get(key)
    const reusable = old !== undefined && isDeepStrictEqual(old, value)
    shared.set(key, reusable ? old : value)
    same &&= reusable
  }
  return same ? before : shared
}
