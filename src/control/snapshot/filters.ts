// Filter documents → what routes that name them, workloads behind Services and Gateways have requests pass, in order.
import type { Problem } from '../../contracts/problem.ts'
import { serviceHost } from '../../contracts/xds/names.ts'
import { toCompressionSpec } from '../../policies/compression/compression.schema.ts'
import { durationMs } from '../../policies/scalars.schema.ts'
import { toTransformationSpec } from '../../policies/transformation/transformation.schema.ts'
import { documentProblem, sourceLocation } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import type { FilterTarget } from '../model/filter-kind.ts'
import { gatewayGroup, heddleGroup } from '../model/kinds.ts'
import { nearest } from '../model/nearest.ts'
import type { ExtensionReference } from '../model/route-kinds.ts'
import type { FieldPath } from '../model/yaml-text.ts'
import { withoutCode } from '../sources/filter-code.ts'
import type { FilterCode } from '../sources/filter-code.ts'
import type { RouteDocument } from './backends.ts'
import type { DocumentIndex } from './document-index.ts'
import type { MeshFilter, MeshGateway, MeshWorkload, MeshWorkloadPort } from './mesh-snapshot.ts'
import { carriesRequests } from './port-protocol.ts'
import type { ProblemList } from './route-attachment.ts'
import { compareText } from './services.ts'
import type { ServiceDraft } from './services.ts'
import { badCondition, gatewayControllerName, goodCondition, meshControllerName } from './status.ts'
import type { AncestorStatus, Condition, DocumentStatus, ReferenceFault } from './status.ts'

type Filter = ModelDocument<'Filter'>

export type ResolvedFilter = { readonly filter: Filter } | { readonly fault: ReferenceFault; readonly problem: Problem }

/** Where an ExtensionRef of a route leads. `path` is the reference's. */
export function resolveFilter(
  index: DocumentIndex,
  route: RouteDocument,
  { group, kind, name }: ExtensionReference,
  path: FieldPath,
): ResolvedFilter {
  const bad = (
    reason: ReferenceFault['reason'],
    code: Problem['code'],
    field: string,
    message: string,
    hint?: string,
  ): ResolvedFilter => ({
    fault: { reason, message },
    problem: documentProblem(route, code, 'error', [...path, field], message, hint),
  })
  if (group !== heddleGroup || kind !== 'Filter') {
    const message = `a filter of kind ${group === '' ? '' : `${group}/`}${kind} is not supported: the rule answers with an error`
    return bad('InvalidKind', 'HDL010', 'kind', message, `Use Filter of group ${heddleGroup}.`)
  }
  const filter = index.get('Filter', route.namespace, name)
  if (filter !== undefined) return { filter }
  const meant = nearest(name, index.names('Filter', route.namespace))
  const hint = meant === undefined ? undefined : `Did you mean "${meant}"?`
  const message = `there is no Filter "${name}" in namespace ${route.namespace}: the rule answers with an error`
  return bad('FilterNotFound', 'HDL008', 'name', message, hint)
}

/** Undefined: it is none that requests pass, but says what becomes of them. */
export function meshFilter(filter: Filter, index: DocumentIndex): MeshFilter | undefined {
  const { id, spec } = filter
  const place = { name: id, source: sourceLocation(filter) }
  if (spec.transformation !== undefined)
    return { ...place, kind: 'transformation', spec: toTransformationSpec(spec.transformation) }
  if (spec.compression !== undefined)
    return { ...place, kind: 'compression', spec: toCompressionSpec(spec.compression) }
  if (spec.typescript === undefined) return undefined
  const { config, timeBudget, onError, maxBodyBytes } = spec.typescript
  const { code, sha256 } = index.filterCode.get(id) ?? noCode
  const timeBudgetMs = durationMs(timeBudget)
  return { ...place, kind: 'typescript', spec: { ...place, code, sha256, config, timeBudgetMs, onError, maxBodyBytes } }
}

/** Proxies that ask for such a filter treat it as one that fails. */
const noCode: FilterCode = withoutCode()

/** What Filters say by targetRefs: the oldest first, then by name. */
export class TargetedFilters {
  /** By "namespace/name port". */
  readonly #byPort = new Map<string, MeshFilter[]>()
  /** By "namespace/name". */
  readonly #byGateway = new Map<string, MeshFilter[]>()
  readonly #statuses = new Map<string, DocumentStatus>()
  readonly #index: DocumentIndex
  readonly #services: ReadonlyMap<string, ServiceDraft>
  readonly #problems: ProblemList

