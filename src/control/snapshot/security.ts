// Which AuthorizationPolicies and RequestAuthentications apply to a workload or gateway.
import { rootNamespace } from '../../contracts/root-namespace.ts'
import { serviceHost } from '../../contracts/xds/names.ts'
import type { AppliedPolicy } from '../../policies/authorization/authorization.spec.ts'
import { toJwtRules } from '../../policies/request-authentication/request-authentication.schema.ts'
import type { JwtRule } from '../../policies/request-authentication/request-authentication.spec.ts'
import { documentProblem, sourceLocation } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import { gatewayGroup, heddleGroup } from '../model/kinds.ts'
import { nearest } from '../model/nearest.ts'
import { labelsMatch } from './document-index.ts'
import type { DocumentIndex } from './document-index.ts'
import type { MeshSettings } from './mesh-snapshot.ts'
import type { ProblemList } from './route-attachment.ts'
import { compareText } from './services.ts'
import type { ServiceDraft } from './services.ts'

export interface AppliedSecurity {
  readonly authorization: readonly AppliedPolicy[]
  readonly jwtRules: readonly JwtRule[]
}

export const noSecurity: AppliedSecurity = { authorization: [], jwtRules: [] }

/** What policies choose by. */
export interface SecuritySubject {
  readonly kind: 'Workload' | 'Gateway' | 'ExternalService'
  readonly namespace: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}

type Policy = ModelDocument<'AuthorizationPolicy'> | ModelDocument<'RequestAuthentication'>

export class SecurityPolicies {
  readonly #index: DocumentIndex
  /** By "namespace/name" of a Service: its workloads, as "namespace/name". */
  readonly #workloadsOf = new Map<string, Set<string>>()

  constructor(
    index: DocumentIndex,
    services: ReadonlyMap<string, ServiceDraft>,
    { authorizationServers }: Pick<MeshSettings, 'authorizationServers'>,
    problems: ProblemList,
  ) {
    this.#index = index
    for (const policy of index.all('AuthorizationPolicy')) {
      const { provider } = policy.spec
      if (provider === undefined || authorizationServers.has(provider.name)) continue
      const meant = nearest(provider.name, [...authorizationServers.keys()])
      const message = `no extension provider of the MeshConfig is called "${provider.name}": what the policy matches is refused`
      const hint = meant === undefined ? 'Add it to extensionProviders.' : `Did you mean "${meant}"?`
      problems.add(documentProblem(policy, 'HDL008', 'error', ['spec', 'provider', 'name'], message, hint))
    }
    for (const kind of ['AuthorizationPolicy', 'RequestAuthentication'] as const)
      for (const policy of index.all(kind)) this.#resolve(policy, services, problems)
  }

  of(subject: SecuritySubject): AppliedSecurity {
    const authorization = this.#applied('AuthorizationPolicy', subject).map(appliedPolicy)
    const jwtRules = this.#applied('RequestAuthentication', subject).flatMap(({ spec }) => toJwtRules(spec))
    return { authorization, jwtRules }
  }

  /** Of an ExternalService: those that name it, in its namespace and in the root namespace. */
  outbound(namespace: string, name: string): readonly AppliedPolicy[] {
    const subject: SecuritySubject = { kind: 'ExternalService', namespace, name, labels: {} }
    return this.#applied('AuthorizationPolicy', subject).map(appliedPolicy)
  }

  /** Those of the root namespace first. */
  #applied<K extends Policy['kind']>(kind: K, subject: SecuritySubject): ModelDocument<K>[] {
    const near = subject.namespace === rootNamespace ? [] : this.#index.allIn(kind, subject.namespace)
    return [...this.#index.allIn(kind, rootNamespace).toSorted(byId), ...near.toSorted(byId)].filter((policy) =>
      this.#chooses(policy as unknown as Policy, subject),
    )
  }

  #chooses({ namespace, spec }: Policy, subject: SecuritySubject): boolean {
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

  #resolve(policy: Policy, services: ReadonlyMap<string, ServiceDraft>, problems: ProblemList): void {
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
      const endpoints = services.get(serviceHost(name, policy.namespace))?.ports.flatMap((port) => port.endpoints) ?? []
      const workloads = endpoints.flatMap((endpoint) => (endpoint.kind === 'workload' ? [endpoint.workload] : []))
      this.#workloadsOf.set(`${policy.namespace}/${name}`, new Set(workloads))
    }
  }
}

function reachOf(kind: string, namespace: string): string {
  return kind === 'ExternalService' && namespace === rootNamespace ? 'any namespace' : `namespace ${namespace}`
}

function appliedPolicy(policy: ModelDocument<'AuthorizationPolicy'>): AppliedPolicy {
  const { id: name, namespace, spec } = policy
  const ruleSources = (spec.rules ?? []).map((_, rule) => sourceLocation(policy, ['spec', 'rules', rule], String(rule)))
  return { name, namespace, source: sourceLocation(policy), ruleSources, spec }
}

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return compareText(a.id, b.id)
}
