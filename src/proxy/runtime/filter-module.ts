// From a filter's code to its handlers. A module is loaded once for each code, in the proxy's own process and with its rights.
import { createHash } from 'node:crypto'
import { createRequire, registerHooks } from 'node:module'

import type { FilterHandlers } from '../../contracts/filter.ts'
import { errorMessage } from '../../core/errors.ts'
import type { TypescriptFilterSpec } from '../../policies/typescript-filter/typescript-filter.spec.ts'
import type { HttpFilterConfig, ListenerConfig, RouteConfiguration } from './runtime-config.ts'

const require = createRequire(import.meta.url)

/** What was exported by default, or why nothing was, by hash of the code. */
const modules = new Map<string, { readonly exported: unknown } | { readonly failure: string }>()

/** Begins the place of every line of a filter's code in a stack trace. */
export const filterUrl = 'file:///heddle-filters/'

export function hasFilters(): boolean {
  return modules.size > 0
}

/** The handlers for its configuration: made anew by each call. Throws an Error that says why there are none. */
export function loadFilter(spec: TypescriptFilterSpec): FilterHandlers {
  const exported = loadModule(spec)
  const made: unknown = typeof exported === 'function' ? exported(structuredClone(spec.config)) : exported
  if (typeof made !== 'object' || made === null || made instanceof Promise)
    throw new Error('its default export must be an object of handlers, or a function that returns one')
  const known = handlerNames.filter((name) => name in made)
  if (known.length === 0) throw new Error(`it has none of ${handlerNames.join(', ')}`)
  for (const name of known)
    if (typeof (made as Record<string, unknown>)[name] !== 'function') throw new Error(`${name} is not a function`)
  return made
}

/** Why it cannot be loaded; none: it is loaded now, and has handlers. */
export function loadFault(spec: TypescriptFilterSpec): readonly string[] {
  try {
    loadFilter(spec)
    return []
  } catch (error) {
    return [`${spec.name}: ${errorMessage(error)}`]
  }
}

export function filtersOfListener({ filterChains }: ListenerConfig): TypescriptFilterSpec[] {
  return filterChains.flatMap(({ filter }) => {
    if (filter.kind !== 'http') return []
    const inline = filter.routes.kind === 'inline' ? filtersOfRoutes(filter.routes.routeConfiguration) : []
    return [...inline, ...(filter.filters ?? []).flatMap(specOf)]
  })
}

export function filtersOfRoutes({ virtualHosts }: RouteConfiguration): TypescriptFilterSpec[] {
  return virtualHosts.flatMap(({ routes }) => routes.flatMap(({ filters = [] }) => filters.flatMap(specOf)))
}

function specOf(filter: HttpFilterConfig): readonly TypescriptFilterSpec[] {
  return filter.kind === 'typescript' ? [filter.spec] : []
}

const handlerNames = ['onRequest', 'onRequestBody', 'onResponse', 'onResponseBody'] as const

function loadModule(spec: TypescriptFilterSpec): unknown {
  const sha256 = createHash('sha256').update(spec.code).digest('hex')
  if (sha256 !== spec.sha256) throw new Error('its code is not the one that its hash is of')
  let known = modules.get(sha256)
  if (known === undefined) modules.set(sha256, (known = evaluate(spec)))
  if ('failure' in known) throw new Error(known.failure)
  return known.exported
}

/** Shown in stack traces; the hash makes each code a module of its own. */
function evaluate({ name, code, sha256 }: TypescriptFilterSpec): ReturnType<typeof modules.get> & {} {
  const url = `${filterUrl}${sha256.slice(0, 12)}/${name}.ts`
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      specifier === url ? { url, format: 'module', shortCircuit: true } : next(specifier, context),
    load: (asked, context, next) =>
      asked === url ? { format: 'module', source: code, shortCircuit: true } : next(asked, context),
  })
  try {
    const { default: exported } = require(url) as { readonly default?: unknown }
    if (exported === undefined) return { failure: 'it has no default export' }
    return { exported }
  } catch (error) {
    return { failure: errorMessage(error).split('\n')[0] as string }
  } finally {
    hooks.deregister()
  }
}
