// What attaching routes to their parents gathers: routes by place, and what each route and parent is told about it.
import type { Problem } from '../../contracts/problem.ts'
import { formatProblem } from '../../contracts/problem.ts'
import { hostPort } from '../../contracts/xds/names.ts'
import type { ParentReference } from '../model/route-kinds.ts'
import type { BackendResolver, RouteDocument } from './backends.ts'
import type { DocumentIndex } from './document-index.ts'
import type { RankedRoute } from './precedence.ts'
import { compileRules } from './rules.ts'
import type { CompiledRules } from './rules.ts'
import { badCondition, gatewayControllerName, goodCondition, meshControllerName, resolvedRefs } from './status.ts'
import type { ParentStatus } from './status.ts'

/** Problems of the compiler; the same one met on two ways is told once. */
export class ProblemList {
  readonly #problems = new Map<string, Problem>()

  add(...problems: readonly Problem[]): void {
    for (const problem of problems) {
      const key = formatProblem(problem)
      if (!this.#problems.has(key)) this.#problems.set(key, problem)
    }
  }

  toArray(): Problem[] {
    return [...this.#problems.values()]
  }
}

/** Reasons of the Gateway API for a route that is not accepted; `Conflicted` is GEP-1426's. */
export type RefusalReason =
  | 'Conflicted'
  | 'NoMatchingListenerHostname'
  | 'NoMatchingParent'
  | 'NotAllowedByListeners'
  | 'UnsupportedProtocol'

export class RouteAttachment {
  readonly problems: ProblemList
  readonly #index: DocumentIndex
  readonly #resolver: BackendResolver
  readonly #parents = new Map<string, ParentStatus[]>()
  readonly #rules = new Map<string, CompiledRules>()
  readonly #grpcPorts = new Set<string>()

  constructor(index: DocumentIndex, resolver: BackendResolver, problems: ProblemList) {
    this.#index = index
    this.#resolver = resolver
    this.problems = problems
  }

  /** The route belongs to that parent. */
  accept(
    route: RouteDocument,
    parentRef: ParentReference,
    parentNamespace: string | undefined,
  ): readonly RankedRoute[] {
    const rules = this.#rulesOf(route, parentNamespace)
    this.problems.add(...rules.problems)
    if (route.kind === 'GRPCRoute') for (const port of destinations(rules)) this.#grpcPorts.add(port)
    this.#tell(route, parentRef, goodCondition('Accepted', 'the route is in force'), rules)
    return rules.routes
  }

  refuse(
    route: RouteDocument,
    parentRef: ParentReference,
    parentNamespace: string | undefined,
    reason: RefusalReason,
    problem: Problem,
  ): void {
    const rules = this.#rulesOf(route, parentNamespace)
    this.problems.add(problem, ...rules.problems)
    this.#tell(route, parentRef, badCondition('Accepted', reason, problem.message), rules)
  }

  /** Names ("host:port") of the Service ports that GRPCRoutes send requests to. */
  get grpcPorts(): ReadonlySet<string> {
    return this.#grpcPorts
  }

  parentsOf(route: RouteDocument): readonly ParentStatus[] {
    return this.#parents.get(route.id) ?? []
  }

  #rulesOf(route: RouteDocument, parentNamespace: string | undefined): CompiledRules {
    const key = `${route.id} ${parentNamespace ?? ''}`
    let rules = this.#rules.get(key)
    if (rules === undefined) {
      rules = compileRules(route, this.#index, this.#resolver, parentNamespace)
      this.#rules.set(key, rules)
    }
    return rules
  }

  #tell(
    route: RouteDocument,
    parentRef: ParentReference,
    accepted: ParentStatus['conditions'][number],
    rules: CompiledRules,
  ): void {
    const controllerName = parentRef.kind === 'Gateway' ? gatewayControllerName : meshControllerName
    const conditions = [accepted, resolvedRefs(rules.fault)]
    const parents = this.#parents.get(route.id) ?? []
    parents.push({ parentRef, controllerName, conditions })
    this.#parents.set(route.id, parents)
  }
}

function destinations({ routes }: CompiledRules): string[] {
  return routes.flatMap(({ route: { action } }) => {
    if (action.kind !== 'forward') return []
    return [...action.backends, ...action.mirrors].flatMap(({ host, port }) => {
      return host === undefined ? [] : [hostPort(host, port)]
    })
  })
}
