// XBackendTrafficPolicies (Gateway API) → how callers treat each port, where no TrafficPolicy says otherwise.
import { createHash } from 'node:crypto'

import { toRetryConstraintSpec } from '../../policies/retries/retries.schema.ts'
import { toSessionPersistenceSpec } from '../../policies/session-persistence/session-persistence.schema.ts'
import { documentProblem } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import type { DocumentIndex } from './document-index.ts'
import type { MeshTraffic } from './mesh-snapshot.ts'
import type { ProblemList } from './route-attachment.ts'
import { compareAge, ServiceTargets, targetStatus } from './service-targets.ts'
import type { PortDraft, ServiceDraft } from './services.ts'
import { badCondition } from './status.ts'
import type { Condition, DocumentStatus } from './status.ts'

type Policy = ModelDocument<'XBackendTrafficPolicy'>

/** The same services, with what the policies say. `services`: with what TrafficPolicies say of them. */
export function withBackendTrafficPolicies(
  index: DocumentIndex,
  services: ReadonlyMap<string, ServiceDraft>,
  problems: ProblemList,
): { readonly services: ReadonlyMap<string, ServiceDraft>; readonly statuses: ReadonlyMap<string, DocumentStatus> } {
  const byPort = new Map<PortDraft, MeshTraffic>()
  const statuses = new Map<string, DocumentStatus>()
  const targets = new ServiceTargets(index, services, problems)
  for (const policy of index.all('XBackendTrafficPolicy').toSorted(compareAge)) {
    const traffic = compileTraffic(policy)
    const ancestors = policy.spec.targetRefs.map((_, position) => {
      const { accepted, ports } = targets.attach(policy, position)
      for (const port of ports) byPort.set(port, { ...traffic, ...port.traffic })
      const conflict = ports.length === 0 ? undefined : explainConflict(policy, position, ports, index, problems)
      return targetStatus(policy, position, [conflict ?? accepted])
    })
    statuses.set(policy.id, { ancestors })
  }
  if (byPort.size === 0) return { services, statuses }
  const treated = [...services].map(([host, draft]): [string, ServiceDraft] => {
    if (!draft.ports.some((port) => byPort.has(port))) return [host, draft]
    const ports = draft.ports.map((port): PortDraft => {
      const traffic = byPort.get(port)
      return traffic === undefined ? port : { ...port, traffic }
    })
    return [host, { ...draft, ports }]
  })
  return { services: new Map(treated), statuses }
}

function compileTraffic({ id, spec }: Policy): Pick<MeshTraffic, 'retryConstraint' | 'sessionPersistence'> {
  const { retryConstraint, sessionPersistence } = spec
  const sessionName = `heddle-session-${createHash('sha256').update(id).digest('hex').slice(0, 8)}`
  return {
    ...(retryConstraint === undefined ? {} : { retryConstraint: toRetryConstraintSpec(retryConstraint) }),
    ...(sessionPersistence === undefined
      ? {}
      : { sessionPersistence: toSessionPersistenceSpec(sessionPersistence, sessionName) }),
  }
}

/** Of the target when nothing of the policy is in force there. */
function explainConflict(
  policy: Policy,
  position: number,
  ports: readonly PortDraft[],
  index: DocumentIndex,
  problems: ProblemList,
): Condition | undefined {
  const { retryConstraint, sessionPersistence, targetRefs } = policy.spec
  const taken = ports.filter(({ traffic }) => traffic?.retryConstraint !== undefined)
  if (retryConstraint === undefined || taken.length === 0) return undefined
  const name = targetRefs[position]?.name ?? ''
  const other = index
    .all('TrafficPolicy')
    .find(
      ({ namespace, spec }) =>
        namespace === policy.namespace &&
        spec.retryConstraint !== undefined &&
        spec.targetRefs.some((target) => target.name === name),
    )
  const where = taken.length === ports.length ? name : `${name} (${taken.map((port) => port.name).join(', ')})`
  const message = `the retryConstraint of ${other?.id ?? 'a TrafficPolicy'} is in force for ${where}`
  const path = ['spec', 'retryConstraint']
  problems.add(documentProblem(policy, 'HDL012', 'warning', path, message, 'Remove one of them.'))
  const nothing = sessionPersistence === undefined && taken.length === ports.length
  return nothing ? badCondition('Accepted', 'Conflicted', message) : undefined
}
