// The ports of Services and ExternalServices that policies are attached to by targetRefs (GEP-713): the more specific one wins, then the older.
import type { Problem } from '../../contracts/problem.ts'
import { serviceHost } from '../../contracts/xds/names.ts'
import { documentProblem } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import { heddleGroup } from '../model/kinds.ts'
import { nearest } from '../model/nearest.ts'
import type { PolicyTargetReference } from '../model/policy-kinds.ts'
import type { DocumentIndex } from './document-index.ts'
import type { ProblemList } from './route-attachment.ts'
import { compareText } from './services.ts'
import type { PortDraft, ServiceDraft } from './services.ts'
import { badCondition, goodCondition, meshControllerName } from './status.ts'
import type { AncestorStatus, Condition } from './status.ts'

export type TargetingPolicy = ModelDocument<
  'BackendTLSPolicy' | 'TrafficPolicy' | 'XBackendTrafficPolicy' | 'ChaosExperiment'
>

export interface Attachment {
  readonly accepted: Condition
  /** Those that the policy applies to from now on. */
  readonly ports: readonly PortDraft[]
}

/** Policies of one kind, which are to be attached in the order of `compareAge`. */
export class ServiceTargets {
  readonly #index: DocumentIndex
  readonly #services: ReadonlyMap<string, ServiceDraft>
  readonly #problems: ProblemList
  readonly #owners = new Map<PortDraft, TargetingPolicy>()

  constructor(index: DocumentIndex, services: ReadonlyMap<string, ServiceDraft>, problems: ProblemList) {
    this.#index = index
    this.#services = services
    this.#problems = problems
  }

  /** `position`: of the target among those of the policy. */
  attach(policy: TargetingPolicy, position: number): Attachment {
    const { group, kind, name, sectionName } = policy.spec.targetRefs[position] as PolicyTargetReference
    const { namespace } = policy
    const refuse = (
      code: Problem['code'],
      reason: string,
      field: string,
      message: string,
      hint?: string,
    ): Attachment => {
      const path = ['spec', 'targetRefs', position, field]
      this.#problems.add(documentProblem(policy, code, 'error', path, message, hint))
      return { accepted: badCondition('Accepted', reason, message), ports: [] }
    }
    const isService = (group === '' || group === 'core') && kind === 'Service'
    const isExternal = group === heddleGroup && kind === 'ExternalService'
    if (!isService && !isExternal) {
      const message = `a target of kind ${group === '' ? '' : `${group}/`}${kind} is not supported`
      return refuse('HDL010', 'Invalid', 'kind', message, `Use Service, or ExternalService of group ${heddleGroup}.`)
    }
    const target = this.#index.get(isService ? 'Service' : 'ExternalService', namespace, name)
    if (target === undefined) {
      const meant = nearest(name, this.#index.names(isService ? 'Service' : 'ExternalService', namespace))
      const message = `there is no ${kind} "${name}" in namespace ${namespace}`
      const hint = meant === undefined ? undefined : `Did you mean "${meant}"?`
      return refuse('HDL008', 'TargetNotFound', 'name', message, hint)
    }
    const hosts = target.kind === 'Service' ? [serviceHost(name, namespace)] : target.spec.hosts
    const ports = hosts
      .flatMap((host) => this.#services.get(host)?.ports ?? [])
      .filter((port) => sectionName === undefined || port.name === sectionName)
    if (sectionName !== undefined && ports.length === 0)
      return refuse('HDL008', 'TargetNotFound', 'sectionName', `${kind} ${name} has no port named "${sectionName}"`)
    // what names one port is more specific than what names them all
    const free = ports.filter((port) => {
      const owner = this.#owners.get(port)
      if (owner === undefined) return true
      return sectionName !== undefined && !namesPort(owner, name, port)
    })
    const [first] = ports
    if (first !== undefined && free.length === 0) {
      const message = `${this.#owners.get(first)?.id ?? 'another policy'} applies to ${kind} ${name} already`
      return refuse('HDL012', 'Conflicted', 'name', message, 'Remove one of them.')
    }
    for (const port of free) this.#owners.set(port, policy)
    return { accepted: goodCondition('Accepted', 'the policy is in force'), ports: free }
  }
}

function namesPort({ spec }: TargetingPolicy, name: string, port: PortDraft): boolean {
  return spec.targetRefs.some((target) => target.name === name && target.sectionName === port.name)
}

export function targetStatus(
  { namespace, spec }: TargetingPolicy,
  position: number,
  conditions: readonly Condition[],
): AncestorStatus {
  const { group, kind, name, sectionName } = spec.targetRefs[position] as PolicyTargetReference
  const ancestorRef = { group, kind, name, namespace, ...(sectionName === undefined ? {} : { sectionName }) }
  return { ancestorRef, controllerName: meshControllerName, conditions }
}

/** Documents without a time come last. */
export function compareAge(
  a: Pick<ModelDocument, 'id' | 'metadata'>,
  b: Pick<ModelDocument, 'id' | 'metadata'>,
): number {
  return (
    compareText(a.metadata.creationTimestamp ?? '~', b.metadata.creationTimestamp ?? '~') || compareText(a.id, b.id)
  )
}
