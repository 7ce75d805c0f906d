// One HTTPRoute's rules, as seen from one parent → MeshRoutes: one per match.
import type { Problem } from '../../contracts/problem.ts'
import { toCorsSpec } from '../../policies/cors/cors.schema.ts'
import { toHeaderModifierSpec } from '../../policies/header-modifier/header-modifier.schema.ts'
import type { HeaderModifierSpec } from '../../policies/header-modifier/header-modifier.spec.ts'
import { toMirrorShare } from '../../policies/mirror/mirror.schema.ts'
import { toRedirectSpec } from '../../policies/redirect/redirect.schema.ts'
import { toRetrySpec } from '../../policies/retries/retries.schema.ts'
import { toRewriteSpec } from '../../policies/rewrite/rewrite.schema.ts'
import { matchEverything, toRouteMatchSpec } from '../../policies/route-match/route-match.schema.ts'
import { toTimeoutsSpec } from '../../policies/timeouts/timeouts.schema.ts'
import { sourceLocation } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import type { HttpRouteRule, RouteFilter } from '../model/route-kinds.ts'
import type { FieldPath } from '../model/yaml-text.ts'
import type { BackendResolver, RouteDocument } from './backends.ts'
import type { MeshBackend, MeshRoute, MeshRouteAction } from './mesh-snapshot.ts'
import type { RankedRoute } from './precedence.ts'
import type { ReferenceFault } from './status.ts'

export interface CompiledRules {
  readonly routes: readonly RankedRoute[]
  readonly problems: readonly Problem[]
  /** First reference that leads nowhere. */
  readonly fault: ReferenceFault | undefined
}

type Forward = Extract<MeshRouteAction, { kind: 'forward' }>

/** `parentNamespace`: of the Service the route is attached to; undefined for a Gateway. */
export function compileRules(
  document: ModelDocument<'HTTPRoute'>,
  resolver: BackendResolver,
  parentNamespace: string | undefined,
): CompiledRules {
  const references = new References(document, resolver, parentNamespace)
  const routes: RankedRoute[] = []
  for (const [ruleIndex, rule] of document.spec.rules.entries()) {
    const path: FieldPath = ['spec', 'rules', ruleIndex]
    const ruleName = rule.name ?? String(ruleIndex)
    const behaviour = compileRule(rule, path, references)
    const matches = rule.matches.length === 0 ? [matchEverything] : rule.matches
    for (const [matchIndex, match] of matches.entries()) {
      const suffix = matches.length === 1 ? '' : `/${matchIndex}`
      const route: MeshRoute = {
        name: `${document.namespace}/${document.name}/${ruleName}${suffix}`,
        source: sourceLocation(document, [...path, 'matches', matchIndex], ruleName),
        match: toRouteMatchSpec(match),
        ...behaviour,
      }
      const { creationTimestamp } = document.metadata
      routes.push({
        route,
        document: `${document.namespace}/${document.name}`,
        ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
        order: routes.length,
      })
    }
  }
  return { routes, problems: references.problems, fault: references.fault }
}

/** Checks the references of a GRPCRoute as far as they are the same as an HTTPRoute's. */
export function checkReferences(
  document: RouteDocument,
  resolver: BackendResolver,
  parentNamespace: string | undefined,
): Omit<CompiledRules, 'routes'> {
  const references = new References(document, resolver, parentNamespace)
  for (const [ruleIndex, rule] of document.spec.rules.entries()) {
    const path: FieldPath = ['spec', 'rules', ruleIndex]
    references.backends(rule, path)
    references.mirrors(rule.filters, path)
  }
  return { problems: references.problems, fault: references.fault }
}

function compileRule(
  rule: HttpRouteRule,
  path: FieldPath,
  references: References,
): Omit<MeshRoute, 'name' | 'source' | 'match'> {
  const { cors, requestRedirect, urlRewrite } = filterFields(rule.filters)
  const shared = { ...headerModifiers(rule.filters), ...(cors === undefined ? {} : { cors: toCorsSpec(cors) }) }
  if (requestRedirect !== undefined)
    return { ...shared, action: { kind: 'redirect', redirect: toRedirectSpec(requestRedirect) } }
  const backends = references.backends(rule, path)
  const mirrors = references.mirrors(rule.filters, path)
  // Gateway API: no backend that traffic could go to, and no filter that answers, is answered with 500
  if (!backends.some((backend) => backend.weight > 0 && backend.host !== undefined))
    return { ...shared, action: { kind: 'invalid', status: 500 } }
  return {
    ...shared,
    action: {
      kind: 'forward',
      backends,
      ...(urlRewrite === undefined ? {} : { rewrite: toRewriteSpec(urlRewrite) }),
      mirrors,
      timeouts: toTimeoutsSpec(rule.timeouts ?? {}),
      ...(rule.retry === undefined ? {} : { retry: toRetrySpec(rule.retry) }),
    },
  }
}

class References {
  readonly problems: Problem[] = []
  fault: ReferenceFault | undefined
  readonly #document: RouteDocument
  readonly #resolver: BackendResolver
  readonly #parentNamespace: string | undefined

  constructor(document: RouteDocument, resolver: BackendResolver, parentNamespace: string | undefined) {
    this.#document = document
    this.#resolver = resolver
    this.#parentNamespace = parentNamespace
  }

  backends(rule: Pick<HttpRouteRule, 'backendRefs'>, path: FieldPath): MeshBackend[] {
    return rule.backendRefs.map((ref, index) => {
      const { weight } = ref
      const at = [...path, 'backendRefs', index]
      // no request goes there: nobody is hurt yet
      const severity = weight === 0 ? 'warning' : 'error'
      const target = this.#resolver.resolve(this.#document, ref, at, this.#parentNamespace, severity)
      const modifiers = headerModifiers(ref.filters)
      if (!('fault' in target)) return { ...target, weight, ...modifiers }
      this.#failed(target.problem, target.fault)
      return { port: ref.port ?? 0, weight, ...modifiers }
    })
  }

  /** A mirror that leads nowhere is left out; the request itself is not touched by it. */
  mirrors(filters: readonly RouteFilter[], path: FieldPath): Forward['mirrors'] {
    return filters.flatMap(({ requestMirror }, index) => {
      if (requestMirror === undefined) return []
      const at = [...path, 'filters', index, 'requestMirror', 'backendRef']
      const { backendRef } = requestMirror
      const target = this.#resolver.resolve(this.#document, backendRef, at, this.#parentNamespace, 'error')
      if (!('fault' in target)) return [{ ...target, ...toMirrorShare(requestMirror) }]
      this.#failed(target.problem, target.fault)
      return []
    })
  }

  #failed(problem: Problem, fault: ReferenceFault): void {
    this.problems.push(problem)
    this.fault ??= fault
  }
}

/** Each type but RequestMirror occurs at most once in a list. */
function filterFields(filters: readonly RouteFilter[]): Omit<RouteFilter, 'type'> {
  return Object.assign({}, ...filters) as RouteFilter
}

function headerModifiers(filters: readonly RouteFilter[]): {
  readonly requestHeaders?: HeaderModifierSpec
  readonly responseHeaders?: HeaderModifierSpec
} {
  const { requestHeaderModifier, responseHeaderModifier } = filterFields(filters)
  return {
    ...(requestHeaderModifier === undefined ? {} : { requestHeaders: toHeaderModifierSpec(requestHeaderModifier) }),
    ...(responseHeaderModifier === undefined ? {} : { responseHeaders: toHeaderModifierSpec(responseHeaderModifier) }),
  }
}