  constructor(index: DocumentIndex, services: ReadonlyMap<string, ServiceDraft>, problems: ProblemList) {
    this.#index = index
    this.#services = services
    this.#problems = problems
    for (const filter of index.all('Filter').toSorted(compareAge)) {
      if (filter.spec.targetRefs.length === 0) continue
      const compiled = meshFilter(filter, index)
      if (compiled === undefined) continue
      const ancestors = filter.spec.targetRefs.map((target, position) =>
        this.#attach(filter, position, target, compiled),
      )
      this.#statuses.set(filter.id, { ancestors })
    }
  }

  get statuses(): ReadonlyMap<string, DocumentStatus> {
    return this.#statuses
  }

  /** The same workloads, with the filters of their ports. */
  withWorkloads(workloads: ReadonlyMap<string, MeshWorkload>): ReadonlyMap<string, MeshWorkload> {
    if (this.#byPort.size === 0) return workloads
    return new Map(
      [...workloads].map(([key, workload]): [string, MeshWorkload] => {
        const ports = workload.ports.map((port): MeshWorkloadPort => {
          const filters = this.#byPort.get(`${key} ${port.port}`)
          return filters === undefined ? port : { ...port, filters }
        })
        return [key, { ...workload, ports }]
      }),
    )
  }

  withGateways(gateways: ReadonlyMap<string, MeshGateway>): ReadonlyMap<string, MeshGateway> {
    if (this.#byGateway.size === 0) return gateways
    return new Map(
      [...gateways].map(([key, gateway]): [string, MeshGateway] => {
        const filters = this.#byGateway.get(key)
        return [key, filters === undefined ? gateway : { ...gateway, filters }]
      }),
    )
  }

  #attach(filter: Filter, position: number, target: FilterTarget, compiled: MeshFilter): AncestorStatus {
    const { group, kind, name } = target
    const { namespace } = filter
    const wanted = kind === 'Gateway' ? gatewayGroup : ''
    const controllerName = kind === 'Gateway' ? gatewayControllerName : meshControllerName
    const told = (condition: Condition): AncestorStatus => ({
      ancestorRef: { group, kind, name, namespace },
      controllerName,
      conditions: [condition],
    })
    const refuse = (reason: string, field: string, message: string, hint?: string): AncestorStatus => {
      const path = ['spec', 'targetRefs', position, field]
      this.#problems.add(documentProblem(filter, 'HDL008', 'error', path, message, hint))
      return told(badCondition('Accepted', reason, message))
    }
    if (group !== wanted && !(kind === 'Service' && group === 'core'))
      return refuse(
        'Invalid',
        'group',
        `a ${kind} is of group "${wanted}", not "${group}"`,
        `Write group: "${wanted}".`,
      )
    if (this.#index.get(kind, namespace, name) === undefined) {
      const meant = nearest(name, this.#index.names(kind, namespace))
      const hint = meant === undefined ? undefined : `Did you mean "${meant}"?`
      return refuse('TargetNotFound', 'name', `there is no ${kind} "${name}" in namespace ${namespace}`, hint)
    }
    if (kind === 'Gateway') put(this.#byGateway, `${namespace}/${name}`, compiled)
    else if (!this.#attachToService(namespace, name, compiled)) {
      const message = `nothing passes the filter: no workload of the mesh is behind a port of Service ${name} that carries requests`
      const path = ['spec', 'targetRefs', position, 'name']
      this.#problems.add(documentProblem(filter, 'HDL010', 'warning', path, message))
    }
    return told(goodCondition('Accepted', 'the filter is in force'))
  }

  /** False: it has no workload of the mesh that takes requests. */
  #attachToService(namespace: string, name: string, filter: MeshFilter): boolean {
    const ports = this.#services.get(serviceHost(name, namespace))?.ports ?? []
    const keys = new Set(
      ports
        .filter(({ protocol }) => carriesRequests(protocol))
        .flatMap(({ endpoints }) => endpoints)
        .flatMap((endpoint) => (endpoint.kind === 'workload' ? [`${endpoint.workload} ${endpoint.port}`] : [])),
    )
    for (const key of keys) put(this.#byPort, key, filter)
    return keys.size > 0
  }
}

/** Once, even where several targets lead there. */
function put(places: Map<string, MeshFilter[]>, key: string, filter: MeshFilter): void {
  const filters = places.get(key) ?? []
  if (!filters.includes(filter)) filters.push(filter)
  places.set(key, filters)
}

/** Documents without a time come last. */
function compareAge(a: Filter, b: Filter): number {
  return (
    compareText(a.metadata.creationTimestamp ?? '~', b.metadata.creationTimestamp ?? '~') || compareText(a.id, b.id)
  )
}
