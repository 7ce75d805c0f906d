// Which AuthorizationPolicies and RequestAuthentications apply to a workload or gateway.
import { rootNamespace } from '../../contracts/root-namespace.ts'
import type { AppliedPolicy } from '../../policies/authorization/authorization.spec.ts'
import { toJwtRules } from '../../policies/request-authentication/request-authentication.schema.ts'
import type { JwtRule } from '../../policies/request-authentication/request-authentication.spec.ts'
import { documentProblem, sourceLocation } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import { nearest } from '../model/nearest.ts'
import type { DocumentIndex } from './document-index.ts'
import type { MeshSettings } from './mesh-snapshot.ts'
import type { PolicyScopes, PolicySubject } from './policy-scopes.ts'
import type { ProblemList } from './route-attachment.ts'
import { compareText } from './services.ts'

export interface AppliedSecurity {
  readonly authorization: readonly AppliedPolicy[]
  readonly jwtRules: readonly JwtRule[]
}

export const noSecurity: AppliedSecurity = { authorization: [], jwtRules: [] }

type Policy = ModelDocument<'AuthorizationPolicy'> | ModelDocument<'RequestAuthentication'>

export class SecurityPolicies {
  readonly #index: DocumentIndex
  readonly #scopes: PolicyScopes

  constructor(
    index: DocumentIndex,
    scopes: PolicyScopes,
    { authorizationServers }: Pick<MeshSettings, 'authorizationServers'>,
    problems: ProblemList,
  ) {
    this.#index = index
    this.#scopes = scopes
    for (const policy of index.all('AuthorizationPolicy')) {
      const { provider } = policy.spec
      if (provider === undefined || authorizationServers.has(provider.name)) continue
      const meant = nearest(provider.name, [...authorizationServers.keys()])
      const message = `no extension provider of the MeshConfig is called "${provider.name}": what the policy matches is refused`
      const hint = meant === undefined ? 'Add it to extensionProviders.' : `Did you mean "${meant}"?`
      problems.add(documentProblem(policy, 'HDL008', 'error', ['spec', 'provider', 'name'], message, hint))
    }
    for (const kind of ['AuthorizationPolicy', 'RequestAuthentication'] as const)
      for (const policy of index.all(kind)) scopes.resolve(policy, problems)
  }

  of(subject: PolicySubject): AppliedSecurity {
    const authorization = this.#applied('AuthorizationPolicy', subject).map(appliedPolicy)
    const jwtRules = this.#applied('RequestAuthentication', subject).flatMap(({ spec }) => toJwtRules(spec))
    return { authorization, jwtRules }
  }

  /** Of an ExternalService: those that name it, in its namespace and in the root namespace. */
  outbound(namespace: string, name: string): readonly AppliedPolicy[] {
    const subject: PolicySubject = { kind: 'ExternalService', namespace, name, labels: {} }
    return this.#applied('AuthorizationPolicy', subject).map(appliedPolicy)
  }

  /** Those of the root namespace first. */
  #applied<K extends Policy['kind']>(kind: K, subject: PolicySubject): ModelDocument<K>[] {
    const near = subject.namespace === rootNamespace ? [] : this.#index.allIn(kind, subject.namespace)
    return [...this.#index.allIn(kind, rootNamespace).toSorted(byId), ...near.toSorted(byId)].filter((policy) =>
      this.#scopes.chooses(policy as unknown as Policy, subject),
    )
  }
}

function appliedPolicy(policy: ModelDocument<'AuthorizationPolicy'>): AppliedPolicy {
  const { id: name, namespace, spec } = policy
  const ruleSources = (spec.rules ?? []).map((_, rule) => sourceLocation(policy, ['spec', 'rules', rule], String(rule)))
  return { name, namespace, source: sourceLocation(policy), ruleSources, spec }
}

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return compareText(a.id, b.id)
}
