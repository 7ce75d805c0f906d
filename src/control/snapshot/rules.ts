// One HTTPRoute's or GRPCRoute's rules, as seen from one parent → MeshRoutes: one per match.
import { createHash } from 'node:crypto'

import type { Problem } from '../../contracts/problem.ts'
import { toCorsSpec } from '../../policies/cors/cors.schema.ts'
import { toDirectResponseSpec } from '../../policies/direct-response/direct-response.schema.ts'
import type { DirectResponseSpec } from '../../policies/direct-response/direct-response.spec.ts'
import { toHeaderModifierSpec } from '../../policies/header-modifier/header-modifier.schema.ts'
import type { HeaderModifierSpec } from '../../policies/header-modifier/header-modifier.spec.ts'
import { toMirrorShare } from '../../policies/mirror/mirror.schema.ts'
import { toRedirectSpec } from '../../policies/redirect/redirect.schema.ts'
import { toRetrySpec } from '../../policies/retries/retries.schema.ts'
import { toRewriteSpec } from '../../policies/rewrite/rewrite.schema.ts'
import type { RewriteSpec } from '../../policies/rewrite/rewrite.spec.ts'
import { toTemplateRewriteSpec } from '../../policies/rewrite/url-rewrite.schema.ts'
import { matchEveryMethod, toGrpcRouteMatchSpec } from '../../policies/route-match/grpc-match.schema.ts'
import { matchEverything, toRouteMatchSpec } from '../../policies/route-match/route-match.schema.ts'
import type { RouteMatchSpec } from '../../policies/route-match/route-match.spec.ts'
import { toSessionPersistenceSpec } from '../../policies/session-persistence/session-persistence.schema.ts'
import { toTimeoutsSpec } from '../../policies/timeouts/timeouts.schema.ts'
import { asksAboutCaller } from '../../policies/transformation/transformation.schema.ts'
import { documentProblem, sourceLocation } from '../model/document.ts'
import type { GrpcRouteRule, HttpRouteRule, RouteFilter } from '../model/route-kinds.ts'
import type { FieldPath } from '../model/yaml-text.ts'
import type { BackendResolver, RouteDocument } from './backends.ts'
import type { DocumentIndex } from './document-index.ts'
import { meshFilter, resolveFilter } from './filters.ts'
import type { MeshBackend, MeshFilter, MeshRoute, MeshRouteAction } from './mesh-snapshot.ts'
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
  document: RouteDocument,
  index: DocumentIndex,
  resolver: BackendResolver,
  parentNamespace: string | undefined,
): CompiledRules {
  const references = new References(document, index, resolver, parentNamespace)
  const routes: RankedRoute[] = []
  for (const [ruleIndex, { name, behaviour, matches }] of ruleDrafts(document, references).entries()) {
    const ruleName = name ?? String(ruleIndex)
    for (const [matchIndex, { match, grpc }] of matches.entries()) {
      const suffix = matches.length === 1 ? '' : `/${matchIndex}`
      const route: MeshRoute = {
        name: `${document.namespace}/${document.name}/${ruleName}${suffix}`,
        source: sourceLocation(document, [...rulePath(ruleIndex), 'matches', matchIndex], ruleName),
        match,
        ...behaviour,
      }
      const { creationTimestamp } = document.metadata
      routes.push({
        route,
        document: `${document.namespace}/${document.name}`,
        ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
        ...(grpc === undefined ? {} : { grpc }),
        order: routes.length,
      })
    }
  }
  return { routes, problems: references.problems, fault: references.fault }
}

interface RuleDraft {
  readonly name: string | undefined
  readonly behaviour: Behaviour
  readonly matches: readonly (Pick<RankedRoute, 'grpc'> & { readonly match: RouteMatchSpec })[]
}

type Behaviour = Omit<MeshRoute, 'name' | 'source' | 'match'>

