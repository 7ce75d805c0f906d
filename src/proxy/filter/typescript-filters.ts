// The TypeScript filters of one proxy in force: one running filter for each code, configuration and bounds, whatever routes have it.
import type { FilterHandlers } from '../../contracts/filter.ts'
import type { HttpFilter } from '../../contracts/http-filter.ts'
import { errorMessage } from '../../core/errors.ts'
import {
  type FilterMeter,
  RunningFilter,
  type RunningFilterDeps,
} from '../../policies/typescript-filter/running-filter.runtime.ts'
import { typescriptFilter } from '../../policies/typescript-filter/typescript-filter.runtime.ts'
import type { TypescriptFilterSpec } from '../../policies/typescript-filter/typescript-filter.spec.ts'
import { loadFilter } from '../runtime/filter-module.ts'

export interface TypescriptFiltersDeps extends Omit<RunningFilterDeps, 'meter'> {
  readonly meterOf: (filter: string) => FilterMeter
}

export class TypescriptFilters {
  readonly #deps: TypescriptFiltersDeps
  /** As long as a configuration has it. */
  readonly #bySpec = new WeakMap<TypescriptFilterSpec, RunningFilter>()
  /** What a filter keeps in memory outlives a change of something else on its routes. */
  readonly #byContent = new Map<string, WeakRef<RunningFilter>>()

  constructor(deps: TypescriptFiltersDeps) {
    this.#deps = deps
  }

  of(spec: TypescriptFilterSpec): HttpFilter {
    return typescriptFilter(this.#running(spec))
  }

  #running(spec: TypescriptFilterSpec): RunningFilter {
    const known = this.#bySpec.get(spec)
    if (known !== undefined) return known
    const { code: _code, source: _source, ...content } = spec
    const key = JSON.stringify(content)
    let filter = this.#byContent.get(key)?.deref()
    if (filter === undefined) {
      const { meterOf, ...deps } = this.#deps
      filter = new RunningFilter(spec, this.#handlers(spec), { ...deps, meter: meterOf(spec.name) })
      for (const [one, reference] of this.#byContent) if (reference.deref() === undefined) this.#byContent.delete(one)
      this.#byContent.set(key, new WeakRef(filter))
    }
    this.#bySpec.set(spec, filter)
    return filter
  }

  #handlers(spec: TypescriptFilterSpec): FilterHandlers | undefined {
    try {
      return loadFilter(spec)
    } catch (error) {
      const { name, onError } = spec
      this.#deps.logger.error('filter cannot be loaded', { filter: name, onError, error: errorMessage(error) })
      return undefined
    }
  }
}
