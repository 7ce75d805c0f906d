// What attaching TLSRoutes and TCPRoutes to their parents gathers, as route-attachment.ts does for requests.
import type { Problem } from '../../contracts/problem.ts'
import { sourceLocation } from '../model/document.ts'
import type { ParentReference } from '../model/route-kinds.ts'
import type { BackendResolver, StreamRouteDocument } from './backends.ts'
import type { MeshStream } from './mesh-snapshot.ts'
import type { ProblemList } from './route-attachment.ts'
import { compareText } from './services.ts'
import { badCondition, gatewayControllerName, goodCondition, meshControllerName, resolvedRefs } from './status.ts'
import type { Condition, ParentStatus, ReferenceFault } from './status.ts'

/** A stream with what decides between several for one hostname. */
export interface RankedStream {
  readonly stream: MeshStream
  readonly creationTimestamp?: string
  /** "namespace/name". */
  readonly document: string
}

interface CompiledStream {
  readonly ranked: RankedStream
  readonly problems: readonly Problem[]
  readonly fault: ReferenceFault | undefined
}

export class StreamAttachment {
  readonly problems: ProblemList
  readonly #resolver: BackendResolver
  readonly #parents = new Map<string, ParentStatus[]>()

  constructor(resolver: BackendResolver, problems: ProblemList) {
    this.#resolver = resolver
    this.problems = problems
  }

  /** The route belongs to that parent, for these hostnames; none: for any connection. */
  accept(
    route: StreamRouteDocument,
    parentRef: ParentReference,
    parentNamespace: string | undefined,
    hostnames: readonly string[],
  ): RankedStream {
    const compiled = this.#compile(route, parentNamespace, hostnames)
    this.problems.add(...compiled.problems)
    this.#tell(route, parentRef, goodCondition('Accepted', 'the route is in force'), compiled.fault)
    return compiled.ranked
  }

  refuse(
    route: StreamRouteDocument,
    parentRef: ParentReference,
    parentNamespace: string | undefined,
    reason: string,
    problem: Problem,
  ): void {
    const { problems, fault } = this.#compile(route, parentNamespace, [])
    this.problems.add(problem, ...problems)
    this.#tell(route, parentRef, badCondition('Accepted', reason, problem.message), fault)
  }

  parentsOf(route: StreamRouteDocument): readonly ParentStatus[] {
    return this.#parents.get(route.id) ?? []
  }

  #compile(
    route: StreamRouteDocument,
    parentNamespace: string | undefined,
    hostnames: readonly string[],
  ): CompiledStream {
    const problems: Problem[] = []
    let fault: ReferenceFault | undefined
    const [rule] = route.spec.rules
    const path = ['spec', 'rules', 0]
    const backends = (rule?.backendRefs ?? []).map((ref, index) => {
      const at = [...path, 'backendRefs', index]
      const severity = ref.weight === 0 ? 'warning' : 'error'
      const target = this.#resolver.resolve(route, ref, at, parentNamespace, severity)
      if (!('fault' in target)) return { ...target, weight: ref.weight }
      problems.push(target.problem)
      fault ??= target.fault
      return { port: ref.port ?? 0, weight: ref.weight }
    })
    const name = rule?.name ?? '0'
    const stream = { name: `${route.id}/${name}`, source: sourceLocation(route, path, name), hostnames, backends }
    const { creationTimestamp } = route.metadata
    const ranked = {
      stream,
      document: `${route.namespace}/${route.name}`,
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    }
    return { ranked, problems, fault }
  }

  #tell(
    route: StreamRouteDocument,
    parentRef: ParentReference,
    accepted: Condition,
    fault: ReferenceFault | undefined,
  ): void {
    const controllerName = parentRef.kind === 'Gateway' ? gatewayControllerName : meshControllerName
    const parents = this.#parents.get(route.id) ?? []
    parents.push({ parentRef, controllerName, conditions: [accepted, resolvedRefs(fault)] })
    this.#parents.set(route.id, parents)
  }
}

/**
 * Of several routes for one hostname the oldest has it, then the one whose name sorts first (Gateway API conflict rules); so too for
 * "any connection".
 */
export function inOrderOfAge(streams: readonly RankedStream[]): MeshStream[] {
  const taken = new Set<string>()
  const chosen: MeshStream[] = []
  for (const { stream } of streams.toSorted(compareAge)) {
    const wanted = stream.hostnames.length === 0 ? [''] : stream.hostnames
    const free = [...new Set(wanted)].filter((hostname) => !taken.has(hostname))
    for (const hostname of free) taken.add(hostname)
    if (free.length > 0) chosen.push({ ...stream, hostnames: free.filter((hostname) => hostname !== '') })
  }
  // by SNI before "any connection"
  return chosen.toSorted((a, b) => Number(a.hostnames.length === 0) - Number(b.hostnames.length === 0))
}

function compareAge(a: RankedStream, b: RankedStream): number {
  return compareText(a.creationTimestamp ?? '~', b.creationTimestamp ?? '~') || compareText(a.document, b.document)
}