function ruleDrafts(document: RouteDocument, references: References): RuleDraft[] {
  if (document.kind === 'GRPCRoute')
    return document.spec.rules.map((rule, index) => ({
      name: rule.name,
      behaviour: compileGrpcRule(rule, rulePath(index), references, document.id),
      matches: (rule.matches.length === 0 ? [matchEveryMethod] : rule.matches).map((match) => ({
        match: toGrpcRouteMatchSpec(match),
        grpc: match.method ?? {},
      })),
    }))
  return document.spec.rules.map((rule, index) => ({
    name: rule.name,
    behaviour: compileHttpRule(rule, rulePath(index), references, document.id),
    matches: (rule.matches.length === 0 ? [matchEverything] : rule.matches).map((match) => ({
      match: toRouteMatchSpec(match),
    })),
  }))
}

function rulePath(index: number): FieldPath {
  return ['spec', 'rules', index]
}

function compileHttpRule(rule: HttpRouteRule, path: FieldPath, references: References, route: string): Behaviour {
  const { cors, requestRedirect, urlRewrite } = filterFields(rule.filters)
  const own = { ...headerModifiers(rule.filters), ...(cors === undefined ? {} : { cors: toCorsSpec(cors) }) }
  const extensions = references.extensions(rule.filters, path)
  const shared = { ...own, ...passedFilters(extensions) }
  if (extensions === undefined) return { ...shared, action: { kind: 'invalid', status: 500 } }
  const { directResponse: response, rewrite } = extensions
  if (response !== undefined) return { ...shared, action: { kind: 'respond', response } }
  if (requestRedirect !== undefined)
    return { ...shared, action: { kind: 'redirect', redirect: toRedirectSpec(requestRedirect) } }
  const backends = references.backends(rule, path)
  const mirrors = references.mirrors(rule.filters, path)
  // Gateway API: no backend that traffic could go to, and no filter that answers, is answered with 500
  if (!backends.some(takesTraffic)) return { ...shared, action: { kind: 'invalid', status: 500 } }
  return {
    ...shared,
    action: {
      kind: 'forward',
      backends,
      ...rewriteOf(urlRewrite === undefined ? rewrite : toRewriteSpec(urlRewrite)),
      mirrors,
      timeouts: toTimeoutsSpec(rule.timeouts ?? {}),
      ...(rule.retry === undefined ? {} : { retry: toRetrySpec(rule.retry) }),
      ...sessionOf(rule, path, route),
    },
  }
}

/** What is invalid is UNAVAILABLE for gRPC (GRPCRouteRule.backendRefs), which is what a gRPC client makes of 503. */
function compileGrpcRule(rule: GrpcRouteRule, path: FieldPath, references: References, route: string): Behaviour {
  const extensions = references.extensions(rule.filters, path)
  const shared = { ...headerModifiers(rule.filters), ...passedFilters(extensions) }
  if (extensions?.directResponse !== undefined)
    return { ...shared, action: { kind: 'respond', response: extensions.directResponse } }
  const backends = references.backends(rule, path)
  const mirrors = references.mirrors(rule.filters, path)
  if (extensions === undefined || !backends.some(takesTraffic))
    return { ...shared, action: { kind: 'invalid', status: 503 } }
  const session = sessionOf(rule, path, route)
  const rewrite = rewriteOf(extensions.rewrite)
  return {
    ...shared,
    action: { kind: 'forward', backends, ...rewrite, mirrors, timeouts: {}, ...session, invalidBackendStatus: 503 },
  }
}

/** What Filters that a rule names say of it. */
interface Extensions {
  readonly passed: readonly MeshFilter[]
  readonly directResponse?: DirectResponseSpec
  readonly rewrite?: RewriteSpec
}

/** Of what there can be one of in a rule: who decides it, among the Gateway API's own filters. */
function takenByStandard(filters: readonly RouteFilter[]): Map<'answer' | 'rewrite', string> {
  const { requestRedirect, urlRewrite } = filterFields(filters)
  const taken = new Map<'answer' | 'rewrite', string>()
  if (urlRewrite !== undefined) taken.set('rewrite', 'URLRewrite')
  if (requestRedirect !== undefined) taken.set('answer', 'RequestRedirect').set('rewrite', 'RequestRedirect')
  return taken
}

