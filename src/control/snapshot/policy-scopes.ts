// Which workloads and gateways a policy chooses: by labels, by targetRefs, or all of its namespace; of the root namespace, of the mesh.
import { rootNamespace } from '../../contracts/root-namespace.ts'
import { serviceHost } from '../../contracts/xds/names.ts'
import { documentProblem } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import { gatewayGroup, heddleGroup } from '../model/kinds.ts'
import { nearest } from '../model/nearest.ts'
import { labelsMatch } from './document-index.ts'
import type { DocumentIndex } from './document-index.ts'
import type { ProblemList } from './route-attachment.ts'
import type { ServiceDraft } from './services.ts'

/** What policies choose by. */
export interface PolicySubject {
  readonly kind: 'Workload' | 'Gateway' | 'ExternalService'
  readonly namespace: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}

export type ScopedPolicy =
  | ModelDocument<'AuthorizationPolicy'>
  | ModelDocument<'RequestAuthentication'>
  | ModelDocument<'Telemetry'>

export class PolicyScopes {
  readonly #index: DocumentIndex
  readonly #services: ReadonlyMap<string, ServiceDraft>
  /** By "namespace/name" of a Service: its workloads, as "namespace/name". */
  readonly #workloadsOf = new Map<string, Set<string>>()

  constructor(index: DocumentIndex, services: ReadonlyMap<string, ServiceDraft>) {
    this.#index = index
    this.#services = services
  }

  /** Before it is asked what the policy chooses. */
  resolve(policy: ScopedPolicy, problems: ProblemList): void {
    for (const [position, { group, kind, name }] of (policy.spec.targetRefs ?? []).entries()) {
      const path = ['spec', 'targetRefs', position]
      const wanted = { Gateway: gatewayGroup, Service: '', ExternalService: heddleGroup }[kind]
      if (group !== wanted) {
        const message = `${kind === 'ExternalService' ? 'an' : 'a'} ${kind} is of group "${wanted}", not "${group}"`
        problems.add(
          documentProblem(policy, 'HDL008', 'error', [...path, 'group'], message, `Write group: "${wanted}".`),
        )
      } else if (!this.#exists(kind, policy.namespace, name)) {
        const meant = nearest(name, this.#index.names(kind, policy.namespace))
        const hint = meant === undefined ? undefined : `Did you mean "${meant}"?`
        const message = `there is no ${kind} "${name}" in ${reachOf(kind, policy.namespace)}`
        problems.add(documentProblem(policy, 'HDL008', 'error', [...path, 'name'], message, hint))
      }
      if (kind !== 'Service') continue
      const endpoints =
        this.#services.get(serviceHost(name, policy.namespace))?.ports.flatMap((port) => port.endpoints) ?? []
      const workloads = endpoints.flatMap((endpoint) => (endpoint.kind === 'workload' ? [endpoint.workload] : []))
      this.#workloadsOf.set(`${policy.namespace}/${name}`, new Set(workloads))
    }
  }

  chooses({ namespace, spec }: ScopedPolicy, subject: PolicySubject): boolean {
    const { selector, targetRefs } = spec
    if (subject.kind === 'ExternalService')
      return targetRefs?.some(({ kind, name }) => kind === subject.kind && name === subject.name) === true
    if (selector !== undefined) return labelsMatch(selector.matchLabels, subject.labels)
    if (targetRefs === undefined) return true
    if (namespace !== subject.namespace) return false
    return targetRefs.some(({ kind, name }) =>
      kind === 'Gateway'
        ? subject.kind === 'Gateway' && subject.name === name
        : kind === 'Service' &&
          subject.kind === 'Workload' &&
          this.#workloadsOf.get(`${namespace}/${name}`)?.has(`${subject.namespace}/${subject.name}`) === true,
    )
  }

  #exists(kind: 'Gateway' | 'Service' | 'ExternalService', namespace: string, name: string): boolean {
    if (kind === 'ExternalService' && namespace === rootNamespace)
      return this.#index.all(kind).some((external) => external.name === name)
    return this.#index.get(kind, namespace, name) !== undefined
  }
}

function reachOf(kind: string, namespace: string): string {
  return kind === 'ExternalService' && namespace === rootNamespace ? 'any namespace' : `namespace ${namespace}`
}
