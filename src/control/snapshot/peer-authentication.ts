// What each port of each workload demands of its callers: of PeerAuthentication documents workload before namespace before mesh, of equals the oldest.
import { rootNamespace } from '../../contracts/root-namespace.ts'
import {
  modeOfPort,
  narrowedMode,
  selectsWorkloads,
} from '../../policies/peer-authentication/peer-authentication.schema.ts'
import type { PeerAuthenticationMode } from '../../policies/peer-authentication/peer-authentication.spec.ts'
import { documentProblem } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import type { FieldPath } from '../model/yaml-text.ts'
import { labelsMatch } from './document-index.ts'
import type { DocumentIndex } from './document-index.ts'
import type { MeshSettings, MeshWorkload } from './mesh-snapshot.ts'
import type { ProblemList } from './route-attachment.ts'
import { compareText } from './services.ts'
import { badCondition, goodCondition } from './status.ts'
import type { DocumentStatus } from './status.ts'

type Policy = ModelDocument<'PeerAuthentication'>

export interface CompiledPeerAuthentication {
  readonly settings: MeshSettings
  readonly workloads: ReadonlyMap<string, MeshWorkload>
  readonly statuses: ReadonlyMap<string, DocumentStatus>
}

/** `settings` with the mode of the mesh, and `workloads` with that of each port where a document says another. */
export function withPeerAuthentication(
  index: DocumentIndex,
  settings: MeshSettings,
  workloads: ReadonlyMap<string, MeshWorkload>,
  problems: ProblemList,
): CompiledPeerAuthentication {
  const policies = new Policies(index.all('PeerAuthentication'), problems)
  const mesh = narrowedMode(settings.peerAuthentication, policies.ofNamespace(rootNamespace)?.spec.mtls)
  const secured = new Map([...workloads].map(([key, workload]) => [key, withModes(workload, mesh, policies)] as const))
  policies.reportUnused()
  return { settings: { ...settings, peerAuthentication: mesh }, workloads: secured, statuses: policies.statuses }
}

function withModes(workload: MeshWorkload, mesh: PeerAuthenticationMode, policies: Policies): MeshWorkload {
  const namespace = workload.namespace === rootNamespace ? undefined : policies.ofNamespace(workload.namespace)
  const own = policies.ofWorkload(workload)
  const ports = workload.ports.map((port) => {
    const mode = modeOfPort(mesh, namespace?.spec, own?.spec, port.port)
    return mode === mesh ? port : { ...port, peerAuthentication: mode }
  })
  return { ...workload, ports }
}

class Policies {
  readonly statuses = new Map<string, DocumentStatus>()
  readonly #problems: ProblemList
  readonly #byNamespace = new Map<string, Policy>()
  /** By namespace, the oldest first. */
  readonly #selecting = new Map<string, Policy[]>()
  /** By policy: the ports of the workloads that it selects. */
  readonly #selected = new Map<Policy, Set<number>>()

  constructor(policies: readonly Policy[], problems: ProblemList) {
    this.#problems = problems
    for (const policy of policies.toSorted(compareAge)) {
      this.statuses.set(policy.id, { conditions: [goodCondition('Accepted', 'the document is in force')] })
      if (selectsWorkloads(policy.spec)) this.#addSelecting(policy)
      else this.#addNamespaceWide(policy)
    }
  }

  ofNamespace(namespace: string): Policy | undefined {
    return this.#byNamespace.get(namespace)
  }

  ofWorkload({ namespace, name, labels, ports }: MeshWorkload): Policy | undefined {
    const selecting = (this.#selecting.get(namespace) ?? []).filter(({ spec }) =>
      labelsMatch(spec.selector?.matchLabels ?? {}, labels),
    )
    const [oldest, ...others] = selecting
    for (const policy of selecting) {
      const known = this.#selected.get(policy)
      for (const { port } of ports) known?.add(port)
    }
    for (const other of others) {
      const message = `${oldest?.id ?? ''} applies to Workload ${namespace}/${name} already`
      this.#refuse(other, 'HDL012', 'warning', ['spec', 'selector'], 'Conflicted', message, 'Let one select it.')
    }
    return oldest
  }

  /** What selects nothing, or names a port that nothing it selects has. */
  reportUnused(): void {
    for (const [policy, ports] of this.#selected) {
      if (ports.size === 0) {
        const message = `no workload with a port in namespace ${policy.namespace} has these labels`
        this.#problems.add(documentProblem(policy, 'HDL008', 'warning', ['spec', 'selector', 'matchLabels'], message))
        continue
      }
      for (const port of Object.keys(policy.spec.portLevelMtls)) {
        if (ports.has(Number(port))) continue
        const message = `no workload that it selects has port ${port}`
        const hint = `Ports are those of workloads, not of Services: ${[...ports].join(', ')}.`
        const path = ['spec', 'portLevelMtls', port]
        this.#problems.add(documentProblem(policy, 'HDL008', 'warning', path, message, hint))
      }
    }
  }

  #addSelecting(policy: Policy): void {
    const { namespace } = policy
    if (namespace === rootNamespace) {
      const message = `a selector selects nothing in ${rootNamespace}: its documents are about the whole mesh`
      const hint = 'Put it into the namespace of the workloads.'
      this.#refuse(policy, 'HDL010', 'error', ['spec', 'selector'], 'Invalid', message, hint)
      return
    }
    this.#selected.set(policy, new Set())
    this.#selecting.set(namespace, [...(this.#selecting.get(namespace) ?? []), policy])
  }

  #addNamespaceWide(policy: Policy): void {
    const { namespace } = policy
    const first = this.#byNamespace.get(namespace)
    if (first === undefined) {
      this.#byNamespace.set(namespace, policy)
      return
    }
    const message = `${first.id} is about the whole ${namespace === rootNamespace ? 'mesh' : 'namespace'} already`
    this.#refuse(policy, 'HDL012', 'warning', ['metadata', 'name'], 'Conflicted', message, 'Remove one of them.')
  }

  #refuse(
    policy: Policy,
    code: 'HDL010' | 'HDL012',
    severity: 'error' | 'warning',
    path: FieldPath,
    reason: string,
    message: string,
    hint: string,
  ): void {
    this.#problems.add(documentProblem(policy, code, severity, path, message, hint))
    this.statuses.set(policy.id, { conditions: [badCondition('Accepted', reason, message)] })
  }
}

/** RFC 3339 in UTC sorts as text; a document without a timestamp is younger than any that has one. */
function compareAge(a: Policy, b: Policy): number {
  return (
    compareText(a.metadata.creationTimestamp ?? '~', b.metadata.creationTimestamp ?? '~') || compareText(a.id, b.id)
  )
}