function passedFilters(extensions: Extensions | undefined): Pick<MeshRoute, 'filters'> {
  return extensions === undefined || extensions.passed.length === 0 ? {} : { filters: extensions.passed }
}

function rewriteOf(rewrite: RewriteSpec | undefined): Pick<Forward, 'rewrite'> {
  return rewrite === undefined ? {} : { rewrite }
}

/** A session without a name has one of its own for each rule: a client may have sessions with several. */
function sessionOf(
  { sessionPersistence }: Pick<HttpRouteRule, 'sessionPersistence'>,
  path: FieldPath,
  route: string,
): Pick<Forward, 'sessionPersistence'> {
  if (sessionPersistence === undefined) return {}
  const rule = createHash('sha256')
    .update(JSON.stringify([route, path]))
    .digest('hex')
    .slice(0, 8)
  return { sessionPersistence: toSessionPersistenceSpec(sessionPersistence, `heddle-session-${rule}`) }
}

function takesTraffic({ weight, host }: MeshBackend): boolean {
  return weight > 0 && host !== undefined
}

class References {
  readonly problems: Problem[] = []
  fault: ReferenceFault | undefined
  readonly #document: RouteDocument
  readonly #index: DocumentIndex
  readonly #resolver: BackendResolver
  readonly #parentNamespace: string | undefined

  constructor(
    document: RouteDocument,
    index: DocumentIndex,
    resolver: BackendResolver,
    parentNamespace: string | undefined,
  ) {
    this.#document = document
    this.#index = index
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

  /** Undefined: one of them leads nowhere or goes with no other, and the rule must not serve without it (HTTPRouteFilter.extensionRef). */
  extensions(filters: readonly RouteFilter[], path: FieldPath): Extensions | undefined {
    const passed: MeshFilter[] = []
    let own: Omit<Extensions, 'passed'> = {}
    const taken = takenByStandard(filters)
    let whole = true
    const failed = (problem: Problem, fault: ReferenceFault): void => {
      this.#failed(problem, fault)
      whole = false
    }
    for (const [index, { extensionRef }] of filters.entries()) {
      if (extensionRef === undefined) continue
      const at = [...path, 'filters', index, 'extensionRef']
      const resolved = resolveFilter(this.#index, this.#document, extensionRef, at)
      if (!('filter' in resolved)) {
        failed(resolved.problem, resolved.fault)
        continue
      }
      const { id, spec } = resolved.filter
      if (
        this.#parentNamespace !== undefined &&
        spec.transformation !== undefined &&
        asksAboutCaller(spec.transformation)
      )
        this.problems.push(
          documentProblem(this.#document, 'HDL010', 'warning', [...at, 'name'], unknownCaller(id), besideCaller),
        )
      const decides =
        spec.directResponse !== undefined ? 'answer' : spec.urlRewrite !== undefined ? 'rewrite' : undefined
      const other = decides === undefined ? undefined : taken.get(decides)
      if (other !== undefined) {
        const message = `${other} and ${id} exclude each other: the rule answers with an error`
        const problem = documentProblem(this.#document, 'HDL012', 'error', [...at, 'name'], message)
        failed(problem, { reason: 'IncompatibleFilters', message })
        continue
      }
      if (decides !== undefined) taken.set(decides, id)
      if (spec.directResponse !== undefined) own = { ...own, directResponse: toDirectResponseSpec(spec.directResponse) }
      if (spec.urlRewrite !== undefined) own = { ...own, rewrite: toTemplateRewriteSpec(spec.urlRewrite) }
      const filter = meshFilter(resolved.filter, this.#index)
      if (filter !== undefined) passed.push(filter)
    }
    return whole ? { ...own, passed } : undefined
  }

  #failed(problem: Problem, fault: ReferenceFault): void {
    this.problems.push(problem)
    this.fault ??= fault
  }
}

function unknownCaller(filter: string): string {
  return `${filter} asks about the caller's certificate or token: mesh routes are served beside the caller, where neither is shown`
}

const besideCaller = 'Attach it to the Service by targetRefs, or to a route of a Gateway.'

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
